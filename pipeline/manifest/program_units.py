"""From a project and a Solana target to the units that ``chains.solana`` plans: every reference and address filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chains.errors import Refused
from chains.solana.idl import derive_pda
from chains.solana.units import CallUnit, CheckUnit, ProgramUnit, SolanaUnits, Unless
from chains.solana.workspace import ProgramPaths, agreed_id
from pipeline.manifest.errors import BadAddress, ManifestInvalid, raise_all
from pipeline.manifest.paths import inside
from pipeline.manifest.positions import Path
from pipeline.manifest.program_spec import ProgramCallSpec, ProgramCheckSpec, ProgramSpec
from pipeline.manifest.project import Project
from pipeline.manifest.references import Scope, resolve
from pipeline.manifest.target import Target
from pipeline.manifest.target_rules import full_scope
from pipeline.manifest.validation import Locate

__all__ = ["program_ids", "program_paths", "program_problems_of", "solana_units"]

_SOME_KEY = "11111111111111111111111111111111"


def program_paths(project: Project, name: str, unit: ProgramSpec) -> ProgramPaths:
    """Where a program's files lie; none of them outside the project. Raises ``PathLeavesRoot``."""
    root = project.root / project.solana.root
    where = project.document.where(("programs", name), at_key=True)

    def place(given: str | None, usual: str) -> Any:
        path = root / (given or usual)
        return inside(project.root, path.relative_to(project.root).as_posix(), where)

    return ProgramPaths(
        name=name,
        root=root,
        elf=place(unit.artifact, f"target/deploy/{name}.so"),
        idl=place(unit.idl_file, f"target/idl/{name}.json"),
        keypair=place(unit.keypair, f"target/deploy/{name}-keypair.json"),
        security=place(unit.security, "") if unit.security is not None else None,
        sha256=unit.sha256,
    )


def program_ids(project: Project, target: Target, idls: Mapping[str, Mapping[str, Any] | None]) -> dict[str, str]:
    """Each program's address on ``target``. Raises ``ProgramIdsDiffer``."""
    return {
        name: agreed_id(program_paths(project, name, unit), unit.program_id, target.chain.name, idls.get(name))
        for name, unit in target.units.spec.programs.items()
    }


def solana_units(project: Project, target: Target, ids: Mapping[str, str], *, deployer: str, payer: str) -> SolanaUnits:
    """The units; ``ids`` are the programs' addresses. Raises ``ManifestInvalid`` with every problem."""
    units, problems = _make(project, target, ids, deployer, payer)
    raise_all(problems)
    return units


def program_problems_of(project: Project, target: Target) -> list[ManifestInvalid]:
    """What ``solana_units`` would refuse, whoever signs and wherever the programs lie."""
    ids = dict.fromkeys(target.units.spec.programs, _SOME_KEY)
    return _make(project, target, ids, _SOME_KEY, _SOME_KEY)[1]


def _make(
    project: Project, target: Target, ids: Mapping[str, str], deployer: str, payer: str
) -> tuple[SolanaUnits, list[ManifestInvalid]]:
    spec, layers = target.units.spec, target.units.layers
    named = {f"programs.{name}": address for name, address in ids.items()}
    scope = replace(
        full_scope(target.spec, target.chain, target.units, project.version, target.layers.where),
        addresses={"deployer": deployer, "payer": payer, **named},
    )
    maker, own = _Maker(scope, ids, layers.where), _Maker(scope, ids, target.layers.where)
    units = SolanaUnits(
        tuple(_program(name, unit, ids[name]) for name, unit in spec.programs.items()),
        tuple(maker.call(name, unit) for name, unit in spec.program_calls.items()),
        (
            *(maker.check(name, check) for name, check in spec.program_checks.items()),
            *(own.check(name, check) for name, check in target.units.target_program_checks.items()),
        ),
    )
    return units, [*maker.problems, *own.problems]


def _program(name: str, unit: ProgramSpec, program: str) -> ProgramUnit:
    return ProgramUnit(
        name=name,
        program=program,
        may_extend=unit.extend,
        room_bytes=unit.room,
        staged=unit.warm_rollback,
        idl=unit.idl,
        security=unit.security is not None,
        after=unit.after,
    )


class _Maker:
    """Makes units and collects what is wrong, so that all of it is reported at once."""

    def __init__(self, scope: Scope, ids: Mapping[str, str], locate: Locate) -> None:
        self.scope = scope
        self.ids = ids
        self.locate = locate
        self.problems: list[ManifestInvalid] = []

    def call(self, name: str, unit: ProgramCallSpec) -> CallUnit:
        path: Path = ("calls", name)
        unless = None
        if unit.unless is not None:
            where: Path = (*path, "unless")
            unless = Unless(
                self.address(unit.unless.account, (*where, "account")),
                unit.unless.type,
                unit.unless.field,
                self.value(unit.unless.equals, (*where, "equals")),
            )
        return CallUnit(
            name=name,
            program=unit.program,
            instruction=unit.instruction,
            args={key: self.value(value, (*path, "args", key)) for key, value in unit.args.items()},
            accounts={key: self.address(text, (*path, "accounts", key)) for key, text in unit.accounts.items()},
            unless=unless,
            after=unit.after,
        )

    def check(self, name: str, check: ProgramCheckSpec) -> CheckUnit:
        path: Path = ("checks", name)
        return CheckUnit(
            name=name,
            program=check.program,
            account=self.address(check.account, (*path, "account")),
            type=check.type,
            field=check.field,
            equals=self.value(check.equals, (*path, "equals")),
        )

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            return {key: self.value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, tuple):
            return [self.value(item, (*path, position)) for position, item in enumerate(value)]
        try:
            return resolve(value, self.scope, path, self.locate)
        except ManifestInvalid as problem:
            self.problems.append(problem)
            return ""

    def address(self, text: str, path: Path) -> str:
        """In base58, or ``pda:PROGRAM/seed,seed`` with a program's name or address."""
        found = str(self.value(text, path))
        try:
            if found.startswith("pda:"):
                head, slash, rest = found.removeprefix("pda:").partition("/")
                return derive_pda(f"pda:{self.ids.get(head, head)}{slash}{rest}")
            from solders.pubkey import Pubkey

            return str(Pubkey.from_string(found))
        except (Refused, ValueError) as error:
            if found or not self.problems:
                self.problems.append(
                    BadAddress(
                        f"This is not an address on Solana: {error}.",
                        remedy='Write it in base58, or as "pda:PROGRAM/seed,seed".',
                        where=self.locate(path),
                    )
                )
            return _SOME_KEY
