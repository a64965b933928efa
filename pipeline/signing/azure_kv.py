"""The ``azure-kv`` backend: EC keys on P-256K of Azure Key Vault or Managed HSM. There is no Ed25519 there.

API: https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign, algorithm ES256K, which answers r ‖ s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.signing.azure_client import AzureVault
from pipeline.signing.base import Assurance
from pipeline.signing.context import SignerContext
from pipeline.signing.der import BadEncoding, secp256k1_point
from pipeline.signing.service import no_answer, not_a_signature, shown_code, wrong_key

__all__ = ["AzureSecp256k1Key", "evm_address", "open_evm"]

_KEY = re.compile(r"([0-9A-Za-z-]{1,127})(?:/([0-9a-fA-F]{32}))?")
_SERVICE = "Azure Key Vault"


def evm_address(context: SignerContext) -> str:
    """The pinned address, else the key's. A pinned one is held against the key when that is opened."""
    return context.spec.address or open_evm(context).address


def open_evm(context: SignerContext) -> AzureSecp256k1Key:
    """The key in the version named, else its newest; that version is kept to for the whole run."""
    from chains.evm.address import checksum, keccak256

    named = _KEY.fullmatch(context.spec.key or "")
    if named is None:
        raise context.unavailable("`key` is not NAME or NAME/VERSION", "key", "A version is 32 hexadecimal digits.")
    vault = AzureVault(context)
    found = vault.get_key(named[1], named[2])
    kind, curve = str(getattr(found.key_type, "value", found.key_type)), getattr(found.key, "crv", None)
    if kind not in {"EC", "EC-HSM"} or str(getattr(curve, "value", curve)) not in {"P-256K", "SECP256K1"}:
        raise wrong_key(context, f"the key's type is {shown_code(kind)}, and EC on P-256K is needed")
    if found.properties.enabled is False or "sign" not in {
        str(getattr(o, "value", o)) for o in found.key_operations or ()
    }:
        raise wrong_key(context, "the key is disabled, or signing is not among its operations")
    parts = urlsplit(found.id or "").path.split("/")
    if parts[:3] != ["", "keys", named[1]] or len(parts) != 4 or (named[2] or parts[3]).lower() != parts[3].lower():
        raise wrong_key(context, f"{_SERVICE} gives another key than was asked for")
    x, y = getattr(found.key, "x", None), getattr(found.key, "y", None)
    if not isinstance(x, bytes) or not isinstance(y, bytes):
        raise no_answer(_SERVICE, "there is no public key in its answer")
    try:
        point = secp256k1_point(x.rjust(32, b"\0") + y.rjust(32, b"\0"))
    except BadEncoding as error:
        raise wrong_key(context, f"{_SERVICE} gives a public key that is refused: {error}") from None
    address = checksum(keccak256(point)[12:])
    return AzureSecp256k1Key(address, named[1], parts[3], vault, "hardware" if kind == "EC-HSM" else "service")


@dataclass(frozen=True)
class AzureSecp256k1Key:
    """One version of a key on P-256K."""

    address: str
    key: str
    version: str
    _vault: AzureVault
    assurance: Assurance
    name: str = "azure-kv"

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        signature = self._vault.sign(self.key, self.version, digest)
        if not isinstance(signature, bytes):
            raise no_answer(_SERVICE, "there is no signature in its answer")
        if len(signature) != 64:
            raise not_a_signature(_SERVICE, f"it has {len(signature)} bytes, not 64")
        return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
