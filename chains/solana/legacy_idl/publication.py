"""The legacy IDL account to be written, and the next thing to do for it: a pure function of a look.

    buffer → write@0 → write@960 → … → publish

A write appends, so that each has to be seen before the next is signed; its step is named for the length it begins at. The buffer
is the payer's until the last transaction, the only one the IDL's authority signs.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    AssignWithSeedParams,
    TransferParams,
    allocate_with_seed,
    assign_with_seed,
    transfer,
)

from chains.solana.fees import MAX_UNITS, Budget
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import Account
from chains.solana.legacy_idl import layout as made
from chains.solana.legacy_idl.layout import HEAD, MOST, IdlUnreadable, idl_address, parse_idl
from chains.solana.publication import PUBLISHED, PublicationChanged, Rent
from chains.solana.sending import Accounts
from chains.solana.writing import room

__all__ = ["LegacyIdlPublication", "idl_sha256"]


def _key(text: str) -> Pubkey:
    return Pubkey.from_string(text)


def idl_sha256(account: Account | None) -> str | None:
    """What tells an IDL account's content from another; ``None`` where there is none."""
    return sha256(account.data).hexdigest() if account is not None and account.data else None


@dataclass(frozen=True)
class LegacyIdlPublication:
    """As ``MetadataPublication``. ``authority`` is the IDL account's own, which need not be the program's upgrade authority."""

    plan: str
    unit: str
    kind: Literal["create", "update"]
    program: str
    payer: str
    authority: str
    packed: bytes
    document_sha256: str
    before_sha256: str | None = None

    @cached_property
    def address(self) -> str:
        return str(idl_address(_key(self.program)))

    @cached_property
    def seed(self) -> str:
        """It follows from the program alone: what an abandoned plan left is found by the next."""
        return sha256(f"ship idl buffer\0{self.program}".encode()).hexdigest()[:32]

    @cached_property
    def buffer(self) -> str:
        return str(Pubkey.create_with_seed(_key(self.payer), self.seed, _key(self.program)))

    @property
    def keys(self) -> Sequence[str]:
        return [self.address, self.buffer]

    @property
    def chunks(self) -> None:
        """None: each write appends to what the one before left."""

    @property
    def needed(self) -> Sequence[str]:
        return sorted({self.payer, self.authority})

    @property
    def spends(self) -> Mapping[str, str]:
        return {"buffer": "publish"}

    @property
    def digest(self) -> str:
        return self.document_sha256

    @property
    def content(self) -> bytes:
        return self.packed

    @cached_property
    def chunk(self) -> int:
        """Bytes one write can append, the dearest compute budget included."""
        return room(self, Budget(MAX_UNITS, 1))

    def to_json(self) -> dict[str, Any]:
        """The packed bytes are in it: another machine's compressor may give others for the same document."""
        packed = base64.b64encode(self.packed).decode()
        return {**asdict(self), "address": self.address, "buffer": self.buffer, "packed": packed}

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave, from a plan or a row of the journal."""
        names = ("plan", "unit", "kind", "program", "payer", "authority", "document_sha256", "before_sha256")
        packed = base64.b64decode(shown["packed"], validate=True)
        return cls(packed=packed, **{name: shown[name] for name in names})

    def resumed(self, planned: Mapping[str, Any]) -> Self:
        return self.from_json(planned)

    # -- what to do ----------------------------------------------------------------------------------------------------

    def next_step(self, accounts: Accounts) -> str:
        """Raises ``PublicationChanged``, ``AuthorityMismatch`` and ``IdlUnreadable``."""
        account, buffer = accounts[self.address], accounts[self.buffer]
        ours = buffer if buffer is not None and buffer.data else None
        if account is not None and account.data:
            found = parse_idl(account, _key(self.program))
            if found.data == self.packed:
                return "reclaim" if ours else PUBLISHED
            if str(found.authority) != self.authority:
                raise AuthorityMismatch(
                    f"the authority of the IDL account of {self.program} is {found.authority}, the target names "
                    f"{self.authority}",
                    remedy="Use the key that holds it, or have it moved first (`anchor idl set-authority`).",
                )
        if idl_sha256(account) != self.before_sha256:
            raise PublicationChanged(
                f"the IDL account of {self.program} was written by somebody else since it was planned",
                remedy="Look at what is there now, then plan again: `ship deploy --replan`.",
            )
        return self._towards(ours)

    def _towards(self, buffer: Account | None) -> str:
        if buffer is None:
            return "buffer"
        held = parse_idl(buffer, _key(self.program))
        if str(held.authority) != self.payer:
            raise IdlUnreadable(
                f"the buffer {self.buffer} belongs to {held.authority}",
                remedy="Close it with that key, then run again.",
            )
        if held.capacity != len(self.packed) or not self.packed.startswith(held.data):
            return "reset"
        return "publish" if held.data == self.packed else f"write@{len(held.data)}"

    # -- how -----------------------------------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes) -> Instruction:
        return made.write(_key(self.program), _key(self.buffer), _key(self.payer), data)

    def lamports(self, accounts: Accounts, rent: Rent) -> int:
        both = rent(HEAD + len(self.packed))
        return both - _lamports(accounts[self.buffer]) + max(both - _lamports(accounts[self.address]), 0)

    def instructions(self, step: str, accounts: Accounts, rent: Rent) -> Sequence[Instruction]:
        """What a step's transaction holds, beside its compute budget."""
        program, payer, buffer = _key(self.program), _key(self.payer), _key(self.buffer)
        if step in {"reset", "reclaim"}:
            return [made.close(program, buffer, payer, payer)]
        if step == "buffer":
            lacking = rent(HEAD + len(self.packed)) - _lamports(accounts[self.buffer])
            space = HEAD + len(self.packed)
            return [
                *_moved(payer, buffer, lacking),
                allocate_with_seed(
                    AllocateWithSeedParams(address=buffer, base=payer, seed=self.seed, space=space, owner=program)
                ),
                assign_with_seed(AssignWithSeedParams(address=buffer, base=payer, seed=self.seed, owner=program)),
                made.create_buffer(program, buffer, payer),
            ]
        if step.startswith("write@"):
            at = int(step.removeprefix("write@"))
            return [self.write(at, self.packed[at : at + self.chunk])]
        if step != "publish":
            raise ValueError(step)
        return self._publish(accounts[self.address], rent)

    def _publish(self, account: Account | None, rent: Rent) -> Sequence[Instruction]:
        """One that is too small is closed and made anew: Anchor resizes only what is empty."""
        program, payer, authority = _key(self.program), _key(self.payer), _key(self.authority)
        buffer, size = _key(self.buffer), HEAD + len(self.packed)
        hand_over = made.set_authority(program, buffer, payer, authority) if payer != authority else None
        steps: list[Instruction] = [hand_over] if hand_over else []
        has_room = account is not None and bool(account.data) and len(account.data) >= size
        if account is not None and account.data and not has_room:
            steps.append(made.close(program, _key(self.address), authority, payer))
        if not has_room:
            steps += _moved(payer, authority, rent(size)) if payer != authority else []
            steps.append(made.create(program, authority, len(self.packed)))
            steps += [made.resize(program, authority, size) for _ in range(MOST, size, MOST)]
        steps.append(made.set_buffer(program, buffer, authority))
        return [*steps, made.close(program, buffer, authority, payer)]


def _moved(payer: Pubkey, to: Pubkey, lamports: int) -> list[Instruction]:
    return [transfer(TransferParams(from_pubkey=payer, to_pubkey=to, lamports=lamports))] if lamports > 0 else []


def _lamports(account: Account | None) -> int:
    return account.lamports if account else 0
