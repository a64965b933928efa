"""The release key's word for ``checksums.txt``, and through it for every file of the release.

``checksums.txt.sig`` is JSON: the signer's address, and an EIP-712 signature (https://eips.ethereum.org/EIPS/eip-712) over
tag and sha256. Typed data of a domain of our own, as all our messages: no key ever signs a bare digest, every backend that
signs digests can make it, and no contract knows the domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.evm.address import keccak256
from chains.jsontext import read_json

__all__ = ["SIGNATURE", "ReleaseMessage", "release_signer", "signature_file"]

SIGNATURE = "checksums.txt.sig"
KIND = "contract-ship/release-signature"
_DOMAIN_TYPE = b"EIP712Domain(string name,string version)"
_RELEASE_TYPE = b"Release(string project,string tag,bytes32 checksums)"
_DOMAIN = keccak256(keccak256(_DOMAIN_TYPE) + keccak256(b"contract-ship release") + keccak256(b"1"))


@dataclass(frozen=True)
class ReleaseMessage:
    """``checksums`` is the sha256 (hex) of checksums.txt."""

    project: str
    tag: str
    checksums: str

    def digest(self) -> bytes:
        message = keccak256(
            keccak256(_RELEASE_TYPE)
            + keccak256(self.project.encode())
            + keccak256(self.tag.encode())
            + bytes.fromhex(self.checksums)
        )
        return keccak256(b"\x19\x01" + _DOMAIN + message)


def signature_file(message: ReleaseMessage, signer: str, signature: bytes) -> bytes:
    """The content of ``checksums.txt.sig``."""
    return pretty(
        {
            "schema": 1,
            "kind": KIND,
            "scheme": "eip-712",
            "project": message.project,
            "tag": message.tag,
            "checksums_sha256": message.checksums,
            "signer": signer,
            "signature": "0x" + signature.hex(),
        }
    )


def release_signer(data: bytes, tag: str, checksums: bytes) -> str:
    """Who signed ``checksums`` as the release ``tag``. Raises ``ValueError`` saying what is wrong."""
    from pipeline.approvals.judging import signed_by

    try:
        said: Mapping[str, Any] = read_json(data)
        if (said["schema"], said["kind"], said["scheme"]) != (1, KIND, "eip-712"):
            raise ValueError("a signature of another kind, or a newer one")
        message = ReleaseMessage(str(said["project"]), str(said["tag"]), str(said["checksums_sha256"]))
        signature = bytes.fromhex(str(said["signature"]).removeprefix("0x"))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it lacks something: {error}") from None
    if message.tag != tag:
        raise ValueError(f"it is for {message.tag}")
    if message.checksums != sha256_hex(checksums):
        raise ValueError("it is for another checksums.txt")
    found = signed_by(message.digest(), signature)
    if found.lower() != str(said["signer"]).lower():
        raise ValueError("it is not a signature by the address it names")
    return found
