"""The one path every ed25519 signature takes: 64 bytes, and made by the key the backend says it has (RFC 8032, §5.1.7)."""

from __future__ import annotations

from pipeline.signing.base import Assurance, MessageBackend, SignatureRejected

__all__ = ["CheckedMessages", "LocalEd25519"]


class CheckedMessages:
    """``backend``, with every signature verified before it is given out. Raises ``SignatureRejected``."""

    def __init__(self, backend: MessageBackend) -> None:
        self.backend = backend

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def assurance(self) -> Assurance:
        return self.backend.assurance

    @property
    def public_key(self) -> bytes:
        return self.backend.public_key

    def sign_message(self, message: bytes) -> bytes:
        from solders.pubkey import Pubkey
        from solders.signature import Signature

        signature = self.backend.sign_message(message)
        key = Pubkey(self.public_key)
        if len(signature) != 64 or not Signature(signature).verify(key, message):
            raise SignatureRejected(
                f"the {self.name} backend returned a signature that is refused: it was not made by {key}",
                remedy="Check that the target's signer names the right key. `ship signer address` shows the one in use.",
            )
        return signature


class LocalEd25519:
    """A private key in memory. Never shown, never written; ``repr`` gives the public key."""

    def __init__(self, seed: bytes, name: str) -> None:
        from solders.keypair import Keypair

        self._key = Keypair.from_seed(seed)
        self.name = name
        self.assurance: Assurance = "software"
        self.public_key = bytes(self._key.pubkey())

    def __repr__(self) -> str:
        return f"LocalEd25519({self._key.pubkey()})"

    def sign_message(self, message: bytes) -> bytes:
        """RFC 8032: the same message gives the same signature."""
        return bytes(self._key.sign_message(message))
