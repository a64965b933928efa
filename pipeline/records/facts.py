"""What a record claims of the chain, each claim as a question to an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from chains.evm.actions import Action
from chains.evm.live import LiveUnit
from chains.evm.proxies import expected_slots
from pipeline.plan import Plan
from pipeline.records.findings import Finding
from pipeline.records.witness import Unanswered, Witness, keccak_hex

__all__ = ["Fact", "Reading", "ask_all", "facts_of"]


@dataclass(frozen=True)
class Reading:
    """An endpoint's word: it confirms (``True``), contradicts (``False``), or does not know (``None``)."""

    confirms: bool | None
    detail: str


@dataclass(frozen=True)
class Fact:
    """One claim. ``ask`` raises ``Unanswered``."""

    what: str
    ask: Callable[[Witness], Reading]


def ask_all(fact: Fact, witnesses: Sequence[Witness]) -> Finding:
    """Every endpoint is asked: one contradiction is enough to fail, one confirmation to hold."""
    readings: list[tuple[Witness, Reading]] = []
    silent: list[str] = []
    for witness in witnesses:
        try:
            readings.append((witness, fact.ask(witness)))
        except Unanswered as error:
            silent.append(str(error))
    for witness, reading in readings:
        if reading.confirms is False:
            return Finding("chain", fact.what, "failed", f"{witness.label}: {reading.detail}")
    confirmed = next((reading for _, reading in readings if reading.confirms), None)
    if confirmed is not None:
        return Finding("chain", fact.what, "ok", confirmed.detail)
    if readings:
        return Finding("chain", fact.what, "failed", readings[0][1].detail)
    return Finding("chain", fact.what, "unanswered", "; ".join(silent) or "no endpoint")


def facts_of(record: Mapping[str, Any], plans: Mapping[str, Plan], *, newest: bool) -> Iterator[Fact]:
    """The claims of ``record``. What a later release may have changed is asked only of the ``newest``."""
    yield from _identity(record["chain"])
    for transaction in record["transactions"]:
        plan = plans.get(transaction["plan"])
        yield _transaction(transaction, plan)
    for transaction in record["transactions"]:
        if transaction["address"] and transaction["code_keccak256"]:
            yield _code(transaction)
    if newest:
        for name, unit in record["units"].items():
            yield from _slots(name, unit)
        own = plans.get(record["plan"])
        for check in own.body.checks if own else ():
            yield Fact(f"check {check.name}", _check(check.to, check.data, check.expected, check.call))


def _identity(chain: Mapping[str, Any]) -> Iterator[Fact]:
    def chain_id(witness: Witness) -> Reading:
        found = witness.chain_id()
        return Reading(found == chain["id"], str(found))

    def genesis(witness: Witness) -> Reading:
        found = witness.block_hash(0)
        if found is None:
            return Reading(None, "block 0 is not known")
        return Reading(found.lower() == chain["genesis_hash"].lower(), found)

    yield Fact("chain id", chain_id)
    yield Fact("genesis", genesis)


def _transaction(claimed: Mapping[str, Any], plan: Plan | None) -> Fact:
    action = next((a for a in plan.body.actions if a.id == claimed["action"]), None) if plan else None
    signer = plan.body.deployer if plan else None

    def ask(witness: Witness) -> Reading:
        receipt, sent = witness.receipt(claimed["hash"]), witness.transaction(claimed["hash"])
        if receipt is None or sent is None:
            return Reading(None, f"no endpoint knows {claimed['hash']}")
        problems = [*_receipt_problems(claimed, receipt, signer), *_input_problems(claimed, sent, action)]
        if witness.block_hash(int(receipt["blockNumber"])) != _hex(receipt["blockHash"]):
            problems.append("its block is not the canonical one")
        if problems:
            return Reading(False, f"{claimed['hash']}: {'; '.join(problems)}")
        return Reading(True, f"{claimed['hash']} in block {claimed['block_number']}")

    return Fact(f"transaction {claimed['action']}", ask)


def _receipt_problems(claimed: Mapping[str, Any], receipt: Mapping[str, Any], signer: str | None) -> Iterator[str]:
    if receipt["status"] != 1:
        yield "it failed"
    if _hex(receipt["blockHash"]) != claimed["block_hash"]:
        yield f"it is in block {_hex(receipt['blockHash'])}, recorded was {claimed['block_hash']}"
    if int(receipt["blockNumber"]) != claimed["block_number"]:
        yield f"it is in block {receipt['blockNumber']}, recorded was {claimed['block_number']}"
    if int(receipt["gasUsed"]) != claimed["gas_used"]:
        yield f"it used {receipt['gasUsed']} gas, recorded was {claimed['gas_used']}"
    if signer is not None and str(receipt["from"]).lower() != signer.lower():
        yield f"it is from {receipt['from']}, not from {signer}"
    created = receipt.get("contractAddress")
    if created and str(created).lower() != str(claimed["address"]).lower():
        yield f"it created {created}, recorded was {claimed['address']}"


def _input_problems(claimed: Mapping[str, Any], sent: Mapping[str, Any], action: Action | None) -> Iterator[str]:
    if int(sent["nonce"]) != claimed["nonce"]:
        yield f"its nonce is {sent['nonce']}, recorded was {claimed['nonce']}"
    if action is None:
        return
    if bytes(sent["input"]) != action.data:
        yield "its input is not the plan's"
    if str(sent.get("to") or "").lower() != (action.to or "").lower():
        yield f"it went to {sent.get('to')}, not to {action.to}"
    if int(sent["value"]) != action.value_wei:
        yield f"it carried {sent['value']} wei, not {action.value_wei}"


def _hex(value: Any) -> str:
    return value if isinstance(value, str) else "0x" + bytes(value).hex()


def _code(claimed: Mapping[str, Any]) -> Fact:
    address, expected = claimed["address"], claimed["code_keccak256"]

    def ask(witness: Witness) -> Reading:
        code = witness.code(address)
        if not code:
            return Reading(False, f"there is no code at {address}")
        found = keccak_hex(code)
        if found != expected:
            return Reading(False, f"the code at {address} has keccak256 {found}, recorded was {expected}")
        return Reading(True, f"{len(code)} bytes at {address}")

    return Fact(f"code {claimed['action']}", ask)


def _slots(name: str, unit: Mapping[str, Any]) -> Iterator[Fact]:
    known = {field.name for field in fields(LiveUnit)} - {"name", "created"}
    live = LiveUnit(name, **{key: value for key, value in unit.items() if key in known})
    for part, slot, expected in expected_slots(live):
        yield Fact(f"slot {name}.{part}", _slot(str(live.address), slot, expected))


def _slot(address: str, slot: str, expected: str) -> Callable[[Witness], Reading]:
    def ask(witness: Witness) -> Reading:
        found = "0x" + witness.slot(address, slot)[-20:].hex()
        if found.lower() != expected.lower():
            return Reading(False, f"{address} has {found}, recorded was {expected}")
        return Reading(True, expected)

    return ask


def _check(to: str, data: bytes, expected: bytes, call: str) -> Callable[[Witness], Reading]:
    def ask(witness: Witness) -> Reading:
        found = witness.call(to, data)
        if found != expected:
            shown = "reverts" if found is None else f"gives 0x{found.hex()}"
            return Reading(False, f"{call} of {to} {shown}, expected 0x{expected.hex()}")
        return Reading(True, f"{call} of {to}")

    return ask
