"""The evidence of adoptions, read back from the journal: from it and the bundle an adopted contract's init code follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chains.base import Row
from chains.evm.actions import Action
from chains.evm.address import address_bytes
from chains.evm.artifacts import Artifact, link

__all__ = ["Made", "adopted_creations"]


@dataclass(frozen=True)
class Made:
    """How an adopted contract was created, as its adoption saw it."""

    source: str
    creator: str
    args: bytes
    value_wei: int
    libraries: Mapping[str, str]

    def action(self, unit: str, name: str, address: str, artifact: Artifact) -> Action:
        """The creation as an action of ours would be."""
        libraries = {library: address_bytes(place) for library, place in self.libraries.items()}
        data = link(artifact.creation_code, artifact.creation_links, libraries) + self.args
        return Action(name, unit, "create", "", 0, None, self.value_wei, data, address=address, source=artifact.source)


def adopted_creations(rows: Iterable[Row]) -> dict[str, Made]:
    """By address (lower case), of every adopted contract whose creation was seen."""
    found: dict[str, Made] = {}
    for row in rows:
        if row.kind != "unit.adopted" or "evidence" not in row.data:
            continue
        effect, evidence = row.data["effect"], row.data["evidence"]
        if behind := evidence.get("implementation"):
            _add(found, effect["implementation"], behind["source"], behind.get("creation"), behind)
            beacon = evidence.get("beacon", {})
            if beacon.get("source"):
                _add(found, effect["beacon"], beacon["source"], beacon["creation"], {})
            if source := evidence.get("proxy_source"):
                _add(found, effect["address"], source, evidence["proxy_creation"], {})
        elif effect.get("address"):
            _add(found, effect["address"], evidence["source"], evidence.get("creation"), evidence)
    return found


def _add(
    found: dict[str, Made], address: str, source: str, creation: Mapping[str, Any] | None, seen: Mapping[str, Any]
) -> None:
    if creation is None:
        return
    args, value_wei = bytes.fromhex(creation["args"][2:]), int(creation["value_wei"])
    found[address.lower()] = Made(source, creation["creator"], args, value_wei, seen.get("libraries", {}))
