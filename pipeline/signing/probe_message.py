"""The typed data (EIP-712) a key is tried with: of a domain of our own, which no contract knows."""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.address import keccak256

__all__ = ["ProbeMessage"]

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId)"
_PROBE_TYPE = b"Probe(string target,string time,uint256 number)"


@dataclass(frozen=True)
class ProbeMessage:
    """``time`` is RFC 3339."""

    target: str
    time: str
    number: int
    chain_id: int

    def digest(self) -> bytes:
        domain = keccak256(
            keccak256(_DOMAIN_TYPE)
            + keccak256(b"contract-ship signer test")
            + keccak256(b"1")
            + self.chain_id.to_bytes(32, "big")
        )
        message = keccak256(
            keccak256(_PROBE_TYPE)
            + keccak256(self.target.encode())
            + keccak256(self.time.encode())
            + self.number.to_bytes(32, "big")
        )
        return keccak256(b"\x19\x01" + domain + message)
