"""What publishing an IDL the old way would do, read and priced; what is published now; whether a program can be asked at all."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.solana.fees import Budget, limit_from, price_from
from chains.solana.layouts import Account
from chains.solana.legacy_idl.layout import HEAD, TAG, IdlAccount, idl_address, parse_idl
from chains.solana.legacy_idl.publication import LegacyIdlPublication, idl_sha256
from chains.solana.metadata.packing import inflate, pack
from chains.solana.publication import ServiceMissing
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.transactions import compile_message, populate

__all__ = ["LegacyIdl", "PlannedLegacyIdl", "carries_instructions", "plan_legacy_idl", "read_legacy_idl"]

_UNITS = 20_000
_DID_NOT_DESERIALIZE = 102


@dataclass(frozen=True)
class LegacyIdl:
    """What an Anchor client finds: the account, and its IDL unpacked."""

    address: str
    account: IdlAccount
    document: bytes


@dataclass(frozen=True)
class PlannedLegacyIdl:
    """As ``PlannedMetadata``."""

    unit: str
    kind: Literal["nothing", "create", "update"]
    publication: LegacyIdlPublication | None
    address: str
    document_sha256: str
    transactions: int = 0
    rent_lamports: int = 0
    borrowed_lamports: int = 0
    fee_lamports: int = 0

    def to_json(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.__dict__.items() if key != "publication"}
        return {**shown, "publication": self.publication.to_json() if self.publication else None}


def read_legacy_idl(cluster: Cluster, program: str) -> LegacyIdl | None:
    """``None`` where the program has none. Raises ``IdlUnreadable``, ``MetadataUnreadable`` (data that cannot be unpacked)."""
    address = str(idl_address(Pubkey.from_string(program)))
    return _read(cluster.accounts([address], "confirmed")[address], address, program)


def _read(account: Account | None, address: str, program: str) -> LegacyIdl | None:
    if account is None or not account.data:
        return None
    found = parse_idl(account, Pubkey.from_string(program))
    return LegacyIdl(address, found, inflate(found.data) if found.data else b"")


def carries_instructions(cluster: Cluster, program: str, payer: str) -> bool:
    """Whether a program that is deployed takes IDL instructions, by simulating one that there is not: a program that knows them
    says it cannot read it (102), others that they do not know it. ``payer`` has to have lamports."""
    probe = Instruction(Pubkey.from_string(program), TAG + b"\xff", [])
    message = compile_message(Pubkey.from_string(payer), [probe], "1" * 32)
    error, _, _ = cluster.simulate(populate(message, [bytes(64)]))
    return bool(error == {"InstructionError": [0, {"Custom": _DID_NOT_DESERIALIZE}]})


def plan_legacy_idl(
    cluster: Cluster,
    plan: str,
    unit: str,
    program: str,
    payer: str,
    authority: str,
    document: bytes,
    *,
    settings: Settings | None = None,
) -> PlannedLegacyIdl:
    """``unit`` is the program's, which has to be deployed. ``authority`` is who holds the IDL account, or will.

    Raises ``DocumentRefused``, ``ServiceMissing`` (the program was built without the instructions), ``AuthorityMismatch``,
    ``IdlUnreadable``.
    """
    settings = settings or Settings()
    pack(document, f"the IDL of {unit}")  # refuses what is no IDL or too large; Anchor's clients know zlib alone
    digest, packed = sha256(document).hexdigest(), zlib.compress(document, 9)
    address, name = str(idl_address(Pubkey.from_string(program))), f"{unit}/anchor:idl"
    account = cluster.accounts([address], "confirmed")[address]
    now = _read(account, address, program)
    if now is not None and now.document == document:
        return PlannedLegacyIdl(name, "nothing", None, address, digest)
    if not carries_instructions(cluster, program, payer):
        raise ServiceMissing(
            f"{program} was built without Anchor's IDL instructions",
            remedy="Publish its IDL as program metadata instead, or build it without the feature `no-idl`.",
        )
    before = idl_sha256(account)
    kind: Literal["create", "update"] = "update" if before else "create"
    publication = LegacyIdlPublication(plan, name, kind, program, payer, authority, packed, digest, before)
    buffer = cluster.accounts([publication.buffer], "confirmed")[publication.buffer]
    publication.next_step(
        {address: account, publication.buffer: buffer}
    )  # refuses another's account before the plan is shown
    recent = cluster.recent_fees([address])
    price = price_from(recent, settings.price_percentile, settings.price_cap_micro_lamports)
    budget = Budget(limit_from(_UNITS), price)
    writes = -(-len(packed) // publication.chunk)
    whole = cluster.rent(HEAD + len(packed))
    return PlannedLegacyIdl(
        name,
        kind,
        publication,
        address,
        digest,
        writes + 2,
        max(whole - (account.lamports if account else 0), 0),
        whole,
        budget.lamports(1) * (writes + 1) + budget.lamports(len(publication.needed)),
    )
