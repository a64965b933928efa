"""A project as one target sees it: ``[overrides]`` merged in, the target's own checks added, checked again."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.manifest.errors import Contradiction, ManifestInvalid, UnknownUnit, did_you_mean, raise_all
from pipeline.manifest.layers import Layer, Layers, merge
from pipeline.manifest.positions import Path
from pipeline.manifest.program_rules import program_check_problems
from pipeline.manifest.program_spec import ProgramCheckSpec
from pipeline.manifest.project import Project
from pipeline.manifest.project_rules import check_problems, open_scope, project_problems
from pipeline.manifest.spec import CheckSpec, ProjectSpec, contract_checks, program_checks
from pipeline.manifest.target_spec import TargetSpec
from pipeline.manifest.validation import validated

__all__ = ["Overridden", "overridden"]

_UNITS = ("contracts", "calls", "scripts", "programs", "checks")


@dataclass(frozen=True)
class Overridden:
    """The merged project, the target's checks, and where each value stands."""

    spec: ProjectSpec
    layers: Layers
    target_checks: dict[str, CheckSpec]
    target_program_checks: dict[str, ProgramCheckSpec]


def overridden(project: Project, spec: TargetSpec, target: Layers) -> Overridden:
    """Merge. Only units of the project can be overridden; a target adds checks, never units."""
    raise_all(_unknown_units(project, spec, target))
    above = {
        "evm": dict(spec.overrides.evm),
        "solana": dict(spec.overrides.solana),
        **{kind: {n: dict(t) for n, t in getattr(spec.overrides, kind).items()} for kind in _UNITS},
    }
    above = {kind: tables for kind, tables in above.items() if tables}
    layers = Layers((*(Layer(layer.document, ("overrides",)) for layer in target.layers), Layer(project.document)))
    merged = project.spec
    if above:
        merged = validated(ProjectSpec, merge(project.document.data, above), layers.where)
        raise_all(project_problems(merged, layers.where))
    own, of_programs = contract_checks(spec.checks), program_checks(spec.checks)
    raise_all(check_problems(own, open_scope(merged), target.where))
    raise_all(program_check_problems(of_programs, merged, target.where))
    return Overridden(merged, layers, own, of_programs)


def _unknown_units(project: Project, spec: TargetSpec, target: Layers) -> list[ManifestInvalid]:
    problems: list[ManifestInvalid] = []
    for kind in _UNITS:
        known = getattr(project.spec, f"all_{kind}" if kind in {"calls", "checks"} else kind)
        for name in getattr(spec.overrides, kind):
            if name not in known:
                path: Path = ("overrides", kind, name)
                problems.append(
                    UnknownUnit(
                        f"ship.toml has no [{kind}.{name}] to override.{did_you_mean(name, known)}",
                        remedy=f"Override one of: {', '.join(known) or 'none'}; new units belong in ship.toml.",
                        where=target.where(path, at_key=True),
                    )
                )
    problems.extend(
        Contradiction(
            f"The check {name} is in ship.toml already.",
            remedy=f"Change it under [overrides.checks.{name}], or give this one another name.",
            where=target.where(("checks", name), at_key=True),
        )
        for name in spec.checks
        if name in project.spec.all_checks
    )
    return problems
