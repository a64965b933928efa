"""Contracts that contracts created: no transaction of ours made them, but what a transaction of ours did, did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chains.base import Row
from chains.errors import ShipError
from chains.evm.actions import Action
from chains.evm.dry_run import creation_of
from chains.evm.lifecycle import not_taken_back
from chains.evm.node import data_or_nothing, quantity
from chains.evm.verify.bytecode import library_addresses
from chains.evm.verify.creation import Creation as Seen
from chains.evm.verify.creation import Creations
from chains.rpc import Rpc
from pipeline.adopting.evidence import Made
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.proving import Bundles, Creation
from pipeline.session import Session

__all__ = ["children", "made_of"]

_Sent = tuple[Plan, Action, str]


def children(session: Session, live: Sequence[Creation], bundles: Bundles) -> list[Creation]:
    """Every contract that a trace shows inside a transaction of ours, is still there, and is of the bundle.

    What nodes without traces do not show is missing here: a script's dry run alone is not proof of who created what.
    """
    rpc = session.chain.rpc
    known = {creation.address.lower() for creation in live}
    seen, found = Creations(rpc, ()), []
    for plan, action, hash_ in _worth_tracing(rpc, list(_sent(session))):
        inner = [c for c in seen.traced(hash_) if c.address.lower() not in known]
        if not inner:
            continue
        try:
            bundle = bundles(plan.bundle)
        except ShipError:
            continue  # said of the unit's own contracts already
        for one in inner:
            known.add(one.address.lower())
            if creation := _child(plan, action, one, bundle):
                found.append(creation)
    codes = rpc.read_all([("eth_getCode", [c.address, "latest"]) for c in found]) if found else []
    there = [c for c, code in zip(found, codes, strict=True) if data_or_nothing(code)]
    return list(_told_apart(there))


def made_of(seen: Seen, bundle: Bundle, source: str) -> Made:
    """A creation that was seen, as evidence of an instance of ``source``."""
    artifact = bundle.artifact(source)
    libraries = {name: "0x" + at.hex() for name, at in library_addresses(artifact, seen.init_code).items()}
    return Made(source, seen.creator, seen.init_code[len(artifact.creation_code) :], seen.value_wei, libraries)


def _sent(session: Session) -> Iterator[_Sent]:
    """Every transaction that stands, with the action it carried out."""
    for row in not_taken_back(session.rows):
        for action in _actions(row):
            plan = session.plan(row.data["plan"])
            wanted = next((a for a in plan.body.actions if a.id == action), None)
            if wanted is not None:
                yield plan, wanted, row.data["hash"]


def _actions(row: Row) -> list[str]:
    if row.kind == "tx.final":
        return [row.data["action"]]
    return list(row.data["actions"]) if row.kind == "proposal.executed" else []


def _worth_tracing(rpc: Rpc, sent: list[_Sent]) -> list[_Sent]:
    """Calls, and creations of what has created something itself: its nonce is past the first (EIP-161)."""
    made = [action.address for _, action, _ in sent if action.address]
    answers = rpc.read_all([("eth_getTransactionCount", [address, "latest"]) for address in made]) if made else []
    nonces = dict(zip(made, answers, strict=True))

    def wanted(action: Action) -> bool:
        if action.address is None or action.creates:
            return True
        nonce = nonces[action.address]
        return isinstance(nonce, str) and quantity(nonce) > 1

    return [one for one in sent if wanted(one[1])]


def _child(plan: Plan, action: Action, seen: Seen, bundle: Bundle) -> Creation | None:
    artifact = creation_of(seen.init_code, [bundle.artifact(source) for source in bundle.sources], None)
    if artifact is None:
        return None  # a proxy's stub, a clone: code that is in no source
    made = made_of(seen, bundle, artifact.source)
    return Creation(
        action.unit, artifact.name, seen.address, plan, None, None, artifact.source, None, made, seen.transaction
    )


def _told_apart(found: Sequence[Creation]) -> Iterator[Creation]:
    """A factory's second child of one kind has a number in its name."""
    counts: dict[str, int] = {}
    for creation in found:
        number = counts[creation.name] = counts.get(creation.name, 0) + 1
        yield creation if number == 1 else replace(creation, part=f"{creation.part}.{number}")
