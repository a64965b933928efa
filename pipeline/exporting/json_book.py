"""The address book as JSON: by target, then by unit."""

from __future__ import annotations

from typing import Any

from chains.canonical import pretty
from pipeline.exporting.book import Book, Entry, Place, Program

__all__ = ["write_json"]


def write_json(book: Book) -> dict[str, str]:
    document = {
        "schema": 1,
        "kind": "contract-ship/addresses",
        "project": book.project,
        "targets": {place.target: _place(place) for place in book.places},
    }
    return {"addresses.json": pretty(document).decode()}


def _place(place: Place) -> dict[str, Any]:
    if place.genesis is not None:
        return {
            "chain": {"id": None, "name": place.chain, "genesis_hash": place.genesis},
            "version": place.version,
            "programs": {program.name: _program(program) for program in place.programs},
        }
    return {
        "chain": {"id": place.chain_id, "name": place.chain},
        "version": place.version,
        "contracts": {entry.name: _entry(entry) for entry in place.entries},
    }


def _program(program: Program) -> dict[str, Any]:
    return {key: value for key, value in program.__dict__.items() if key != "name"}


def _entry(entry: Entry) -> dict[str, Any]:
    return {"address": entry.address, "source": entry.source, "proxy": entry.proxy, **dict(entry.parts)}
