"""The ``aws-kms`` backend: keys of AWS Key Management Service that never leave it.

API: GetPublicKey and Sign, https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html. Policies that allow these two
and nothing else: ``ship signer policy aws``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.signing.aws_client import AwsKms
from pipeline.signing.base import Assurance
from pipeline.signing.context import SignerContext
from pipeline.signing.der import BadEncoding, ecdsa_signature, ed25519_key, secp256k1_key
from pipeline.signing.service import no_answer, not_a_signature, wrong_key

__all__ = ["AwsEd25519Key", "AwsSecp256k1Key", "ed25519_public_key", "evm_address", "open_ed25519", "open_evm"]

_MAX_RAW_BYTES = 4096
"""What Sign takes as a message that KMS itself hashes."""


def evm_address(context: SignerContext) -> str:
    """The pinned address, else the key's. A pinned one is held against the key when that is opened."""
    return context.spec.address or open_evm(context).address


def open_evm(context: SignerContext) -> AwsSecp256k1Key:
    from chains.evm.address import checksum, keccak256

    service = AwsKms(context)
    key_id, spki = _public_key(context, service, "ECC_SECG_P256K1")
    try:
        address = checksum(keccak256(secp256k1_key(spki))[12:])
    except BadEncoding as error:
        raise wrong_key(context, f"AWS KMS gives a public key that is refused: {error}") from None
    return AwsSecp256k1Key(address, key_id, service, _assurance(service), context)


def open_ed25519(context: SignerContext) -> AwsEd25519Key:
    service = AwsKms(context)
    key_id, spki = _public_key(context, service, "ECC_NIST_EDWARDS25519")
    try:
        public_key = ed25519_key(spki)
    except BadEncoding as error:
        raise wrong_key(context, f"AWS KMS gives a public key that is refused: {error}") from None
    return AwsEd25519Key(public_key, key_id, service, _assurance(service), context)


def ed25519_public_key(context: SignerContext) -> bytes:
    """The public half; nothing is signed."""
    return open_ed25519(context).public_key


@dataclass(frozen=True)
class AwsSecp256k1Key:
    """A key of spec ECC_SECG_P256K1."""

    address: str
    key_id: str
    _service: AwsKms
    assurance: Assurance
    _context: SignerContext
    name: str = "aws-kms"

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        # MessageType DIGEST: with RAW, KMS would hash the digest once more.
        answer = self._service.sign(digest, "DIGEST", "ECDSA_SHA_256")
        try:
            return ecdsa_signature(_signature(self._context, answer, self.key_id))
        except BadEncoding as error:
            raise not_a_signature("AWS KMS", str(error)) from None


@dataclass(frozen=True)
class AwsEd25519Key:
    """A key of spec ECC_NIST_EDWARDS25519."""

    public_key: bytes
    key_id: str
    _service: AwsKms
    assurance: Assurance
    _context: SignerContext
    name: str = "aws-kms"

    def sign_message(self, message: bytes) -> bytes:
        if len(message) > _MAX_RAW_BYTES:
            raise wrong_key(
                self._context, f"AWS KMS signs at most {_MAX_RAW_BYTES} bytes, this message has {len(message)}"
            )
        answer = self._service.sign(message, "RAW", "ED25519_SHA_512")
        signature = _signature(self._context, answer, self.key_id)
        if len(signature) != 64:
            raise not_a_signature("AWS KMS", f"it has {len(signature)} bytes, not 64")
        return signature


def _public_key(context: SignerContext, service: AwsKms, spec: str) -> tuple[str, bytes]:
    """``(key id, SPKI)`` of a key that is of ``spec`` and may sign. A disabled one gives no public key at all."""
    answer = service.get_public_key()
    found, usage = answer.get("KeySpec"), answer.get("KeyUsage")
    if found != spec or usage != "SIGN_VERIFY":
        raise wrong_key(context, f"the AWS key is {found} for {usage}, and {spec} for SIGN_VERIFY is needed")
    key_id, spki = answer.get("KeyId"), answer.get("PublicKey")
    if not isinstance(key_id, str) or not isinstance(spki, bytes):
        raise no_answer("AWS KMS", "there is no key in its answer")
    return key_id, spki


def _signature(context: SignerContext, answer: dict[str, Any], key_id: str) -> bytes:
    used, signature = answer.get("KeyId"), answer.get("Signature")
    if not isinstance(used, str) or not isinstance(signature, bytes):
        raise no_answer("AWS KMS", "there is no signature in its answer")
    if used != key_id:
        raise wrong_key(context, "AWS KMS signed with another key than it showed: the alias was moved meanwhile")
    return signature


def _assurance(service: AwsKms) -> Assurance:
    """AWS keeps KMS keys in certified hardware modules; what an emulator keeps them in nobody knows."""
    return "hardware" if service.endpoint_is_aws else "service"
