"""What a Safe says about itself, in one batch. Understood: 1.3.0 and 1.4.1, also their L2 forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.errors import Refused
from chains.evm.abi import AbiType, decode
from chains.evm.address import keccak256
from chains.evm.safe.typed import SafeTx, domain_separator, hash_call, left_padded
from chains.rpc import Request, Rpc, RpcFault

__all__ = ["SafeState", "SafeUnsupported", "approvals", "checked_hash", "read_safe"]

_VERSIONS = ("1.3.0", "1.4.1")
_READS = {
    "VERSION": "string",
    "getOwners": "address[]",
    "getThreshold": "uint256",
    "nonce": "uint256",
    "domainSeparator": "bytes32",
}


class SafeUnsupported(Refused):
    """SHIP-E30: the authority looks like a Safe, but not like one whose transactions ``ship`` can hash."""

    code = "SHIP-E30"


@dataclass(frozen=True)
class SafeState:
    """One look at a Safe. ``nonce`` is that of its next transaction; ``owners`` have checksums."""

    address: str
    version: str
    owners: tuple[str, ...]
    threshold: int
    nonce: int
    domain: bytes

    def alone(self, key: str) -> bool:
        """Whether ``key`` can have this Safe do something without anybody else."""
        return self.threshold == 1 and key in self.owners


def _call(to: str, data: bytes) -> Request:
    return "eth_call", [{"to": to, "input": "0x" + data.hex()}, "latest"]


def _raw(answer: Any) -> bytes:
    return bytes.fromhex(answer[2:]) if isinstance(answer, str) else b""


def read_safe(rpc: Rpc, address: str, chain_id: int) -> SafeState | None:
    """The Safe at ``address``, or ``None`` when what lies there is none.

    Raises ``SafeUnsupported`` for other versions, and when its domain is not the one ``ship`` hashes with.
    """
    requests = [_call(address, keccak256(f"{name}()".encode())[:4]) for name in _READS]
    values = []
    for kind, answer in zip(_READS.values(), rpc.read_all(requests), strict=True):
        if isinstance(answer, RpcFault):
            return None
        try:
            values.append(decode([AbiType("", kind)], _raw(answer))[0])
        except ValueError:
            return None
    version, owners, threshold, nonce, domain = values
    number = str(version).partition("+")[0]
    if number not in _VERSIONS:
        raise SafeUnsupported(
            f"the Safe {address} has version {version!r}; ship knows {' and '.join(_VERSIONS)}",
            remedy="Have its owners upgrade the Safe, or release with another authority.",
        )
    if domain != domain_separator(chain_id, address):
        raise SafeUnsupported(
            f"the Safe {address} has another EIP-712 domain than version {number} gives it on chain {chain_id}",
            remedy="Do not sign for it. Find out what contract lies at this address.",
        )
    return SafeState(address, number, tuple(owners), threshold, nonce, domain)


def checked_hash(rpc: Rpc, safe: SafeState, tx: SafeTx) -> bytes:
    """Our own ``safeTxHash``, which the Safe itself must give too. Raises ``SafeUnsupported``."""
    ours = tx.hash(safe.domain)
    theirs = _raw(rpc.read_all([_call(safe.address, hash_call(tx))])[0])
    if theirs != ours:
        raise SafeUnsupported(
            f"the Safe {safe.address} gives the transaction the hash 0x{theirs.hex()}, computed was 0x{ours.hex()}",
            remedy="Nothing was signed. Find out what contract lies at this address.",
        )
    return ours


def approvals(rpc: Rpc, safe: SafeState, safe_tx_hash: bytes) -> list[str]:
    """The owners that approved the hash on chain (``approveHash``), as owners that are Safes do."""
    selector = keccak256(b"approvedHashes(address,bytes32)")[:4]
    requests = [_call(safe.address, selector + left_padded(owner) + safe_tx_hash) for owner in safe.owners]
    answers = rpc.read_all(requests)
    return [owner for owner, answer in zip(safe.owners, answers, strict=True) if any(_raw(answer))]
