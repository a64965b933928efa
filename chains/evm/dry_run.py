"""What ``forge script`` wrote of a dry run (``broadcast/…/dry-run/run-latest.json``), read and held to its word.

Fees and forge's gas are left out: gas comes from our own simulation. Payloads, order and nonces are what counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import Refused
from chains.evm.address import CREATE2_FACTORY, checksum
from chains.evm.artifacts import Artifact

__all__ = ["Created", "ScriptRefused", "ScriptTransaction", "creation_of", "read_dry_run"]


class ScriptRefused(Refused):
    """SHIP-E68: a script's dry run cannot become part of a plan."""

    code = "SHIP-E68"


@dataclass(frozen=True)
class Created:
    """A contract that comes to be: by the transaction itself, or inside it. ``name`` is what forge calls it."""

    address: str
    init_code: bytes
    name: str | None

    def to_json(self) -> dict[str, Any]:
        return {"address": self.address, "init_code_sha256": sha256_hex(self.init_code), "name": self.name}


@dataclass(frozen=True)
class ScriptTransaction:
    """One transaction of a dry run. ``creates`` is what it deploys itself; ``inner`` what comes to be inside it."""

    to: str | None
    value_wei: int
    data: bytes
    nonce: int
    title: str
    creates: Created | None
    inner: tuple[Created, ...]


def read_dry_run(path: Path, *, sender: str, chain_id: int) -> tuple[ScriptTransaction, ...]:
    """The transactions in order. Raises ``ScriptRefused`` for another sender or chain, and for what is no dry run."""
    try:
        document = json.loads(path.read_bytes())
        found = tuple(_transaction(item) for item in document["transactions"])
        senders = {checksum(item["transaction"]["from"]) for item in document["transactions"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScriptRefused(
            f"forge's dry run cannot be read: {type(error).__name__}: {error}",
            remedy="Use the version of forge that ship works with (`ship doctor`).",
        ) from error
    if document.get("chain") != chain_id:
        raise ScriptRefused(
            f"the script ran on chain {document.get('chain')}, the target is chain {chain_id}",
            remedy="Leave `vm.createFork` and `vm.selectFork` out of it: a script runs for one target.",
        )
    others = senders - {sender}
    if others:
        raise ScriptRefused(
            f"the script sends as {', '.join(sorted(others))}, the target's signer is {sender}",
            remedy="Use `vm.startBroadcast()` without an address: ship hands the signer in as the sender.",
        )
    return found


def _transaction(item: Mapping[str, Any]) -> ScriptTransaction:
    raw = item["transaction"]
    to = checksum(raw["to"]) if raw.get("to") else None
    data = bytes.fromhex(str(raw.get("input") or raw.get("data") or "0x").removeprefix("0x"))
    kind, name, place = item["transactionType"], item.get("contractName"), item.get("contractAddress")
    creates = None
    if kind in {"CREATE", "CREATE2"}:
        if kind == "CREATE2" and to != CREATE2_FACTORY:
            raise ValueError(f"a CREATE2 through {to}")
        creates = Created(checksum(str(place)), data[32:] if kind == "CREATE2" else data, name)
    title = f"deploy {name or 'a contract'}" if creates else f"call {name or to}.{_function(item, data)}"
    inner = tuple(
        Created(checksum(more["address"]), bytes.fromhex(more["initCode"].removeprefix("0x")), more.get("contractName"))
        for more in item.get("additionalContracts") or ()
    )
    if not creates and not data:
        title = f"send value to {to}"
    value_wei = int(str(raw.get("value") or "0x0"), 16)
    return ScriptTransaction(to, value_wei, data, int(raw["nonce"], 16), title, creates, inner)


def _function(item: Mapping[str, Any], data: bytes) -> str:
    return str(item.get("function") or f"0x{data[:4].hex()}").partition("(")[0]


def creation_of(init_code: bytes, artifacts: Iterable[Artifact], name: str | None) -> Artifact | None:
    """The artifact some init code was made from: its creation code, libraries aside, is how the init code begins."""
    fitting = [a for a in artifacts if a.creation_code and _begins(init_code, a)]
    longest = max((len(a.creation_code) for a in fitting), default=0)
    best = sorted((a for a in fitting if len(a.creation_code) == longest), key=lambda a: (a.name != name, a.source))
    return best[0] if best else None


def _begins(init_code: bytes, artifact: Artifact) -> bool:
    code = bytearray(init_code[: len(artifact.creation_code)])
    if len(code) != len(artifact.creation_code):
        return False
    for places in artifact.creation_links.values():
        for place in places:
            code[place.start : place.stop] = bytes(place.length)
    return bytes(code) == artifact.creation_code
