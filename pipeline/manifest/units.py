"""From a project and a target to the units the EVM planner reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chains.evm.hashing import keccak256
from chains.evm.units import (
    DEPLOYER,
    Call,
    CallUnit,
    Check,
    ContractUnit,
    EvmUnits,
    Redirect,
    ScriptUnit,
    Unless,
    Value,
)
from pipeline.manifest.errors import ManifestInvalid, NotOfThisChain, raise_all
from pipeline.manifest.positions import Path
from pipeline.manifest.project import Project
from pipeline.manifest.references import Scope, as_read, resolve
from pipeline.manifest.spec import CallSpec, CheckSpec, ContractSpec, FunctionSpec, RedirectSpec, UnlessSpec
from pipeline.manifest.target import Target
from pipeline.manifest.target_rules import full_scope
from pipeline.manifest.validation import Locate

__all__ = ["evm_redirects", "evm_units", "unit_problems", "wrong_family"]


def evm_units(project: Project, target: Target) -> EvmUnits:
    """The EVM units of ``project`` on ``target``: parameters filled in, references to contracts left open.

    Raises ``ManifestInvalid`` with every problem.
    """
    raise_all(wrong_family(target))
    units, problems = _make(project, target)
    raise_all(problems)
    return units


def evm_redirects(project: Project, target: Target) -> tuple[Redirect, ...]:
    """``[rollback.redirect]`` on ``target``, in its order. Raises ``ManifestInvalid``."""
    maker = _Maker(
        full_scope(target.spec, target.chain, target.units, project.version, target.layers.where),
        target.units.layers.where,
    )
    made = tuple(maker.redirect(name, unit) for name, unit in target.units.spec.rollback.redirect.items())
    raise_all(maker.problems)
    return made


def unit_problems(project: Project, target: Target) -> list[ManifestInvalid]:
    """What making the target's units would refuse."""
    if target.chain.kind == "evm":
        return _make(project, target)[1]
    from pipeline.manifest.program_units import program_problems_of  # start-up: most targets are EVM chains

    return program_problems_of(project, target)


def _make(project: Project, target: Target) -> tuple[EvmUnits, list[ManifestInvalid]]:
    spec, layers = target.units.spec, target.units.layers
    scope = full_scope(target.spec, target.chain, target.units, project.version, target.layers.where)
    maker, own = _Maker(scope, layers.where), _Maker(scope, target.layers.where)
    units = EvmUnits(
        tuple(maker.contract(name, unit) for name, unit in spec.contracts.items()),
        tuple(maker.call_unit(name, unit) for name, unit in spec.calls.items()),
        (
            *(maker.check(name, check) for name, check in spec.checks.items()),
            *(own.check(name, check) for name, check in target.units.target_checks.items()),
        ),
        tuple(ScriptUnit(name, unit.source, unit.after, unit.rerun) for name, unit in spec.scripts.items()),
        maker.value(spec.handover.to, ("handover", "to")) if spec.handover else None,
    )
    return units, [*maker.problems, *own.problems]


def wrong_family(target: Target) -> list[ManifestInvalid]:
    """A target whose chain has no contracts."""
    if target.chain.kind == "evm":
        return []
    return [
        NotOfThisChain(
            f"{target.chain.title} is no EVM chain: this command is about contracts.",
            remedy="Choose an EVM target.",
            where=target.layers.where(("chain",)),
        )
    ]


class _Maker:
    """Makes units and collects what is wrong, so that all of it is reported at once."""

    def __init__(self, scope: Scope, locate: Locate) -> None:
        self.scope = scope
        self.locate = locate
        self.problems: list[ManifestInvalid] = []

    def contract(self, name: str, unit: ContractSpec) -> ContractUnit:
        path: Path = ("contracts", name)
        owner = unit.proxy_owner
        return ContractUnit(
            name=name,
            source=unit.source,
            args=self.values(unit.args, (*path, "args")),
            value_wei=unit.value,
            proxy=unit.proxy,
            initialize=self.call(unit.initialize, (*path, "initialize")) if unit.initialize else None,
            upgrade=self.call(unit.upgrade, (*path, "upgrade")) if unit.upgrade else None,
            proxy_owner=DEPLOYER if owner is None else self.value(owner, (*path, "proxy-owner")),
            create2_salt=_salt(unit.create2),
            create3_salt=_salt(unit.create3),
            # A salt in hex is taken as it is; one in words is always the signer's own.
            sender_guard=unit.sender_guard or (unit.create3 is not None and not unit.create3.startswith("0x")),
            libraries={k: self.value(v, (*path, "libraries", k)) for k, v in unit.libraries.items()},
            after=unit.after,
            authority=None if unit.authority is None else self.value(unit.authority, (*path, "authority")),
            replace=unit.replace,
            unsafe_allow={str(key): reason for key, reason in unit.unsafe_allow.items()},
        )

    def call_unit(self, name: str, unit: CallSpec) -> CallUnit:
        path: Path = ("calls", name)
        return CallUnit(
            name=name,
            to=self.value(unit.to, (*path, "to")),
            call=self.call(unit, path),
            unless=self.unless(unit.unless, (*path, "unless")) if unit.unless else None,
            after=unit.after,
            authority=None if unit.authority is None else self.value(unit.authority, (*path, "authority")),
        )

    def redirect(self, name: str, unit: RedirectSpec) -> Redirect:
        path: Path = ("rollback", "redirect", name)
        return Redirect(
            name=name,
            to=self.value(unit.to, (*path, "to")),
            call=self.call(unit, path),
            unless=self.unless(unit.unless, (*path, "unless")) if unit.unless else None,
            authority=None if unit.authority is None else self.value(unit.authority, (*path, "authority")),
            restores=unit.restores,
        )

    def call(self, function: FunctionSpec | CallSpec | RedirectSpec, path: Path) -> Call:
        return Call(function.call, self.values(function.args, (*path, "args")), function.value)

    def unless(self, unless: UnlessSpec, path: Path) -> Unless:
        return Unless(
            unless.call, self.values(unless.args, (*path, "args")), self.value(unless.equals, (*path, "equals"))
        )

    def check(self, name: str, check: CheckSpec) -> Check:
        path: Path = ("checks", name)
        return Check(
            name=name,
            on=self.value(check.on, (*path, "on")),
            signature=check.call,
            args=self.values(check.args, (*path, "args")),
            equals=self.value(check.equals, (*path, "equals")),
        )

    def values(self, values: tuple[Any, ...], path: Path) -> tuple[Value, ...]:
        return tuple(self.value(value, (*path, position)) for position, value in enumerate(values))

    def value(self, value: Any, path: Path) -> Value:
        if isinstance(value, Mapping):
            table = {key: self.value(item, (*path, key)) for key, item in value.items()}
            return self.guarded(lambda: as_read(table, lambda: self.locate(path)))
        return self.guarded(lambda: resolve(value, self.scope, path, self.locate))

    def guarded(self, make: Callable[[], Value]) -> Value:
        try:
            return make()
        except ManifestInvalid as problem:
            self.problems.append(problem)
            return ""


def _salt(text: str | None) -> bytes | None:
    """A 32-byte salt: 0x and 64 hex digits as they are, any other text hashed."""
    if text is None:
        return None
    return bytes.fromhex(text[2:]) if text.startswith("0x") else keccak256(text.encode())
