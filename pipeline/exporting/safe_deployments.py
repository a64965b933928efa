"""The form of safe-deployments: one JSON file a contract, with its addresses by network and its ABI.

Source: safe-global/safe-deployments, ``src/assets/v1.4.1/*.json``. Where networks differ in the address, the one most of
them have is ``canonical``, and the others are named after their target.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chains.errors import Refused
from pipeline.exporting.book import Book, Entry, Place, unique
from pipeline.exporting.naming import snake

__all__ = ["write_safe_deployments"]

Abi = Callable[[Place, Entry], Sequence[Mapping[str, Any]]]


class CodeUnknown(Refused):
    """SHIP-X03: the record does not hold what this form asks for."""

    code = "SHIP-X03"


def write_safe_deployments(book: Book, abi: Abi) -> dict[str, str]:
    """``abi`` gives a contract's ABI, from the bundle its record names."""
    found: dict[str, list[tuple[Place, Entry]]] = {}
    for place in book.places:
        for entry in place.entries:
            found.setdefault(entry.name, []).append((place, entry))
    unique([(snake(name), name) for name in found], "safe-deployments")
    files = {}
    for name, instances in sorted(found.items()):
        text = json.dumps(_document(name, instances, abi), indent=2, ensure_ascii=False)
        files[f"{snake(name)}.json"] = text + "\n"
    return files


def _document(name: str, instances: Sequence[tuple[Place, Entry]], abi: Abi) -> dict[str, Any]:
    (canonical, _), *_ = Counter(entry.address for _, entry in instances).most_common()
    deployments: dict[str, dict[str, str]] = {}
    networks: dict[int, list[str]] = {}
    for place, entry in instances:
        kind = "canonical" if entry.address == canonical else place.target
        deployments[kind] = {"address": entry.address, "codeHash": _code(place, entry)}
        networks.setdefault(place.chain_id, []).append(kind)
    place, entry = instances[-1]
    return {
        "released": all("-" not in p.version for p, _ in instances),
        "contractName": name,
        "version": place.version,
        "deployments": dict(sorted(deployments.items(), key=lambda item: (item[0] != "canonical", item[0]))),
        "networkAddresses": {
            str(chain_id): kinds[0] if len(kinds) == 1 else kinds for chain_id, kinds in sorted(networks.items())
        },
        "abi": [dict(item) for item in abi(place, entry)],
    }


def _code(place: Place, entry: Entry) -> str:
    if entry.code_keccak256 is None:
        raise CodeUnknown(
            f"the record of {place.target} does not hold the code hash of {entry.name}",
            remedy="Its transaction is in an earlier record: export that target's release again, or another format.",
        )
    return entry.code_keccak256
