"""A Foundry script as a unit: the transactions of its dry run, as actions of the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from chains.canonical import sha256_hex
from chains.evm.abi import constructor_types, decode, jsonable
from chains.evm.actions import Action, PlannedUnit
from chains.evm.address import CREATE2_FACTORY
from chains.evm.artifacts import Artifact
from chains.evm.dry_run import Created, ScriptRefused, ScriptTransaction
from chains.evm.live import LiveUnit
from chains.evm.units import ScriptUnit

if TYPE_CHECKING:
    from chains.evm.planning import Layout

__all__ = ["Scripts", "lay_out_script"]


class Scripts(Protocol):
    """Runs scripts for the planner."""

    def run(
        self, unit: ScriptUnit, actions: Sequence[Action], addresses: Mapping[str, str]
    ) -> tuple[ScriptTransaction, ...]:
        """The dry run of ``unit`` after ``actions``; ``addresses`` are those of the units before it."""
        ...

    def artifact_of(self, created: Created) -> Artifact | None:
        """The artifact of the bundle that made a contract."""
        ...


def lay_out_script(layout: Layout, unit: ScriptUnit, scripts: Scripts | None) -> None:
    """Plan the script's transactions, unless it ran before. Without ``scripts`` it is only said to be due.

    Raises ``ScriptRefused``.
    """
    digest = sha256_hex(layout.sources(unit.source).creation_code)
    before = layout.live.get(unit.name)
    if before is not None and before.done is not None and (before.done == digest or not unit.rerun):
        changed = "" if before.done == digest else "; it has changed since (`rerun = true` runs it again)"
        layout.planned.append(PlannedUnit(unit.name, "skip", f"ran before{changed}", before.to_json()))
        return
    if scripts is None:
        layout.planned.append(PlannedUnit(unit.name, "call", "its dry run is part of planning", {}))
        return
    addresses = {name: live.address for name, live in layout.live.items() if live.address}
    transactions = scripts.run(unit, layout.actions, addresses)
    names: dict[str, int] = {}
    for number, transaction in enumerate(transactions, start=1):
        effect = {"done": digest} if number == len(transactions) else {}
        _add(layout, unit, scripts, transaction, effect, names)
    live = layout.live.setdefault(unit.name, LiveUnit(unit.name))
    if transactions:
        reason = f"{len(transactions)} transactions of its dry run"
        layout.planned.append(PlannedUnit(unit.name, "call", reason, live.to_json()))
    else:
        layout.planned.append(PlannedUnit(unit.name, "skip", "its dry run sends nothing", live.to_json()))


def _add(
    layout: Layout, unit: ScriptUnit, scripts: Scripts, transaction: ScriptTransaction, effect: dict[str, Any],
    names: dict[str, int],
) -> None:  # fmt: skip
    if transaction.nonce != layout.nonce:
        raise ScriptRefused(
            f"{unit.name}: the dry run uses nonce {transaction.nonce} where the plan has {layout.nonce}",
            remedy="Leave `vm.setNonce` out of the script, and let nobody else use the signer meanwhile.",
        )
    creates, artifact = transaction.creates, None
    if creates is not None:
        artifact = scripts.artifact_of(creates)
        if artifact is None:
            raise ScriptRefused(
                f"{unit.name} deploys {creates.name or 'a contract'} to {creates.address} with code that is not in the bundle",
                remedy="Deploy contracts with `new` in the script, so that the release build compiles them; code read from "
                "files (`vm.getCode`) is not what was tested.",
            )
        effect = {"created": {sha256_hex(creates.init_code): creates.address}, **effect}
    elif transaction.data and not layout.has_code(str(transaction.to)):
        raise ScriptRefused(
            f"{unit.name} calls {transaction.to}, where there is no code: the call would succeed and do nothing",
            remedy="Correct the address in the script.",
        )
    needs = (transaction.to,) if transaction.to and (transaction.data or creates) else ()
    layout.live[unit.name] = layout.live.get(unit.name, LiveUnit(unit.name)).merge(effect)
    layout.add(
        Action(
            id=_identifier(unit, transaction, artifact, names), unit=unit.name,
            kind="call" if creates is None else "create2" if transaction.to else "create",
            title=f"{unit.name}: {transaction.title}", nonce=0, to=transaction.to, value_wei=transaction.value_wei,
            data=transaction.data, address=creates.address if creates else None,
            source=artifact.source if artifact else None, args=_arguments(artifact, creates), effect=effect,
            needs_code=needs, made_by=CREATE2_FACTORY if creates and transaction.to else None,
            creates=tuple(_recorded(scripts, inner) for inner in transaction.inner),
        )
    )  # fmt: skip
    layout.fresh |= {inner.address.lower() for inner in transaction.inner}
    if artifact and creates:
        layout.abis[creates.address.lower()] = artifact.abi


def _identifier(
    unit: ScriptUnit, transaction: ScriptTransaction, artifact: Artifact | None, names: dict[str, int]
) -> str:
    word = artifact.name if artifact else transaction.title.rpartition(".")[2].replace(" ", "-")
    names[word] = names.get(word, 0) + 1
    return f"{unit.name}.{word}" if names[word] == 1 else f"{unit.name}.{word}.{names[word]}"


def _recorded(scripts: Scripts, inner: Created) -> dict[str, Any]:
    artifact = scripts.artifact_of(inner)
    return {**inner.to_json(), "source": artifact.source if artifact else None}


def _arguments(artifact: Artifact | None, creates: Created | None) -> tuple[Mapping[str, Any], ...]:
    """Constructor arguments for people, out of the tail of the init code."""
    if artifact is None or creates is None:
        return ()
    inputs, _ = constructor_types(artifact.abi)
    try:
        values = decode(inputs, creates.init_code[len(artifact.creation_code) :])
    except ValueError:
        return ()
    return tuple({"name": i.name, "type": i.type, "value": jsonable(v)} for i, v in zip(inputs, values, strict=True))
