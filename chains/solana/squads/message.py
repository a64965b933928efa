"""What a vault is to do: a message of its own, in two encodings.

The instruction that creates a vault transaction carries it compact: counts of one byte, lengths of instruction data of two. The
account keeps it in Borsh, where every length has four. Both say the same; a digest of the compact form names the message.

Source: Squads v4, ``TransactionMessage`` and ``VaultTransactionMessage``. Order of keys: as its SDK compiles them (the vault, then each
instruction's program and accounts as they first come up, in the four groups of a Solana message), so that the bytes are the SDK's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.errors import NeedsPerson, Refused

__all__ = ["Compiled", "Lookup", "MessageTooLarge", "Reader", "Unreadable", "VaultMessage", "compile_vault_message"]


_T = TypeVar("_T")


class MessageTooLarge(Refused):
    """SHIP-Q40: what the vault is to do does not fit one proposal."""

    code = "SHIP-Q40"


class Unreadable(NeedsPerson):
    """SHIP-Q41: an account is not what the Squads program keeps at its address."""

    code = "SHIP-Q41"


class Reader:
    """Bytes read in order; nothing is read past their end."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self._what = data, 0, what

    def fail(self, why: str) -> Unreadable:
        return Unreadable(
            f"an account that should be a {self._what} of Squads is not one: {why}",
            remedy="Look at the address in an explorer, and check the target's `multisig`.",
        )

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise self.fail(f"it ends at byte {len(self._data)}, where {count} more are needed")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def key(self) -> Pubkey:
        return Pubkey.from_bytes(self.take(32))

    def many(self, size: int, one: Callable[[], _T]) -> tuple[_T, ...]:
        return tuple(one() for _ in range(self.number(size)))

    @property
    def rest(self) -> bytes:
        return self._data[self._at :]


@dataclass(frozen=True)
class Compiled:
    """An instruction whose program and accounts are places in the message's keys."""

    program: int
    accounts: bytes
    data: bytes


@dataclass(frozen=True)
class Lookup:
    """Keys that come from an address lookup table. ``ship`` makes none, and reads those of others."""

    table: Pubkey
    writable: bytes
    readonly: bytes


@dataclass(frozen=True)
class VaultMessage:
    """``keys``: writable signers, readonly signers, writable others, readonly others, by the three counts."""

    signers: int
    writable_signers: int
    writable_others: int
    keys: tuple[Pubkey, ...]
    instructions: tuple[Compiled, ...]
    lookups: tuple[Lookup, ...] = ()

    @property
    def digest(self) -> str:
        """sha256 of the compact encoding."""
        return sha256(self.compact()).hexdigest()

    def compact(self) -> bytes:
        """As vaultTransactionCreate takes it."""
        return self._encoded(1, 2)

    def borsh(self) -> bytes:
        """As the transaction's account keeps it."""
        return self._encoded(4, 4)

    def _encoded(self, count: int, data: int) -> bytes:
        def sized(size: int, length: int, body: bytes) -> bytes:
            if length >= 1 << 8 * size:
                raise MessageTooLarge(
                    f"a vault's message cannot hold {length} of what has a length of {size} byte(s)",
                    remedy="Take extra instructions out of the proposal, and propose them on their own.",
                )
            return length.to_bytes(size, "little") + body

        def raw(size: int, body: bytes) -> bytes:
            return sized(size, len(body), body)

        made = [bytes([one.program]) + raw(count, one.accounts) + raw(data, one.data) for one in self.instructions]
        found = [bytes(one.table) + raw(count, one.writable) + raw(count, one.readonly) for one in self.lookups]
        return (
            bytes([self.signers, self.writable_signers, self.writable_others])
            + sized(count, len(self.keys), b"".join(bytes(key) for key in self.keys))
            + sized(count, len(made), b"".join(made))
            + sized(count, len(found), b"".join(found))
        )

    @classmethod
    def read(cls, reader: Reader, *, compact: bool = False) -> VaultMessage:
        """The message at the reader's place. Raises ``Unreadable``, also for what the program would not have taken."""
        count, data = (1, 2) if compact else (4, 4)

        def raw(size: int) -> bytes:
            return reader.take(reader.number(size))

        heads = reader.number(1), reader.number(1), reader.number(1)
        keys = reader.many(count, reader.key)
        made = reader.many(count, lambda: Compiled(reader.number(1), raw(count), raw(data)))
        found = reader.many(count, lambda: Lookup(reader.key(), raw(count), raw(count)))
        message = cls(*heads, keys, made, found)
        if not message.sound():
            raise reader.fail("its message names accounts it does not have")
        return message

    def sound(self) -> bool:
        """Whether counts and places are within bounds: what the program checks when a transaction is created."""
        every = len(self.keys) + sum(len(one.writable) + len(one.readonly) for one in self.lookups)
        return (
            self.writable_signers <= self.signers <= len(self.keys)
            and self.writable_others <= len(self.keys) - self.signers
            and all(place < every for one in self.instructions for place in (one.program, *one.accounts))
        )

    def is_writable(self, place: int) -> bool:
        """Of a key of the message's own."""
        if place < self.signers:
            return place < self.writable_signers
        return place - self.signers < self.writable_others

    def decompiled(self) -> list[Instruction]:
        """The instructions with their keys. Raises ``Unreadable`` where keys come from lookup tables."""
        if self.lookups:
            raise Reader(b"", "message").fail("its keys come from lookup tables, which ship does not read")
        return [
            Instruction(
                self.keys[one.program],
                one.data,
                [AccountMeta(self.keys[at], at < self.signers, self.is_writable(at)) for at in one.accounts],
            )
            for one in self.instructions
        ]


def compile_vault_message(vault: Pubkey, instructions: Sequence[Instruction]) -> VaultMessage:
    """The message in which ``vault`` carries out ``instructions``. Raises ``MessageTooLarge``."""
    flags: dict[Pubkey, tuple[bool, bool]] = {vault: (True, True)}
    for one in instructions:
        flags.setdefault(one.program_id, (False, False))
        for meta in one.accounts:
            signs, writes = flags.get(meta.pubkey, (False, False))
            flags[meta.pubkey] = (signs or meta.is_signer, writes or meta.is_writable)
    groups = [[key for key, flag in flags.items() if flag == group] for group in _GROUPS]
    keys = tuple(key for group in groups for key in group)
    if len(keys) > 255:
        raise MessageTooLarge(
            f"the vault's message names {len(keys)} accounts, of at most 255",
            remedy="Take extra instructions out of the proposal, and propose them on their own.",
        )
    place = {key: number for number, key in enumerate(keys)}
    made = tuple(
        Compiled(place[one.program_id], bytes(place[meta.pubkey] for meta in one.accounts), bytes(one.data))
        for one in instructions
    )
    return VaultMessage(len(groups[0]) + len(groups[1]), len(groups[0]), len(groups[2]), keys, made)


_GROUPS = ((True, True), (True, False), (False, True), (False, False))
