"""A published record held against the chain, and the bundle's bytes against what runs there.

Everything is derived from record, bundle and chain: the plan and the journal are the project's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chains.base import Clock
from chains.errors import ShipError
from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY
from chains.evm.artifacts import Artifact, link, mask
from chains.evm.createx import CREATEX
from chains.evm.node import data_or_nothing
from chains.evm.verify.bytecode import masks, proof_of, rerun
from chains.rpc import Endpoint, Request, Rpc
from pipeline.bundle import Bundle
from pipeline.records.findings import Finding

__all__ = ["chain_findings"]

_PATIENCE_S = 10.0
_MOVED = "; not as recorded: a later release changed it, or somebody else did"


def chain_findings(
    record: Mapping[str, Any],
    bundle: Bundle | None,
    urls: Sequence[str],
    clock: Clock,
    *,
    still: bool,
    timeout_s: float = 10.0,
) -> Iterator[Finding]:
    """Identity, transactions, code by its recorded hash, then the bundle's bytes. Never raises for what a chain answers.

    ``still``: the release has to be what is live. Without it what a later release may have changed, the contract behind a proxy
    or a program's bytes, is said and not held against it.
    """
    family = record.get("family", "evm")
    try:
        if family == "evm":
            findings = _evm(record, bundle, urls, clock, timeout_s)
        elif family == "solana":
            findings = _solana(record, bundle, urls, timeout_s)
        else:
            yield Finding("chain", "family", "missing", f"this version of ship cannot read records of {family!s:.20}")
            return
        for finding in findings:
            moved = finding.state == "failed" and finding.what.startswith(("slot ", "program "))
            yield replace(finding, state="note", detail=f"{finding.detail}{_MOVED}") if moved and not still else finding
    except ShipError as error:
        yield Finding("chain", "endpoint", "unanswered", f"{error.code}: {error.cause}")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        yield Finding("chain", "record", "failed", f"it lacks what would have to be asked: {error}")


def _evm(
    record: Mapping[str, Any], bundle: Bundle | None, urls: Sequence[str], clock: Clock, timeout_s: float
) -> Iterator[Finding]:
    from pipeline.records.facts import ask_all, facts_of
    from pipeline.records.witness import Witness

    witnesses = [Witness(url, Endpoint(url).label, timeout_s) for url in urls]
    facts = list(facts_of(record, {}, newest=True))
    identity = [ask_all(fact, witnesses) for fact in facts[:2]]
    yield from identity
    if any(finding.state != "ok" for finding in identity):
        return  # another chain, or none: nothing it says would mean anything
    for fact in facts[2:]:
        yield ask_all(fact, witnesses)
    if bundle is not None:
        rpc = Rpc([Endpoint(url, timeout_s=timeout_s) for url in urls], patience_s=_PATIENCE_S, clock=clock)
        for proof in record["proofs"]:
            yield _proven(record, bundle, rpc, proof)


def _proven(record: Mapping[str, Any], bundle: Bundle, rpc: Rpc, proof: Mapping[str, Any]) -> Finding:
    what, address = f"bytes {proof['action']}", str(proof["address"])
    try:
        artifact = bundle.artifact(proof["source"])
    except ShipError:
        return Finding("chain", what, "note", f"{proof['source']} is not in this release's bundle")
    hash_ = next((t["hash"] for t in record["transactions"] if str(t["address"]).lower() == address.lower()), None)
    asked: list[Request] = [("eth_getCode", [address, "latest"])]
    asked += [("eth_getTransactionByHash", [hash_])] if hash_ else []
    answers = rpc.read_all(asked)
    sent = answers[1] if hash_ else None
    action = _action(proof, sent) if isinstance(sent, dict) else None
    if action is None or not isinstance(sent, dict):
        return _runtime_alone(record, artifact, proof, data_or_nothing(answers[0]))
    again: Any = None
    if action.to != CREATEX:  # whom its constructor sees is known to the plan alone
        creator = CREATE2_FACTORY if action.kind == "create2" else str(sent["from"])
        (again,) = rpc.read_all([("eth_call", rerun(action, creator))])
    found = proof_of(artifact, action, [answers[0], again, sent], transaction_hash=hash_)
    readings = f"runtime {found.runtime}, creation {found.creation}, re-execution {found.reexecution}"
    detail = f"{address}: {'; '.join(found.problems) or readings}"
    return Finding("chain", what, "failed" if found.problems else "ok", detail)


def _action(proof: Mapping[str, Any], sent: Mapping[str, Any]) -> Action | None:
    """The creating transaction as the plan had it; ``None`` where a contract created it on the way."""
    to, data = sent.get("to"), data_or_nothing(sent.get("input"))
    kind, place = ("create", None) if to is None else ("create2", _FACTORIES.get(str(to).lower()))
    if to is not None and place is None:
        return None
    return Action(
        id=str(proof["action"]), unit=str(proof["unit"]), kind=kind, title="", nonce=0,  # type: ignore[arg-type]
        to=place, value_wei=int(str(sent.get("value") or "0x0"), 16), data=data, address=str(proof["address"]),
        source=str(proof["source"]),
    )  # fmt: skip


_FACTORIES = {CREATE2_FACTORY.lower(): CREATE2_FACTORY, CREATEX.lower(): CREATEX}


def _runtime_alone(record: Mapping[str, Any], artifact: Artifact, proof: Mapping[str, Any], code: bytes) -> Finding:
    """Where no transaction carries the init code. Libraries are the ones the code holds; they have to be the record's own."""
    what, address = f"bytes {proof['action']}", proof["address"]
    linked = {name: code[places[0].start : places[0].stop] for name, places in artifact.runtime_links.items() if places}
    known = {str(p["address"]).lower() for p in record["proofs"]}
    strange = [name for name, found in linked.items() if "0x" + found.hex() not in known]
    expected = mask(link(artifact.runtime_code, artifact.runtime_links, linked), masks(artifact)) if code else b""
    if not code or len(code) != len(expected) or mask(code, masks(artifact)) != expected:
        return Finding("chain", what, "failed", f"{address}: its runtime code is not the bundle's")
    if strange:
        return Finding("chain", what, "failed", f"{address}: it links {', '.join(strange)} at addresses of no record")
    return Finding("chain", what, "ok", f"{address}: runtime match; no transaction of the record carries its init code")


def _solana(
    record: Mapping[str, Any], bundle: Bundle | None, urls: Sequence[str], timeout_s: float
) -> Iterator[Finding]:
    from hashlib import sha256

    from pipeline.records.program_facts import program_chain_findings

    named = [(url, Endpoint(url).label) for url in urls]
    yield from program_chain_findings(record, named, timeout_s, newest=True)
    for name, unit in record["units"].items():
        if unit.get("kind") == "program" and bundle is not None:
            elf = bundle.program(name, "so")
            same = elf is not None and sha256(elf.rstrip(b"\0")).hexdigest() == unit["sha256"]
            said = "is the record's program" if same else "is not the program of the record"
            yield Finding("files", f"bytes {name}", "ok" if same else "failed", f"the bundle's {name}.so {said}")
