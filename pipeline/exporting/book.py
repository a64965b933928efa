"""The address book: what the newest record of each target says is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused
from pipeline.records.finding import find_records, load

__all__ = ["Book", "Entry", "NameTaken", "Place", "Program", "contracts_only", "read_book", "unique"]


class NothingRecorded(Refused):
    """SHIP-X01: there is no record to export."""

    code = "SHIP-X01"


class NameTaken(Refused):
    """SHIP-X02: two names become one in the form that was asked for."""

    code = "SHIP-X02"


class NoProgramsInForm(Refused):
    """SHIP-X07: the form asked for cannot hold Solana programs, and there is nothing else to write."""

    code = "SHIP-X07"


@dataclass(frozen=True)
class Entry:
    """One contract. Addresses have checksums; ``code_keccak256`` is of the code at ``address``, where it is recorded."""

    name: str
    address: str
    source: str
    proxy: str
    implementation: str | None
    admin: str | None
    beacon: str | None
    code_keccak256: str | None

    @property
    def parts(self) -> Iterator[tuple[str, str]]:
        """``(implementation | admin | beacon, address)`` of those it has."""
        for part in ("implementation", "admin", "beacon"):
            address = getattr(self, part)
            if address is not None:
                yield part, address


@dataclass(frozen=True)
class Program:
    """One Solana program. Addresses in base58. Its authority is left out: that moves without a release."""

    name: str
    address: str
    program_data: str
    sha256: str


@dataclass(frozen=True)
class Place:
    """One target: a system on a chain. ``record`` is what it was read from. A Solana cluster has programs, and no chain id: it is
    known by ``genesis``."""

    target: str
    chain_id: int
    chain: str
    version: str
    entries: tuple[Entry, ...]
    record: Mapping[str, Any]
    programs: tuple[Program, ...] = ()
    genesis: str | None = None


@dataclass(frozen=True)
class Book:
    project: str
    places: tuple[Place, ...]


def read_book(root: Path, project: str, targets: Sequence[str] = ()) -> Book:
    """The newest record of each target: the one that saw most of its journal. Raises ``NothingRecorded``."""
    newest: dict[str, Mapping[str, Any]] = {}
    codes: dict[str, dict[str, str]] = {}
    for name in targets or (None,):
        for file in find_records(root, target=name):
            record = load(file)
            codes.setdefault(file.target, {}).update(_codes(record))
            if record["journal"]["rows"] >= newest.get(file.target, record)["journal"]["rows"]:
                newest[file.target] = record
    if not newest:
        raise NothingRecorded(
            "there is no release record", remedy="`ship deploy` writes one, and so does `ship adopt` of what is there."
        )
    return Book(project, tuple(_place(t, newest[t], codes[t]) for t in sorted(newest)))


def _place(target: str, record: Mapping[str, Any], codes: Mapping[str, str]) -> Place:
    chain = record["chain"]
    if record.get("family") == "solana":
        return Place(target, 0, chain["name"], record["version"], (), record, _programs(record), chain["genesis_hash"])
    entries = tuple(
        Entry(
            name=name,
            address=unit["address"],
            source=unit.get("implementation_source") or unit["source"],
            proxy=unit["proxy"],
            implementation=unit["implementation"],
            admin=unit["admin"],
            beacon=unit["beacon"],
            code_keccak256=codes.get(unit["address"]),
        )
        for name, unit in sorted(record["units"].items())
        if unit.get("address")
    )
    return Place(target, chain["id"], chain["name"], record["version"], entries, record)


def _programs(record: Mapping[str, Any]) -> tuple[Program, ...]:
    return tuple(
        Program(name, unit["address"], unit["program_data"], unit["sha256"])
        for name, unit in sorted(record["units"].items())
        if unit["kind"] == "program"
    )


def contracts_only(book: Book, form: str) -> Book:
    """``book`` without its Solana targets, for a form that knows EVM addresses alone. Raises ``NoProgramsInForm``."""
    places = tuple(place for place in book.places if place.genesis is None)
    if not places:
        raise NoProgramsInForm(
            f"the form {form} holds contracts of EVM chains and no programs: "
            f"{', '.join(p.target for p in book.places)} cannot be written in it",
            done="Nothing was written.",
            remedy="json and typescript hold programs: --format json.",
        )
    return Book(book.project, places)


def _codes(record: Mapping[str, Any]) -> dict[str, str]:
    """keccak256 of runtime code by address: of what was deployed, and of what was adopted."""
    if record.get("family") == "solana":
        return {}
    codes = {t["address"]: t["code_keccak256"] for t in record["transactions"] if t["address"]}
    for adopted in record.get("adopted", ()):
        evidence, unit = adopted["evidence"], record["units"][adopted["unit"]]
        code = evidence.get("proxy_code_keccak256") or evidence.get("code_keccak256")
        if unit.get("address") and code:
            codes[unit["address"]] = code
    return codes


def unique(pairs: Sequence[tuple[str, str]], where: str) -> dict[str, str]:
    """``new name → old name``. Raises ``NameTaken`` where two old names become one."""
    taken: dict[str, str] = {}
    for new, old in pairs:
        if taken.setdefault(new, old) != old:
            raise NameTaken(
                f"{taken[new]} and {old} are both {new} in {where}", remedy="Rename one of the two in ship.toml."
            )
    return taken
