"""What publishing a document would do (nothing, create, update), read and priced; and what is published now."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana.fees import Budget, limit_from, price_from
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import Account, parse_program_data, program_data_address
from chains.solana.metadata.layout import (
    HEAD,
    PROGRAM,
    Metadata,
    MetadataUnreadable,
    canonical_address,
    parse_metadata,
    seed_bytes,
)
from chains.solana.metadata.packing import Packed, pack, unpack
from chains.solana.metadata.publication import MetadataPublication, account_sha256
from chains.solana.publication import need_program
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.writing import room

__all__ = ["MetadataLocked", "PlannedMetadata", "Published", "metadata_unit", "plan_metadata", "read_metadata"]

_WRITE_UNITS = 5_000


class MetadataLocked(Refused):
    """SHIP-Q65: a program's metadata was made immutable, and is not what is to be published."""

    code = "SHIP-Q65"


@dataclass(frozen=True)
class Published:
    """What lies at a program's canonical address. ``document`` is ``None`` where it only points elsewhere or is not text."""

    address: str
    metadata: Metadata
    document: bytes | None


@dataclass(frozen=True)
class PlannedMetadata:
    """``publication`` carries it out (``None`` for nothing). Lamports: ``rent`` stays (or, negative, comes back), ``borrowed``
    comes back with the buffer, ``fees`` at the prices of now."""

    unit: str
    kind: Literal["nothing", "create", "update"]
    publication: MetadataPublication | None
    address: str
    document_sha256: str
    transactions: int = 0
    rent_lamports: int = 0
    borrowed_lamports: int = 0
    fee_lamports: int = 0

    def to_json(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.__dict__.items() if key != "publication"}
        return {**shown, "publication": self.publication.to_json() if self.publication else None}


def metadata_unit(unit: str, seed: str) -> str:
    """The name under which a program's publication stands in plan and journal, beside the program's own."""
    return f"{unit}/{seed}"


def read_metadata(cluster: Cluster, program: str, seed: str) -> Published | None:
    """What everybody finds of this name, ``None`` where nothing is published. Raises ``MetadataUnreadable``."""
    address = str(canonical_address(Pubkey.from_string(program), seed))
    account = cluster.accounts([address], "confirmed")[address]
    return _published(account, address, program, seed)


def _published(account: Account | None, address: str, program: str, seed: str) -> Published | None:
    if account is None or not account.data:
        return None
    found = parse_metadata(account)
    if str(found.program) != program or found.seed != seed_bytes(seed) or not found.canonical:
        raise MetadataUnreadable(
            f"the metadata account {address} says that it is of {found.program}",
            remedy="Ask another node: the program derives its addresses from what it writes there.",
        )
    return Published(address, found, unpack(found))


def plan_metadata(
    cluster: Cluster,
    plan: str,
    unit: str,
    program: str,
    payer: str,
    authority: str,
    seed: str,
    document: bytes,
    *,
    settings: Settings | None = None,
) -> PlannedMetadata:
    """``unit`` is the program's. The program itself may be yet to be deployed, with ``authority`` as its upgrade authority.

    Raises ``DocumentRefused``, ``SeedRefused``, ``ServiceMissing``, ``AuthorityMismatch``, ``MetadataLocked``,
    ``MetadataUnreadable``.
    """
    packed, digest = pack(document, f"{seed} of {unit}"), sha256(document).hexdigest()
    address = str(canonical_address(Pubkey.from_string(program), seed))
    need_program(cluster, str(PROGRAM), "Program Metadata program")
    data_key = str(program_data_address(Pubkey.from_string(program)))
    accounts = cluster.accounts([address, data_key], "confirmed")
    before, data = accounts[address], accounts[data_key]
    now = _published(before, address, program, seed)
    name = metadata_unit(unit, seed)
    if now and now.document == document and now.metadata.form.format == packed.form.format:
        return PlannedMetadata(name, "nothing", None, address, digest)
    if now and not now.metadata.mutable:
        raise MetadataLocked(
            f"{seed} of {program} is immutable, and is not the document of this release",
            remedy="Leave it out of ship.toml: nobody can change it any more.",
        )
    if data is not None and str(parse_program_data(data).authority) != authority:
        raise AuthorityMismatch(
            f"the upgrade authority of {program} is {parse_program_data(data).authority or 'nobody'}, the target names "
            f"{authority}",
            remedy="Only the upgrade authority can publish: name it as the signer.",
        )
    publication = MetadataPublication(
        plan,
        name,
        "update" if now else "create",
        program,
        payer,
        authority,
        seed,
        packed.form,
        packed.data,
        digest,
        account_sha256(before),
    )
    return _priced(cluster, publication, packed, before, settings or Settings())


def _priced(
    cluster: Cluster, publication: MetadataPublication, packed: Packed, before: Account | None, settings: Settings
) -> PlannedMetadata:
    recent = cluster.recent_fees([publication.address])
    price = price_from(recent, settings.price_percentile, settings.price_cap_micro_lamports)
    budget = Budget(limit_from(_WRITE_UNITS), price)
    whole = cluster.rent(HEAD + len(packed.data))
    last = budget.lamports(len(publication.needed))
    writes = 0 if publication.direct else -(-len(packed.data) // room(publication, budget))
    return PlannedMetadata(
        publication.unit,
        publication.kind,
        publication,
        publication.address,
        publication.document_sha256,
        1 if publication.direct else writes + 2,
        whole - (before.lamports if before else 0),
        0 if publication.direct else whole,
        last if publication.direct else last + budget.lamports(1) * (writes + 1),
    )
