"""The ``pkcs11`` backend: a key in an HSM, a smart card or a YubiHSM, behind its vendor's PKCS#11 library."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from chains.evm.address import checksum, keccak256
from pipeline.signing.base import Assurance, SignatureRejected
from pipeline.signing.context import SignerContext
from pipeline.signing.pkcs11_keys import Flags, Kind, find_private, find_public, flags_of
from pipeline.signing.pkcs11_token import Pkcs11Token, in_time, open_token, refusals

__all__ = ["Pkcs11Key", "ed25519_public_key", "evm_address", "notes", "open_ed25519", "open_evm"]


class Pkcs11Key:
    """A private key on a token. ``notes`` says what the token says of it."""

    name = "pkcs11"

    def __init__(self, token: Pkcs11Token, private: Any, public: bytes, flags: Flags) -> None:
        self._token = token
        self._private = private
        self._lock = threading.Lock()  # a session does one thing at a time
        self._process = os.getpid()
        self.public_key = public
        self.assurance: Assurance = "software" if token.software or flags.sensitive is False else "hardware"
        self.notes = tuple(_notes(token, flags))

    @property
    def address(self) -> str:
        return checksum(keccak256(self.public_key)[12:])

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        """CKM_ECDSA: r ‖ s, both 32 bytes (PKCS#11 2.40, §2.3.1)."""
        from pkcs11 import Mechanism

        signature = self._sign(digest, Mechanism.ECDSA)
        return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")

    def sign_message(self, message: bytes) -> bytes:
        """CKM_EDDSA without parameters: pure Ed25519."""
        from pkcs11 import Mechanism

        return self._sign(message, Mechanism.EDDSA)

    def _sign(self, data: bytes, mechanism: Any) -> bytes:
        if os.getpid() != self._process:
            raise self._token.context.unavailable("the token was opened by another process: a session is not inherited")
        with self._lock, refusals(self._token, "to sign with this key"):
            signature = bytes(in_time(self._token, lambda: self._private.sign(data, mechanism=mechanism)))
        if len(signature) != 64:
            raise SignatureRejected(
                f"{self._token.title} returned a signature of {len(signature)} bytes instead of 64",
                remedy="Report it to the token's vendor: PKCS#11 fixes this length.",
            )
        return signature


def evm_address(context: SignerContext) -> str:
    """From the public key on the token, without a PIN; what the target pins where the token hides it until a login."""
    token = open_token(context)
    pinned = context.spec.address
    if pinned is not None and not _shows_public_keys(token):
        return pinned
    return checksum(keccak256(_public(token, "secp256k1"))[12:])


def ed25519_public_key(context: SignerContext) -> bytes:
    """From the public key on the token, without a PIN."""
    return _public(open_token(context), "ed25519")


def open_evm(context: SignerContext) -> Pkcs11Key:
    return _open(context, "secp256k1")


def open_ed25519(context: SignerContext) -> Pkcs11Key:
    return _open(context, "ed25519")


def notes(context: SignerContext) -> tuple[str, ...]:
    """What is known without a PIN."""
    token = open_token(context)
    return tuple(_notes(token, Flags(None, None, None, None)))


def _open(context: SignerContext, kind: Kind) -> Pkcs11Key:
    from pkcs11 import Attribute

    token = open_token(context)
    session = token.session()
    with refusals(token, "to show the key"):
        private = in_time(token, lambda: find_private(context, session, kind))
        flags = in_time(token, lambda: flags_of(private))
        if flags.sign is not True:
            raise context.unavailable("the key may not sign (CKA_SIGN)", "key", "Name a key made for signing.")
        if flags.always_authenticate:
            raise context.unavailable(
                "the key asks for the PIN at every signature (CKA_ALWAYS_AUTHENTICATE), and ship keeps no PIN",
                "key",
                "Use a key without that attribute.",
            )
        key_id = in_time(token, lambda: private[Attribute.ID])
        public = in_time(token, lambda: find_public(context, session, kind, key_id or None))
    return Pkcs11Key(token, private, public, flags)


def _public(token: Pkcs11Token, kind: Kind) -> bytes:
    with refusals(token, "to show its public keys"), token.public_session() as session:
        return in_time(token, lambda: find_public(token.context, session, kind))


def _shows_public_keys(token: Pkcs11Token) -> bool:
    from pkcs11 import Attribute, ObjectClass

    with refusals(token, "to show its public keys"), token.public_session() as session:
        return in_time(token, lambda: any(True for _ in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY})))


def _notes(token: Pkcs11Token, flags: Flags) -> Iterator[str]:
    if token.software:
        yield f"{token.title} is software: its keys lie in files, and in ship's memory while it signs."
    else:
        yield f"{token.title} says that it is hardware."
    if flags.sensitive is False:
        yield "The token gives this private key out in the clear (CKA_SENSITIVE is false): it counts as software."
    if flags.extractable:
        yield "The private key can leave the token wrapped (CKA_EXTRACTABLE is true)."
