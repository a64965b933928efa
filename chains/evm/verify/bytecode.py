"""Our own proof, before any explorer is asked: the chain holds what the bundle says.

Three independent readings, each for what it can show:

* **runtime**: the code on chain equals the bundle's runtime code, libraries linked, immutables masked;
* **creation**: the transaction's input is the plan's payload, and the payload starts with the bundle's creation code;
* **re-execution**: the init code, run again at its own address by ``eth_call`` with state overrides, returns exactly
  the code on chain, immutables included. A constructor that reads what has changed since can differ here without being
  wrong: then it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.canonical import sha256_hex
from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY, create_address
from chains.evm.artifacts import Artifact, ByteRange, link, mask, strip_metadata
from chains.evm.createx import CREATEX, init_code_of
from chains.evm.node import data_or_nothing
from chains.rpc import Request, RpcFault

__all__ = [
    "Proof",
    "init_code",
    "library_addresses",
    "masks",
    "proof_of",
    "proof_requests",
    "reexecution",
    "rerun",
    "runtime_digest",
    "runtime_problem",
]

_CREATE2_SALT_BYTES = 32


@dataclass(frozen=True)
class Proof:
    """The readings for one contract. ``problems`` is empty when it is proven."""

    unit: str
    action: str
    address: str
    source: str
    runtime: Literal["match", "mismatch"]
    creation: Literal["match", "mismatch"]
    reexecution: Literal["match", "differs", "unavailable"]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "problems": list(self.problems)}


def init_code(action: Action) -> bytes:
    """The init code inside a creating action's payload."""
    if action.to == CREATEX:
        return init_code_of(action.data)[1]
    return action.data[_CREATE2_SALT_BYTES:] if action.kind == "create2" else action.data


def library_addresses(artifact: Artifact, code: bytes) -> dict[str, bytes]:
    """The libraries that init code links, ``path:Library`` to address."""
    return {name: code[places[0].start : places[0].stop] for name, places in artifact.creation_links.items()}


def masks(artifact: Artifact) -> dict[str, tuple[ByteRange, ...]]:
    """The places in runtime code that differ between instances of one contract."""
    found = dict(artifact.immutables)
    if artifact.kind == "library" and artifact.runtime_code[:21] == b"\x73" + bytes(20):
        found["own address"] = (ByteRange(1, 20),)  # a library's call guard holds its own address
    return found


def runtime_digest(artifact: Artifact, init_code: bytes) -> str:
    """sha256 of the runtime code ``init_code`` gives: its libraries linked, immutables and own address zero."""
    addresses = library_addresses(artifact, init_code)
    return sha256_hex(mask(link(artifact.runtime_code, artifact.runtime_links, addresses), masks(artifact)))


def runtime_problem(artifact: Artifact, action: Action, code: bytes) -> str | None:
    """What is wrong with runtime ``code`` found at a contract's address; ``None`` when it is the bundle's."""
    addresses = library_addresses(artifact, init_code(action))
    missing = set(artifact.runtime_links) - set(addresses)
    if missing:
        return f"its runtime code links {', '.join(sorted(missing))}, its creation code does not"
    places = masks(artifact)
    expected = mask(link(artifact.runtime_code, artifact.runtime_links, addresses), places)
    if len(code) == len(expected) and mask(code, places) == expected:
        return None
    if strip_metadata(mask(code, places) if len(code) == len(expected) else code) == strip_metadata(expected):
        return "its runtime code differs in the metadata only: it was built from other sources"
    return f"its runtime code ({len(code)} bytes) is not the bundle's ({len(expected)} bytes)"


def proof_requests(action: Action, *, sender: str, transaction_hash: str | None) -> list[Request]:
    """What to ask for one created contract; ``transaction_hash`` is ``None`` for an adopted one."""
    assert action.address
    requests: list[Request] = [
        ("eth_getCode", [action.address, "latest"]),
        ("eth_call", rerun(action, action.made_by or (CREATE2_FACTORY if action.kind == "create2" else sender))),
    ]
    if transaction_hash:
        requests.append(("eth_getTransactionByHash", [transaction_hash]))
    return requests


def proof_of(artifact: Artifact, action: Action, answers: Sequence[Any], *, transaction_hash: str | None) -> Proof:
    """All three readings, from the answers to ``proof_requests``."""
    assert action.address
    code = data_or_nothing(answers[0])
    problems = []
    runtime = runtime_problem(artifact, action, code)
    if runtime:
        problems.append(runtime)
    creation = _creation_problem(artifact, action, answers[2] if transaction_hash else None, transaction_hash)
    if creation:
        problems.append(creation)
    return Proof(
        unit=action.unit,
        action=action.id,
        address=action.address,
        source=artifact.source,
        runtime="mismatch" if runtime else "match",
        creation="mismatch" if creation else "match",
        reexecution=reexecution(answers[1], code),
        problems=tuple(problems),
    )


def rerun(action: Action, creator: str) -> list[Any]:
    """``eth_call`` parameters that run the init code at the contract's address as if nothing were there yet.

    The address of a contract its constructor creates first (a transparent proxy's admin) is emptied too.
    """
    assert action.address
    call = {"from": creator, "to": action.address, "value": hex(action.value_wei)}
    empty = {"code": "0x", "nonce": "0x0", "state": {}}
    overrides: dict[str, Any] = {
        creator: {"balance": hex(10**30)},
        action.address: {"code": "0x" + init_code(action).hex(), "nonce": "0x1", "state": {}},
        create_address(action.address, 1): empty,
    }
    return [call, "latest", overrides]


def reexecution(answer: Any, code: bytes) -> Literal["match", "differs", "unavailable"]:
    if isinstance(answer, RpcFault) or not isinstance(answer, str):
        return "unavailable"
    return "match" if data_or_nothing(answer) == code else "differs"


def _creation_problem(artifact: Artifact, action: Action, transaction: Any, transaction_hash: str | None) -> str | None:
    payload = init_code(action)
    linked = link(artifact.creation_code, artifact.creation_links, library_addresses(artifact, payload))
    if payload[: len(linked)] != linked:
        return "the plan's init code does not start with the bundle's creation code"
    if transaction_hash is None:
        return None
    if not isinstance(transaction, dict):
        return f"the node does not know its transaction {transaction_hash}"
    found = data_or_nothing(transaction.get("input"))
    return None if found == action.data else "its transaction carries other input than the plan"
