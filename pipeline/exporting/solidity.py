"""The address book as Solidity: one library of constants a target."""

from __future__ import annotations

from pipeline.exporting.book import Book, Place, unique
from pipeline.exporting.naming import camel, constant

__all__ = ["write_solidity"]

_HEAD = """// SPDX-License-Identifier: UNLICENSED
// Written by `ship export --format solidity` from the release records. Do not edit.
pragma solidity >=0.5.0;
"""


def write_solidity(book: Book) -> dict[str, str]:
    """Addresses carry their EIP-55 checksum: without it the compiler refuses them."""
    names = unique([(camel(f"{book.project}-{p.target}"), p.target) for p in book.places], "Solidity")
    library = {target: name for name, target in names.items()}
    return {"Addresses.sol": _HEAD + "".join(_library(library[place.target], place) for place in book.places)}


def _library(name: str, place: Place) -> str:
    constants = {"CHAIN_ID": ("uint256", str(place.chain_id))}
    pairs = [("CHAIN_ID", "the chain's id")]
    for entry in place.entries:
        for part, address in (("", entry.address), *entry.parts):
            key = constant(entry.name) + (f"_{part.upper()}" if part else "")
            pairs.append((key, f"{entry.name}{'.' + part if part else ''}"))
            constants[key] = ("address", address)
    unique(pairs, f"Solidity, on {place.target},")
    body = "".join(f"    {kind} internal constant {key} = {value};\n" for key, (kind, value) in constants.items())
    about = f"/// {place.target}: version {place.version} on {place.chain}."
    return f"\n{about}\nlibrary {name} {{\n{body}}}\n"
