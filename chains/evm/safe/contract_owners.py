"""Owners that are contracts: whether one stands by its signature, only it can say.

Source: safe-smart-account v1.3.0 and v1.4.1, ``checkNSignatures`` and ``ISignatureValidator``: they ask
``isValidSignature(bytes,bytes)`` of the first draft of EIP-1271, with the data that was hashed.
"""

from __future__ import annotations

from collections.abc import Sequence

from chains.evm.address import keccak256
from chains.evm.proxies import encode_call
from chains.evm.safe.reading import SafeState
from chains.evm.safe.signatures import OwnerSignature
from chains.evm.safe.typed import SafeTx
from chains.rpc import Rpc

__all__ = ["standing"]

_MAGIC = keccak256(b"isValidSignature(bytes,bytes)")[:4].ljust(32, b"\0")


def standing(rpc: Rpc, safe: SafeState, tx: SafeTx, signatures: Sequence[OwnerSignature]) -> list[OwnerSignature]:
    """Those of the signatures that hold now, asked as the Safe will ask: an owner may change its own mind, or owners."""
    data = tx.signed_data(safe.domain)
    asked = [s for s in signatures if s.kind == "contract"]
    requests = []
    for signature in asked:
        call = encode_call("isValidSignature", ["bytes", "bytes"], ["0x" + data.hex(), "0x" + signature.data.hex()])
        requests.append(
            ("eth_call", [{"from": safe.address, "to": signature.owner, "input": "0x" + call.hex()}, "latest"])
        )
    answers = rpc.read_all(requests)
    fallen = {s.owner for s, answer in zip(asked, answers, strict=True) if answer != "0x" + _MAGIC.hex()}
    return [s for s in signatures if s.owner not in fallen]
