"""The address book as a TypeScript module: literal types, so that a wrong name does not compile."""

from __future__ import annotations

import json
import re

from pipeline.exporting.book import Book, Place

__all__ = ["write_typescript"]

_HEAD = "// Written by `ship export --format typescript` from the release records. Do not edit.\n\n"
_TAIL = """
export type Target = keyof typeof addresses;
export type ContractName<T extends Target = Target> = keyof (typeof addresses)[T]["contracts"];
"""

_MIXED = """
type Addresses = typeof addresses;
export type Target = keyof Addresses;
export type ContractTarget = { [T in Target]: Addresses[T] extends { contracts: unknown } ? T : never }[Target];
export type ProgramTarget = Exclude<Target, ContractTarget>;
export type ContractName<T extends ContractTarget = ContractTarget> = keyof Addresses[T]["contracts"];
export type ProgramName<T extends ProgramTarget = ProgramTarget> = keyof Addresses[T]["programs"];
"""
_ONLY_PROGRAMS = """
export type Target = keyof typeof addresses;
export type ProgramName<T extends Target = Target> = keyof (typeof addresses)[T]["programs"];
"""


def write_typescript(book: Book) -> dict[str, str]:
    """A Solana target has ``programs`` in place of ``contracts``, and its cluster's genesis in place of a chain id."""
    lines = ["export const addresses = {"]
    for place in book.places:
        lines += [f"  {_key(place.target)}: {{", *(f"    {line}" for line in _place(place)), "  },"]
    lines.append("} as const;")
    kinds = {place.genesis is None for place in book.places}
    tail = _TAIL if kinds == {True} else _ONLY_PROGRAMS if kinds == {False} else _MIXED
    return {"addresses.ts": _HEAD + "\n".join(lines) + "\n" + tail}


def _place(place: Place) -> list[str]:
    if place.genesis is not None:
        return [
            f"genesis: {json.dumps(place.genesis)},",
            f"chain: {json.dumps(place.chain)},",
            f"version: {json.dumps(place.version)},",
            *_table("programs", [(program.name, program.address) for program in place.programs]),
        ]
    lines = [
        f"chainId: {place.chain_id},",
        f"chain: {json.dumps(place.chain)},",
        f"version: {json.dumps(place.version)},",
        *_table("contracts", [(entry.name, entry.address) for entry in place.entries]),
    ]
    for part in ("implementation", "admin", "beacon"):
        pairs = [(entry.name, dict(entry.parts)[part]) for entry in place.entries if part in dict(entry.parts)]
        if pairs:
            lines += _table(f"{part}s", pairs)
    return lines


def _table(name: str, pairs: list[tuple[str, str]]) -> list[str]:
    return [f"{name}: {{", *(f'  {_key(key)}: "{value}",' for key, value in pairs), "},"]


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", name) else json.dumps(name)
