"""The ``gcp-kms`` backend: key versions of Google Cloud KMS, in software or in a hardware module.

API: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys.cryptoKeyVersions/asymmetricSign.
Checksums go both ways, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from pipeline.signing.base import Assurance
from pipeline.signing.context import SignerContext
from pipeline.signing.crc32c import crc32c
from pipeline.signing.der import BadEncoding, ecdsa_signature, ed25519_key, secp256k1_key
from pipeline.signing.gcp_client import GcpKms
from pipeline.signing.service import no_answer, not_a_signature, shown_code, wrong_key

__all__ = ["GcpEd25519Key", "GcpSecp256k1Key", "ed25519_public_key", "evm_address", "open_ed25519", "open_evm"]

_PART = r"[A-Za-z0-9._:-]{1,100}"
_NAME = re.compile(
    rf"projects/{_PART}/locations/{_PART}/keyRings/{_PART}/cryptoKeys/{_PART}/cryptoKeyVersions/[1-9][0-9]{{0,9}}"
)
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\n([A-Za-z0-9+/=\n]{1,400})-----END PUBLIC KEY-----\n?")
_SERVICE = "Google Cloud KMS"


def evm_address(context: SignerContext) -> str:
    """The pinned address, else the key's. A pinned one is held against the key when that is opened."""
    return context.spec.address or open_evm(context).address


def open_evm(context: SignerContext) -> GcpSecp256k1Key:
    from chains.evm.address import checksum, keccak256

    service, spki, assurance = _opened(context, "EC_SIGN_SECP256K1_SHA256")
    try:
        address = checksum(keccak256(secp256k1_key(spki))[12:])
    except BadEncoding as error:
        raise wrong_key(context, f"{_SERVICE} gives a public key that is refused: {error}") from None
    return GcpSecp256k1Key(address, service, assurance, context)


def open_ed25519(context: SignerContext) -> GcpEd25519Key:
    service, spki, assurance = _opened(context, "EC_SIGN_ED25519")
    try:
        public_key = ed25519_key(spki)
    except BadEncoding as error:
        raise wrong_key(context, f"{_SERVICE} gives a public key that is refused: {error}") from None
    return GcpEd25519Key(public_key, service, assurance, context)


def ed25519_public_key(context: SignerContext) -> bytes:
    """The public half; nothing is signed."""
    return open_ed25519(context).public_key


@dataclass(frozen=True)
class GcpSecp256k1Key:
    """A key version of algorithm EC_SIGN_SECP256K1_SHA256."""

    address: str
    _service: GcpKms
    assurance: Assurance
    _context: SignerContext
    name: str = "gcp-kms"

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        answer = self._service.sign({"digest": {"sha256": digest}, "digest_crc32c": crc32c(digest)})
        if not answer.verified_digest_crc32c:
            raise no_answer(_SERVICE, "the digest did not reach it whole")
        try:
            return ecdsa_signature(_whole(self._context, answer.name, answer.signature, answer.signature_crc32c))
        except BadEncoding as error:
            raise not_a_signature(_SERVICE, str(error)) from None


@dataclass(frozen=True)
class GcpEd25519Key:
    """A key version of algorithm EC_SIGN_ED25519."""

    public_key: bytes
    _service: GcpKms
    assurance: Assurance
    _context: SignerContext
    name: str = "gcp-kms"

    def sign_message(self, message: bytes) -> bytes:
        answer = self._service.sign({"data": message, "data_crc32c": crc32c(message)})
        if not answer.verified_data_crc32c:
            raise no_answer(_SERVICE, "the message did not reach it whole")
        signature = _whole(self._context, answer.name, answer.signature, answer.signature_crc32c)
        if len(signature) != 64:
            raise not_a_signature(_SERVICE, f"it has {len(signature)} bytes, not 64")
        return signature


def _opened(context: SignerContext, algorithm: str) -> tuple[GcpKms, bytes, Assurance]:
    """``(service, SPKI, what keeps the key)`` of a version that is of ``algorithm``."""
    if not _NAME.fullmatch(context.spec.key or ""):
        raise context.unavailable(
            "`key` is not the full name of a key version",
            "key",
            "Write projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N: a key without its version can change.",
        )
    service = GcpKms(context)
    answer = service.get_public_key()
    if answer.name != context.spec.key:
        raise wrong_key(context, f"{_SERVICE} gives the public key of another key version")
    if answer.algorithm.name != algorithm:
        raise wrong_key(context, f"the key version's algorithm is {shown_code(answer.algorithm.name)}, not {algorithm}")
    if crc32c(answer.pem.encode()) != answer.pem_crc32c:
        raise no_answer(_SERVICE, "the public key did not arrive whole")
    pem = _PEM.fullmatch(answer.pem)
    try:
        spki = base64.b64decode(pem[1].replace("\n", "") if pem else "", validate=True)
    except binascii.Error:
        spki = b""
    return service, spki, "hardware" if answer.protection_level.name == "HSM" else "service"


def _whole(context: SignerContext, name: str, signature: bytes, checksum: int | None) -> bytes:
    if name != context.spec.key:
        raise wrong_key(context, f"{_SERVICE} signed with another key version")
    if checksum != crc32c(signature):
        raise no_answer(_SERVICE, "the signature did not arrive whole")
    return signature
