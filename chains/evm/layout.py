"""Whether new code can go on with the storage of old code: solc's storage layouts compared, place by place. Pure.

Two contracts share storage only if every variable of the old one is found by the new one at the same slot and offset,
with a type that reads the same bytes the same way. New variables may go behind all old ones, into gaps (``__gap``), and
into bytes nothing used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.evm.artifacts import Artifact
from chains.evm.storage_types import Types, type_problem

__all__ = ["Finding", "StorageFacts", "Variable", "compare_layouts", "compare_storage"]

Kind = Literal["inserted", "removed", "retyped", "renamed", "moved", "gap", "inheritance", "namespace"]


@dataclass(frozen=True)
class Finding:
    """One reason why the layouts do not fit. ``where`` is ``Contract.variable`` or a namespace."""

    kind: Kind
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass(frozen=True)
class Variable:
    """A state variable; ``start`` and ``size`` in bytes from slot 0.

    ``home`` is the contract that declares it, empty for the compared contract itself, which may have another name now.
    """

    label: str
    contract: str
    home: str
    start: int
    size: int
    type: str

    @property
    def stop(self) -> int:
        return self.start + self.size

    @property
    def place(self) -> str:
        slot, offset = divmod(self.start, 32)
        return f"slot {slot}" + (f", byte {offset}" if offset else "")

    @property
    def name(self) -> str:
        return f"{self.contract}.{self.label}" if self.contract else self.label

    @property
    def gap(self) -> bool:
        return re.fullmatch(r"__gap(_.*)?|__.*[gG]ap", self.label) is not None


@dataclass(frozen=True)
class StorageFacts:
    """Everything known of a contract's storage. ``namespaces`` is ``None`` where the build did not look for them.

    ``contract`` is its name, ``owners`` say which contract declares each variable. ``layout`` is solc's; ``named`` maps labels of enums to their members, of value types to what they stand for.
    """

    contract: str
    layout: Mapping[str, Any]
    namespaces: Mapping[str, Any] | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    owners: Sequence[str] = ()

    @classmethod
    def of(cls, artifact: Artifact) -> StorageFacts | None:
        """``None`` where the compiler knows no storage layouts (before 0.5.13)."""
        if artifact.storage_layout is None:
            return None
        return cls(
            artifact.name,
            artifact.storage_layout,
            artifact.namespaces,
            artifact.named_types or {},
            artifact.storage_owners or (),
        )


def compare_storage(old: StorageFacts, new: StorageFacts) -> tuple[Finding, ...]:
    """Every reason why ``new`` must not run on the storage of ``old``; empty when it may."""
    types = Types(old.layout, old.named, old.owners), Types(new.layout, new.named, new.owners)
    findings = list(compare_layouts(*types, old.contract, new.contract))
    for name, before in (old.namespaces or {}).items():
        after = (new.namespaces or {}).get(name)
        if after is None:
            findings.append(
                Finding(
                    "namespace", name, f"the namespace is gone: what {before['struct']} held can no longer be reached"
                )
            )
            continue
        inside = compare_layouts(Types(before, {}), Types(after, {}))
        findings += [Finding(f.kind, f"{name} {f.where}", f.text) for f in inside]
    return tuple(findings)


def _variables(types: Types, name: str) -> list[Variable]:
    owners = types.owners or [name] * len(types.storage)
    found = [
        Variable(
            item["label"],
            owner,
            "" if owner == name else owner,
            int(item["slot"]) * 32 + int(item["offset"]),
            types.size(item["type"]),
            item["type"],
        )
        for item, owner in zip(types.storage, owners, strict=True)
    ]
    return sorted(found, key=lambda v: v.start)


def compare_layouts(old_types: Types, new_types: Types, old_name: str = "", new_name: str = "") -> Iterator[Finding]:
    """Compare two lists of variables; the names are those of the compared contracts, empty for structs."""
    old, new = _variables(old_types, old_name), _variables(new_types, new_name)
    yield from _inheritance(old, new)
    explained: set[Variable] = set()
    for before in old:
        if before.gap:
            continue
        yield from _one(before, old, new, old_types, new_types, explained)
    for after in new:
        if after in explained or after.gap or _known(after, old):
            continue
        covers = [v for v in old if not v.gap and v.start < after.stop and after.start < v.stop]
        if covers:
            names = ", ".join(v.name for v in covers)
            yield Finding("inserted", after.name, f"the new variable takes {after.place}, which holds {names}")
        elif any(v.start >= after.stop and not v.gap and _displaced(v, new) for v in old):
            yield Finding(
                "inserted", after.name, f"the new variable stands at {after.place}, before variables that it moves"
            )
    yield from _gaps(old, new)


def _one(
    before: Variable, old: Sequence[Variable], new: Sequence[Variable], old_types: Types, new_types: Types,
    explained: set[Variable],
) -> Iterator[Finding]:  # fmt: skip
    """What became of one old variable."""
    here = next((v for v in new if v.start == before.start and not v.gap), None)
    same = _find(before, new)
    if here is not None and (here.label == before.label or same is None):
        if here.label != before.label and _known(here, old):
            # What stands here now is an old variable from elsewhere.
            yield Finding("removed", before.name, f"the variable at {before.place} is gone")
            return
        problem = type_problem(old_types, before.type, new_types, here.type)
        if problem:
            explained.add(here)
            new_name = "" if here.label == before.label else f", now called {here.label}"
            yield Finding("retyped", before.name, f"at {before.place}{new_name}: {problem}")
        elif here.label != before.label:
            explained.add(here)
            yield Finding(
                "renamed",
                before.name,
                f"at {before.place} is called {here.label} now: the new code reads the old value by it",
            )
        return
    if same is not None:
        yield Finding("moved", before.name, f"was at {before.place}, is at {same.place}")
        return
    yield Finding("removed", before.name, f"the variable at {before.place} is gone")


def _find(variable: Variable, others: Sequence[Variable]) -> Variable | None:
    """The same variable by name; where several contracts have one of the name, the one of the same contract."""
    named = [v for v in others if v.label == variable.label]
    return next((v for v in named if v.home == variable.home), named[0] if len(named) == 1 else None)


def _known(variable: Variable, others: Sequence[Variable]) -> bool:
    return _find(variable, others) is not None


def _displaced(variable: Variable, new: Sequence[Variable]) -> bool:
    same = _find(variable, new)
    return same is not None and same.start != variable.start


def _inheritance(old: Sequence[Variable], new: Sequence[Variable]) -> Iterator[Finding]:
    """Base contracts in another order put every variable elsewhere: worth one line before all the others."""

    def order(variables: Sequence[Variable]) -> list[str]:
        return list(dict.fromkeys(v.home for v in variables if v.home))

    before, after = order(old), order(new)
    kept, now = [c for c in before if c in after], [c for c in after if c in before]
    if kept != now:
        yield Finding(
            "inheritance",
            old[-1].contract,
            f"its bases stand in another order: {', '.join(kept)} before, {', '.join(now)} now",
        )


def _gaps(old: Sequence[Variable], new: Sequence[Variable]) -> Iterator[Finding]:
    """A gap that shrinks must end where it ended, or what a later version puts behind it lands elsewhere."""
    for before in (v for v in old if v.gap):
        after = next((v for v in new if v.gap and (v.label, v.home) == (before.label, before.home)), None)
        if after is None or after.stop == before.stop:
            continue
        used = (after.start - before.start) // 32
        yield Finding(
            "gap",
            before.name,
            f"ended at slot {before.stop // 32}, ends at slot {after.stop // 32}: {used} slot{'' if used == 1 else 's'} of it "
            f"{'is' if used == 1 else 'are'} used, so its length must be {(before.stop - after.start) // 32}",
        )
