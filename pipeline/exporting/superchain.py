"""The form of the superchain-registry: one TOML file a target with its ``[addresses]``.

Source: ethereum-optimism/superchain-registry, ``superchain/configs/mainnet/*.toml``: a proxied contract is listed as
``<Name>Proxy`` with the proxy's address. Keys of the registry that are about a rollup and not about contracts are left out.
"""

from __future__ import annotations

import json

from pipeline.exporting.book import Book, Entry, Place, unique

__all__ = ["write_superchain"]


def write_superchain(book: Book) -> dict[str, str]:
    return {f"{place.target}.toml": _document(place) for place in book.places}


def _document(place: Place) -> str:
    pairs = [pair for entry in place.entries for pair in _addresses(entry)]
    unique([(key, f"{key} ({address})") for key, address in pairs], f"the registry's form, on {place.target},")
    lines = [
        f"name = {json.dumps(place.target)}",
        f"chain_id = {place.chain_id}",
        "",
        "[addresses]",
        *(f"  {json.dumps(key) if '$' in key else key} = {json.dumps(address)}" for key, address in sorted(pairs)),
    ]
    return "\n".join(lines) + "\n"


def _addresses(entry: Entry) -> list[tuple[str, str]]:
    if entry.proxy == "none":
        return [(entry.name, entry.address)]
    pairs = [(f"{entry.name}Proxy", entry.address)]
    if entry.admin:
        pairs.append((f"{entry.name}ProxyAdmin", entry.admin))
    if entry.beacon:
        pairs.append((f"{entry.name}Beacon", entry.beacon))
    return pairs
