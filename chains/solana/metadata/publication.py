"""One metadata account to be created or written anew, and the next thing to do for it: a pure function of a look.

    direct     (it fits a packet)   publish
    by buffer                       buffer → write → publish

The buffer is an account of the payer's at a derived address, so that whoever pays writes, and the upgrade authority signs the one
transaction that publishes. That one also closes the buffer, whose rent goes back.
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
from solders.system_program import TransferParams, transfer

from chains.solana.fees import MAX_UNITS, Budget
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import Account, parse_program_data, program_data_address
from chains.solana.metadata import instructions as made
from chains.solana.metadata.layout import (
    HEAD,
    PROGRAM,
    Form,
    buffer_seed,
    canonical_address,
    parse_buffer,
    parse_metadata,
    seed_bytes,
    third_party_address,
)
from chains.solana.publication import PUBLISHED, PublicationChanged, Rent
from chains.solana.sending import Accounts
from chains.solana.transactions import MAX_BYTES, compile_message, size

__all__ = ["MetadataPublication", "account_sha256"]


def account_sha256(account: Account | None) -> str | None:
    """What tells an account's content from another; ``None`` where there is none."""
    return sha256(account.data).hexdigest() if account is not None and account.data else None


def _key(text: str) -> Pubkey:
    return Pubkey.from_string(text)


@dataclass(frozen=True)
class MetadataPublication:
    """Addresses in base58. ``document_sha256`` is of the document, ``packed`` its bytes as they are kept; ``before_sha256`` of the
    account's at planning, ``None`` where there was none."""

    plan: str
    unit: str
    kind: Literal["create", "update"]
    program: str
    payer: str
    authority: str
    seed: str
    form: Form
    packed: bytes
    document_sha256: str
    before_sha256: str | None = None

    @cached_property
    def address(self) -> str:
        return str(canonical_address(_key(self.program), self.seed))

    @cached_property
    def buffer(self) -> str:
        return str(third_party_address(_key(self.program), _key(self.payer), buffer_seed(self.seed)))

    @cached_property
    def program_data(self) -> str:
        return str(program_data_address(_key(self.program)))

    @property
    def keys(self) -> Sequence[str]:
        return [self.address, self.buffer, self.program_data]

    @property
    def chunks(self) -> Self:
        return self

    @property
    def target(self) -> str:
        return self.buffer

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
    def direct(self) -> bool:
        """Whether one transaction can carry it, the dearest compute budget included."""
        sample = [*Budget(MAX_UNITS, 1).instructions(), *self._publish_directly(1, shrinks=True)]
        return size(compile_message(_key(self.payer), sample, "1" * 32)) <= MAX_BYTES

    def to_json(self) -> dict[str, Any]:
        """The packed bytes are in it: another machine's compressor may give others for the same document."""
        return {
            **asdict(self),
            "address": self.address,
            "buffer": None if self.direct else self.buffer,
            "form": self.form.bytes.hex(),
            "packed": base64.b64encode(self.packed).decode(),
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave, from a plan or a row of the journal."""
        names = ("plan", "unit", "kind", "program", "payer", "authority", "seed", "document_sha256", "before_sha256")
        packed = base64.b64decode(shown["packed"], validate=True)
        return cls(form=Form(*bytes.fromhex(shown["form"])), packed=packed, **{name: shown[name] for name in names})

    def resumed(self, planned: Mapping[str, Any]) -> Self:
        return self.from_json(planned)

    # -- what to do ----------------------------------------------------------------------------------------------------

    def next_step(self, accounts: Accounts) -> str:
        """Raises ``PublicationChanged``, ``AuthorityMismatch`` and ``MetadataUnreadable``."""
        buffer = accounts[self.buffer]
        has_buffer = buffer is not None and buffer.owner == str(PROGRAM) and bool(buffer.data)
        if self._published(accounts[self.address]):
            return "reclaim" if has_buffer else PUBLISHED
        self._may(accounts)
        if self.direct:
            return "publish"
        if buffer is None or not has_buffer:
            return "buffer"
        held = parse_buffer(buffer).data
        if len(held) != len(self.packed):
            return "reset"
        return "publish" if held == self.packed else "write"

    def _published(self, account: Account | None) -> bool:
        if account is None or account.owner != str(PROGRAM) or account.data[:1] != b"\2":
            return False
        found = parse_metadata(account)
        return found.canonical and found.form == self.form and found.data == self.packed

    def _may(self, accounts: Accounts) -> None:
        now = account_sha256(accounts[self.address])
        if now != self.before_sha256:
            raise PublicationChanged(
                f"{self.seed} of {self.program} ({self.address}) was written by somebody else since it was planned",
                remedy="Look at what is there now, then plan again: `ship deploy --replan`.",
            )
        data = accounts[self.program_data]
        holder = parse_program_data(data).authority if data else None
        if str(holder) != self.authority:
            raise AuthorityMismatch(
                f"the upgrade authority of {self.program} is {holder or 'nobody'}, the target names {self.authority}",
                remedy="Only the upgrade authority can publish: name it as the signer.",
            )

    # -- how -----------------------------------------------------------------------------------------------------------

    def write(self, offset: int, data: bytes) -> Instruction:
        return made.write(_key(self.buffer), _key(self.payer), offset, data)

    def held(self, accounts: Accounts) -> bytes:
        buffer = accounts[self.buffer]
        return parse_buffer(buffer).data if buffer else b""

    def lamports(self, accounts: Accounts, rent: Rent) -> int:
        lacking = max(rent(HEAD + len(self.packed)) - _lamports(accounts[self.address]), 0)
        if self.direct:
            return lacking
        return lacking + max(rent(HEAD + len(self.packed)) - _lamports(accounts[self.buffer]), 0)

    def instructions(self, step: str, accounts: Accounts, rent: Rent) -> Sequence[Instruction]:
        """What a step's transaction holds, beside its compute budget."""
        payer, buffer = _key(self.payer), _key(self.buffer)
        if step in {"reset", "reclaim"}:
            return [made.close(buffer, payer, payer)]
        if step == "buffer":
            lacking = rent(HEAD + len(self.packed)) - _lamports(accounts[self.buffer])
            return [
                *self._fund(buffer, lacking),
                made.allocate(buffer, payer, _key(self.program), buffer_seed(self.seed)),
                *made.extend_by(buffer, payer, len(self.packed)),
            ]
        if step != "publish":
            raise ValueError(step)
        account = accounts[self.address]
        lacking = rent(HEAD + len(self.packed)) - _lamports(account)
        length = max(len(account.data) - HEAD, 0) if account else 0
        if self.direct:
            return self._publish_directly(lacking, shrinks=length > len(self.packed))
        return self._publish_from_buffer(lacking, length)

    def _fund(self, account: Pubkey, lamports: int) -> list[Instruction]:
        params = TransferParams(from_pubkey=_key(self.payer), to_pubkey=account, lamports=max(lamports, 0))
        return [transfer(params)] if lamports > 0 else []

    def _parts(self) -> tuple[Pubkey, Pubkey, Pubkey, Pubkey]:
        return _key(self.address), _key(self.authority), _key(self.program), _key(self.program_data)

    def _publish_directly(self, lacking: int, *, shrinks: bool) -> list[Instruction]:
        address, authority, program, data = self._parts()
        funds = self._fund(address, lacking)
        if self.kind == "create":
            return [
                *funds,
                made.initialize(address, authority, program, data, seed_bytes(self.seed), self.form, self.packed),
            ]
        made_here = [*funds, made.set_data(address, authority, program, data, self.form, self.packed)]
        return [*made_here, *self._trim(shrinks=shrinks)]

    def _publish_from_buffer(self, lacking: int, length: int) -> list[Instruction]:
        address, authority, program, data = self._parts()
        payer, buffer = _key(self.payer), _key(self.buffer)
        close = made.close(buffer, payer, payer)
        if self.kind == "create":
            return [
                *self._fund(address, lacking),
                made.allocate(address, authority, program, seed_bytes(self.seed), data),
                *made.extend_by(address, authority, len(self.packed), program, data),
                made.write(address, authority, 0, source=buffer),
                made.initialize(address, authority, program, data, seed_bytes(self.seed), self.form),
                close,
            ]
        grows = len(self.packed) - length
        return [
            *self._fund(address, lacking),
            *(made.extend_by(address, authority, grows, program, data) if grows > made.MAX_GROWTH else []),
            made.set_data(address, authority, program, data, self.form, buffer=buffer),
            close,
            *self._trim(shrinks=grows < 0),
        ]

    def _trim(self, *, shrinks: bool) -> list[Instruction]:
        """The rent of what got shorter goes to the payer."""
        address, authority, program, data = self._parts()
        return [made.trim(address, authority, program, data, _key(self.payer))] if shrinks else []


def _lamports(account: Account | None) -> int:
    return account.lamports if account else 0
