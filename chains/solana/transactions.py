"""Transactions: the message is built here, signed elsewhere, and no signature goes anywhere before it was verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from chains.errors import Refused

__all__ = [
    "MAX_BYTES",
    "MessageSigner",
    "SignatureWrong",
    "Signed",
    "SignerMissing",
    "Unsigned",
    "compile_message",
    "sign",
    "size",
]

MAX_BYTES = 1232
"""An IPv6 packet's worth: what a node takes (PACKET_DATA_SIZE)."""


class SignatureWrong(Refused):
    """SHIP-Q02: a signature does not verify under the key that was asked for it."""

    code = "SHIP-Q02"


class SignerMissing(Refused):
    """SHIP-Q03: a transaction needs the signature of a key that is not at hand."""

    code = "SHIP-Q03"


@dataclass(frozen=True)
class Unsigned:
    """What a signer is asked to sign: ``step`` of ``unit`` in the plan with digest ``plan``. ``message`` decides."""

    plan: str
    unit: str
    step: str
    message: bytes


class MessageSigner(Protocol):
    """An ed25519 key. ``address`` is its public key in base58; ``sign`` gives the 64 bytes of RFC 8032."""

    @property
    def address(self) -> str: ...

    def sign(self, unsigned: Unsigned) -> bytes: ...


@dataclass(frozen=True)
class Signed:
    """A transaction as it is sent, good up to this block height."""

    signature: str
    raw: bytes
    blockhash: str
    last_valid_height: int


def compile_message(payer: Pubkey, instructions: Sequence[Instruction], blockhash: str) -> Message:
    """A legacy message: without lookup tables it says the same as a v0 message in two bytes less."""
    return Message.new_with_blockhash(list(instructions), payer, Hash.from_string(blockhash))


def size(message: Message) -> int:
    """Bytes of the transaction once it is signed: a count (one byte), 64 a signature, the message."""
    return 1 + 64 * message.header.num_required_signatures + len(to_bytes_versioned(message))


def populate(message: Message, signatures: Sequence[bytes]) -> bytes:
    return bytes(VersionedTransaction.populate(message, [Signature.from_bytes(one) for one in signatures]))


def sign(
    message: Message, signers: Mapping[str, MessageSigner], *, plan: str, unit: str, step: str, last_valid_height: int
) -> Signed:
    """Every signature the message asks for, each verified. Raises ``SignerMissing`` and ``SignatureWrong``."""
    body = to_bytes_versioned(message)
    signatures: list[bytes] = []
    for key in message.account_keys[: message.header.num_required_signatures]:
        signer = signers.get(str(key))
        if signer is None:
            raise SignerMissing(
                f"{step} of {unit} needs a signature of {key}, and that key is not at hand",
                remedy="Configure a signer for it.",
            )
        given = signer.sign(Unsigned(plan, unit, step, body))
        if len(given) != 64 or not Signature.from_bytes(given).verify(key, body):
            raise SignatureWrong(
                f"the signature given for {key} does not verify over {step} of {unit}",
                remedy="Check that the signer holds the key its address names.",
            )
        signatures.append(given)
    text = str(Signature.from_bytes(signatures[0]))
    return Signed(text, populate(message, signatures), str(message.recent_blockhash), last_valid_height)
