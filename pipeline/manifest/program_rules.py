"""What the units of programs must satisfy beyond their shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipeline.manifest.errors import BadName, Contradiction, ManifestInvalid, UnknownUnit, did_you_mean
from pipeline.manifest.positions import Path
from pipeline.manifest.program_spec import ProgramCheckSpec
from pipeline.manifest.spec import ProjectSpec
from pipeline.manifest.validation import Locate

__all__ = ["program_check_problems", "program_problems"]


def program_problems(spec: ProjectSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    """Every problem; whether instructions and fields are in the IDL is seen when units are made."""
    for name, call in spec.program_calls.items():
        yield from _known(("calls", name), call.program, spec, locate)
        if call.unless is not None and (call.unless.type is None) != (call.unless.field is None):
            yield Contradiction(
                "`type` and `field` go together.",
                remedy="Give both and `equals`, or the account alone: that it is there.",
                where=locate(("calls", name, "unless")),
            )
        elif call.unless is not None and (call.unless.field is None) != (call.unless.equals is None):
            yield Contradiction(
                "`field` and `equals` go together.",
                remedy="Say which value makes the instruction unnecessary.",
                where=locate(("calls", name, "unless")),
            )
    yield from program_check_problems(spec.program_checks, spec, locate)
    for name in spec.programs:
        if not name.isidentifier():
            yield BadName(
                f"{name} cannot be a program's name: its files are named as Rust names it.",
                remedy="Use letters, digits and _.",
                where=locate(("programs", name), at_key=True),
            )


def program_check_problems(
    checks: Mapping[str, ProgramCheckSpec], spec: ProjectSpec, locate: Locate
) -> Iterator[ManifestInvalid]:
    for name, check in checks.items():
        yield from _known(("checks", name), check.program, spec, locate)


def _known(path: Path, program: str, spec: ProjectSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    if program not in spec.programs:
        yield UnknownUnit(
            f'There is no program "{program}".{did_you_mean(program, spec.programs)}',
            remedy="Name a program of ship.toml.",
            where=locate((*path, "program")),
        )
