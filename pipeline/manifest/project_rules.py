"""What a project must satisfy beyond the shape of its file: names, references, argument counts, key pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.manifest.errors import (
    BadName,
    BadSignature,
    Contradiction,
    ManifestInvalid,
    UnknownUnit,
    did_you_mean,
)
from pipeline.manifest.positions import Path
from pipeline.manifest.program_rules import program_problems
from pipeline.manifest.references import Scope, as_read, resolve
from pipeline.manifest.signatures import parse_signature
from pipeline.manifest.spec import (
    CallSpec,
    CheckSpec,
    ContractSpec,
    FunctionSpec,
    ProjectSpec,
    RedirectSpec,
    UnlessSpec,
)
from pipeline.manifest.validation import Locate

__all__ = ["check_problems", "open_scope", "project_problems"]

KINDS = ("contracts", "calls", "scripts", "programs")


def project_problems(spec: ProjectSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    """Every problem; parameters are left open, their values come with a target."""
    yield from _names(spec, locate)
    scope = open_scope(spec)
    for name, contract in spec.contracts.items():
        yield from _contract(name, contract, spec, scope, locate)
    for name, call in spec.calls.items():
        yield from _call(name, call, spec, scope, locate)
    for kind, others in (("scripts", spec.scripts), ("programs", spec.programs)):
        for name, unit in others.items():
            yield from _after((kind, name), unit.after, spec, locate)
    if spec.handover is not None:
        yield from _unresolved(spec.handover.to, scope, ("handover", "to"), locate)
    yield from check_problems(spec.checks, scope, locate)
    yield from program_problems(spec, locate)
    for name, instruction in spec.program_calls.items():
        yield from _after(("calls", name), instruction.after, spec, locate)
    yield from redirect_problems(spec, scope, locate)


def _named(spec: ProjectSpec, kind: str) -> Iterable[str]:
    names: Iterable[str] = spec.all_calls if kind == "calls" else getattr(spec, kind)
    return names


def open_scope(spec: ProjectSpec) -> Scope:
    """The project's contracts, with parameters and chain left open."""
    return Scope(
        {name: unit.proxy for name, unit in spec.contracts.items()},
        spec.project.name,
        spec.project.version or "",
        programs=frozenset(spec.programs),
    )


def check_problems(checks: Any, scope: Scope, locate: Locate) -> Iterator[ManifestInvalid]:
    """The problems of ``[checks]``, the project's or a target's."""
    for name, check in checks.items():
        path = ("checks", name)
        yield from _unresolved(check.on, scope, (*path, "on"), locate)
        yield from _unresolved(check.equals, scope, (*path, "equals"), locate)
        yield from _function(check, scope, path, locate)


def _names(spec: ProjectSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    """``after`` names units of every kind, so one name is one unit; case alone does not tell two apart."""
    seen: dict[str, str] = {}
    for kind in KINDS:
        for name in _named(spec, kind):
            first = seen.setdefault(name.casefold(), f"[{kind}.{name}]")
            if first != f"[{kind}.{name}]":
                yield BadName(
                    f"[{kind}.{name}] has the name of {first}; names of units differ in more than case.",
                    remedy="Rename one of the two.",
                    where=locate((kind, name), at_key=True),
                )


def _after(path: Path, after: tuple[str, ...], spec: ProjectSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    units = [name for kind in KINDS for name in _named(spec, kind)]
    of_programs = {*spec.programs, *spec.program_calls}
    for position, name in enumerate(after):
        if name not in units:
            yield UnknownUnit(
                f"There is no unit {name}.{did_you_mean(name, units)}",
                remedy=f"Name a unit of this project: {', '.join(units)[:500]}.",
                where=locate((*path, "after", position)),
            )
        elif name == path[-1]:
            yield UnknownUnit(
                f"{name} cannot come after itself.", remedy="Delete it.", where=locate((*path, "after", position))
            )
        elif (name in of_programs) != (path[-1] in of_programs):
            yield UnknownUnit(
                f"{name} is released to other chains than {path[-1]}, so that none comes after the other.",
                remedy="Delete it; [rollout] gives the order of targets.",
                where=locate((*path, "after", position)),
            )


def _contract(
    name: str, unit: ContractSpec, spec: ProjectSpec, scope: Scope, locate: Locate
) -> Iterator[ManifestInvalid]:
    path: Path = ("contracts", name)
    for field, value in (("args", unit.args), ("libraries", unit.libraries)):
        yield from _unresolved(value, scope, (*path, field), locate)
    if unit.proxy_owner is not None:
        yield from _unresolved(unit.proxy_owner, scope, (*path, "proxy-owner"), locate)
    if unit.authority is not None:
        yield from _unresolved(unit.authority, scope, (*path, "authority"), locate)
    for field, function in (("initialize", unit.initialize), ("upgrade", unit.upgrade)):
        if function is not None:
            yield from _function(function, scope, (*path, field), locate)
    yield from _after(path, unit.after, spec, locate)
    yield from _pairs(unit, path, locate)


def _pairs(unit: ContractSpec, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    def refused(key: str, cause: str, remedy: str) -> Contradiction:
        return Contradiction(cause, remedy=remedy, where=locate((*path, key), at_key=True))

    if unit.create2 is not None and unit.create3 is not None:
        yield refused("create3", "create2 and create3 exclude each other.", "Keep one of the two.")
    if unit.sender_guard and unit.create2 is None:
        yield refused(
            "sender-guard",
            "sender-guard belongs to create2: a create3 salt in words is bound to the signer anyway."
            if unit.create3 is not None
            else "sender-guard needs a salt to guard.",
            "Delete it." if unit.create3 is not None else 'Add create2 = "some.name.v1", or delete it.',
        )
    if unit.sender_guard and unit.create2 is not None and unit.create2.startswith("0x"):
        yield refused(
            "sender-guard",
            "A salt in hex is taken as it is: it cannot be bound to the signer too.",
            "Write the salt in words, or delete sender-guard.",
        )
    if unit.proxy == "none":
        for key, value in (
            ("initialize", unit.initialize),
            ("upgrade", unit.upgrade),
            ("authority", unit.authority),
        ):
            if value is not None:
                yield refused(
                    key,
                    f"{key} needs a proxy, and this contract has none.",
                    'Set proxy = "uups", "transparent" or "beacon"; or make the call a unit of its own under [calls].',
                )
    if unit.unsafe_allow and unit.proxy == "none":
        yield refused("unsafe-allow", "unsafe-allow is about upgrades, and this contract has no proxy.", "Delete it.")
    if unit.proxy_owner is not None and unit.proxy not in {"transparent", "beacon"}:
        yield refused(
            "proxy-owner",
            f'proxy-owner means nothing with proxy = "{unit.proxy}": only transparent and beacon proxies have an owner.',
            "Delete it; the owner of a uups proxy is set by the contract's own initializer.",
        )


def _call(name: str, unit: CallSpec, spec: ProjectSpec, scope: Scope, locate: Locate) -> Iterator[ManifestInvalid]:
    path: Path = ("calls", name)
    yield from _called(unit, scope, path, locate)
    yield from _after(path, unit.after, spec, locate)


def _called(unit: CallSpec | RedirectSpec, scope: Scope, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    yield from _unresolved(unit.to, scope, (*path, "to"), locate)
    if unit.authority is not None:
        yield from _unresolved(unit.authority, scope, (*path, "authority"), locate)
    yield from _function(unit, scope, path, locate)
    if unit.unless is not None:
        yield from _function(unit.unless, scope, (*path, "unless"), locate)
        yield from _unresolved(unit.unless.equals, scope, (*path, "unless", "equals"), locate)


def redirect_problems(spec: ProjectSpec, scope: Scope, locate: Locate) -> Iterator[ManifestInvalid]:
    """The problems of ``[rollback.redirect]``."""
    for name, unit in spec.rollback.redirect.items():
        path: Path = ("rollback", "redirect", name)
        yield from _called(unit, scope, path, locate)
        if unit.restores is None:
            continue
        known = spec.contracts.get(unit.restores)
        if known is None or known.proxy != "none":
            plain = [n for n, contract in spec.contracts.items() if contract.proxy == "none"]
            yield UnknownUnit(
                f"{unit.restores} is no contract without a proxy.{did_you_mean(unit.restores, plain)}",
                remedy="Name the contract that was replaced; what stands behind a proxy is moved back by its proxy.",
                where=locate((*path, "restores")),
            )


def _function(
    function: FunctionSpec | UnlessSpec | CallSpec | CheckSpec | RedirectSpec, scope: Scope, path: Path, locate: Locate
) -> Iterator[ManifestInvalid]:
    wanted, given = parse_signature(function.call).inputs, len(function.args)
    if wanted != given:
        key = (*path, "args") if function.args else (*path, "call")
        yield BadSignature(
            f"{function.call} takes {wanted} argument{'s' * (wanted != 1)}; args holds {given}.",
            remedy="Write one argument for each type.",
            where=locate(key),
        )
    yield from _unresolved(function.args, scope, (*path, "args"), locate)


def _unresolved(value: Any, scope: Scope, path: Path, locate: Locate) -> Iterator[ManifestInvalid]:
    if isinstance(value, tuple | dict):
        items = enumerate(value) if isinstance(value, tuple) else value.items()
        for key, item in items:
            yield from _unresolved(item, scope, (*path, key), locate)
        if not isinstance(value, dict):
            return
    try:
        if isinstance(value, dict):
            as_read(value, lambda: locate(path))
            return
        resolve(value, scope, path, locate)
    except ManifestInvalid as problem:
        yield problem
