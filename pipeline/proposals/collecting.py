"""Signatures of other owners: held against the proposal and the Safe's owners before they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused, Where
from chains.evm.safe.contract_owners import standing
from chains.evm.safe.lifecycle import ProposalState
from chains.evm.safe.reading import SafeState
from chains.evm.safe.signatures import OwnerSignature, from_bytes
from chains.evm.safe.typed import SafeTx
from chains.rpc import Rpc

__all__ = ["Given", "SignaturesRefused", "about", "accepted", "known", "read_signatures", "valid"]

_MAX_BYTES = 1024 * 1024
_HASH_KEYS = ("safeTxHash", "safe_tx_hash", "contractTransactionHash")
_SIGNATURE_KEYS = ("signature", "data")


class SignaturesRefused(Refused):
    """SHIP-K01: a file of signatures does not fit the proposals that are open."""

    code = "SHIP-K01"


@dataclass(frozen=True)
class Given:
    """A signature as somebody handed it over, and the safeTxHash it is said to be of."""

    safe_tx_hash: str
    signature: bytes


def read_signatures(path: Path) -> list[Given]:
    """From a proposal file of ours that was signed, or ``{safeTxHash, signatures | signature}`` as Safe's tools write.

    Raises ``SignaturesRefused``.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ValueError("larger than 1 MiB")
        found = list(_given(json.loads(raw)))
    except OSError as error:
        raise SignaturesRefused(
            f"the file cannot be read: {error.strerror}", where=Where(str(path)), remedy="Name a file of signatures."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SignaturesRefused(
            f"not a file of signatures: {error}",
            where=Where(str(path)),
            remedy='Give the exported proposal with signatures added, or {"safeTxHash": …, "signatures": [{"signature": …}]}.',
        ) from error
    if not found:
        raise SignaturesRefused(
            "the file holds no signature", where=Where(str(path)), remedy="Add the owners' signatures to it."
        )
    return found


def _given(data: Any) -> Iterator[Given]:
    if isinstance(data, list):
        for item in data:
            yield from _given(item)
        return
    if "ship" in data:
        yield from _given(data["ship"])
        return
    for nested in data.get("nested") or ():
        yield from _given(nested)
    digest = str(next(data[key] for key in _HASH_KEYS if key in data)).lower()
    items = list(data.get("signatures") or data.get("confirmations") or ())
    items += [data] if "signature" in data else []
    for item in items:
        text = item if isinstance(item, str) else next(item[key] for key in _SIGNATURE_KEYS if key in item)
        yield Given(digest, bytes.fromhex(text.removeprefix("0x")))


def about(states: Mapping[str, ProposalState], safe_tx_hash: str) -> tuple[str, str] | None:
    """``(proposal, safe or "")`` an open hash belongs to: the proposal's own (""), or a nested approval's Safe."""
    for name, state in states.items():
        if state.stage == "made" and state.hash.lower() == safe_tx_hash:
            return name, ""
        for nested in state.nested:
            if nested.hash.lower() == safe_tx_hash:
                return name, nested.safe
    return None


def accepted(rpc: Rpc, safe: SafeState, tx: SafeTx, given: Given) -> OwnerSignature:
    """The signature of ``tx`` by one of the Safe's owners; one that is a contract is asked. Raises ``SignaturesRefused``."""
    try:
        signature = from_bytes(bytes.fromhex(given.safe_tx_hash.removeprefix("0x")), given.signature)
    except ValueError as error:
        raise SignaturesRefused(
            f"a signature of {given.safe_tx_hash} is refused: {error}",
            remedy="Sign the typed data of the proposal file (eth_signTypedData_v4).",
        ) from error
    if signature.kind == "approved":
        raise SignaturesRefused(
            f"the signature of {signature.owner} stands for an approval on chain, and those are read from the chain",
            remedy="Remove it from the file.",
        )
    if signature.owner not in safe.owners:
        word = "names" if signature.kind == "contract" else "recovers to"
        raise SignaturesRefused(
            f"a signature of {given.safe_tx_hash} {word} {signature.owner}, which is no owner of {safe.address}",
            remedy=f"Owners are {', '.join(safe.owners)}. Was another transaction, chain or nonce signed?",
        )
    if not standing(rpc, safe, tx, [signature]):
        raise SignaturesRefused(
            f"the owner {signature.owner} is a contract, and does not accept the signature given for it (EIP-1271)",
            remedy="Have it sign what this Safe asks of it: isValidSignature(bytes,bytes) over the data that is hashed to "
            f"{given.safe_tx_hash}. A Safe can approve the hash on chain instead (`ship.nested` in the proposal file).",
        )
    return signature


def known(signature: OwnerSignature, signed: Mapping[str, str]) -> bool:
    """Whether a signature of this owner is kept. A contract may stand by another one later, and the newer one counts."""
    kept = signed.get(signature.owner)
    return kept is not None and (signature.kind != "contract" or kept == "0x" + signature.alone().hex())


def valid(
    rpc: Rpc, safe: SafeState, tx: SafeTx, safe_tx_hash: str, signed: Mapping[str, str]
) -> tuple[list[OwnerSignature], list[str]]:
    """Those of the kept signatures that are still by owners, and the contracts among the owners that no longer stand by
    theirs."""
    digest = bytes.fromhex(safe_tx_hash[2:])
    kept = [from_bytes(digest, bytes.fromhex(data[2:])) for data in signed.values()]
    owners = [signature for signature in kept if signature.owner in safe.owners]
    holding = standing(rpc, safe, tx, owners)
    return holding, [signature.owner for signature in owners if signature not in holding]
