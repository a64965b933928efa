"""The ``vault`` backend: an ed25519 key in the transit engine of OpenBao or HashiCorp Vault.

Transit has no secp256k1, so there is nothing here for EVM chains.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, NoReturn

from pipeline.signing.base import Assurance, SignatureRejected
from pipeline.signing.context import SignerContext, SignerUnavailable
from pipeline.signing.vault_login import SignerLogin
from pipeline.signing.vault_session import Denied, VaultSession

__all__ = ["VaultKey", "evm_address", "open_ed25519", "open_evm", "parse_signature"]


class VaultKey:
    """One version of one transit key. ``notes`` says what the service says of it."""

    name = "vault"
    assurance: Assurance = "service"

    def __init__(
        self, context: SignerContext, session: VaultSession, key: tuple[str, int], public: bytes, notes: tuple[str, ...]
    ) -> None:
        self._context = context
        self._session = session
        self._key, self._version = key
        self.public_key = public
        self.notes = notes

    def sign_message(self, message: bytes) -> bytes:
        text = base64.b64encode(message).decode()
        mount = _mount(self._context)
        try:
            answer = self._session.call(
                "signing",
                lambda client: client.secrets.transit.sign_data(
                    self._key, hash_input=text, key_version=self._version, mount_point=mount
                ),
            )
        except Denied as error:
            raise _refused(self._context, "signing with", error) from None
        return parse_signature((answer.get("data") or {}).get("signature"), self._version)


def evm_address(context: SignerContext) -> NoReturn:
    raise context.unavailable(
        "the transit engine of OpenBao and Vault has no secp256k1 keys, so it cannot sign for an EVM chain",
        remedy="Use aws-kms, gcp-kms, azure-kv or pkcs11 on EVM chains; vault is for Solana.",
    )


def open_evm(context: SignerContext) -> NoReturn:
    evm_address(context)


def open_ed25519(context: SignerContext) -> VaultKey:
    """The key, looked up where the login may read it; else as pinned: ``transit/sign`` alone is right enough."""
    name, version = _key(context)
    session = VaultSession(SignerLogin(context))
    mount = _mount(context)
    try:
        answer = session.call(
            "reading the key", lambda client: client.secrets.transit.read_key(name, mount_point=mount)
        )
    except Denied as error:
        if error.status != 403 or version is None or context.spec.public_key is None:
            raise _refused(context, "reading", error) from None
        from solders.pubkey import Pubkey

        return VaultKey(context, session, (name, version), bytes(Pubkey.from_string(context.spec.public_key)), ())
    data = answer.get("data") or {}
    found: int = version or data.get("latest_version") or 0
    public = _public_key(context, data, found)
    return VaultKey(context, session, (name, found), public, tuple(_notes(data)))


def parse_signature(text: Any, version: int) -> bytes:
    """``vault:vN:`` and the base64 of 64 bytes, nothing else, and N the version asked for. Raises ``SignatureRejected``."""
    match = re.fullmatch(r"vault:v([1-9][0-9]{0,8}):([A-Za-z0-9+/]{86}==)", text) if isinstance(text, str) else None
    why = "it is not written as vault:vN:BASE64 of 64 bytes"
    if match and int(match[1]) == version:
        signature = base64.b64decode(match[2], validate=True)
        if base64.b64encode(signature).decode() == match[2]:
            return signature
    elif match:
        why = f"it was made by version {match[1]} of the key, {version} is used"
    raise SignatureRejected(
        f"the vault backend returned a signature that is refused: {why}",
        remedy="See what answers under `url`. Nothing was sent.",
    )


def _key(context: SignerContext) -> tuple[str, int | None]:
    name, slash, version = (context.spec.key or "").partition("/")
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", name) or (
        slash and not re.fullmatch(r"[1-9][0-9]{0,8}", version)
    ):
        raise context.unavailable("the key is not NAME or NAME/VERSION", "key", 'Write it as key = "deployer/1".')
    return name, int(version) if slash else None


def _mount(context: SignerContext) -> str:
    mount = (context.spec.mount or "transit").strip("/")
    if any(set(part) <= {"."} for part in mount.split("/")):
        raise context.unavailable("a mount has no empty, . or .. part", "mount", "Write it as the server lists it.")
    return mount


def _public_key(context: SignerContext, data: dict[str, Any], version: Any) -> bytes:
    if data.get("type") != "ed25519" or data.get("derived"):
        kind = "derived" if data.get("derived") else str(data.get("type"))[:40]
        raise context.unavailable(f"the transit key is {kind}, not plain ed25519", "key", "Name an ed25519 key.")
    entry = (data.get("keys") or {}).get(str(version))
    try:
        public = base64.b64decode(entry["public_key"], validate=True) if isinstance(entry, dict) else b""
    except (KeyError, TypeError, binascii.Error):
        public = b""
    if len(public) != 32:
        raise context.unavailable(
            f"the transit key has no version {version}", "key", "Name a version the service lists, as NAME/VERSION."
        )
    return public


def _notes(data: dict[str, Any]) -> list[str]:
    words = {"exportable": "can be exported", "allow_plaintext_backup": "can be backed up in the clear"}
    return [f"The service says that this key {text}." for flag, text in words.items() if data.get(flag)]


def _refused(context: SignerContext, what: str, error: Denied) -> SignerUnavailable:
    return context.unavailable(
        f"the service refuses {what} this key (HTTP {error.status}: {error})",
        "key",
        "The login needs update on MOUNT/sign/NAME; and read on MOUNT/keys/NAME unless public-key and the version are pinned.",
    )
