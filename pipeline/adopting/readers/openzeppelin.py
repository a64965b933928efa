"""OpenZeppelin's upgrades plugins: ``.openzeppelin/<network>.json``, manifest version 3.

Proxies and implementations without names: units are found by their code. ``unknown-<chain id>.json`` where the plugin has
no name for the network. Names: ``networkNames`` in upgrades-core's ``manifest.ts``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.adopting.claims import Claim, Claims
from pipeline.adopting.parsing import address_at, hash_or_none, load_json, table, unreadable

__all__ = ["OpenZeppelin"]

_NETWORKS = {
    "mainnet": 1, "optimism": 10, "bsc": 56, "bsc-testnet": 97, "polygon": 137, "base": 8453, "arbitrum-one": 42161,
    "avalanche-fuji": 43113, "avalanche": 43114, "celo": 42220, "base-sepolia": 84532, "polygon-amoy": 80002,
    "arbitrum-sepolia": 421614, "sepolia": 11155111, "optimism-sepolia": 11155420, "holesky": 17000, "goerli": 5,
}  # fmt: skip


class OpenZeppelin:
    """A manifest, or the folder ``.openzeppelin`` with one for each network."""

    kind = "OpenZeppelin manifest"

    def knows(self, path: Path) -> bool:
        if path.is_dir():
            return path.name == ".openzeppelin" or any(_is_manifest(f) for f in path.glob("*.json"))
        return path.suffix == ".json" and _is_manifest(path)

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        files = [path] if not path.is_dir() else [f for f in sorted(path.glob("*.json")) if _is_manifest(f)]
        found = [self._claims(file) for file in files]
        return [claims for claims in found if claims.chain_id in {None, chain_id}] or found

    def _claims(self, path: Path) -> Claims:
        data = table(path, load_json(path), "the manifest")
        version = str(data.get("manifestVersion", ""))
        if version.partition(".")[0] != "3":
            raise unreadable(path, f"its manifestVersion is {version or 'missing'}, and 3 is what is read here")
        return Claims(str(path), self.kind, _chain_id(path), tuple(self._contracts(path, data)))

    @staticmethod
    def _contracts(path: Path, data: Mapping[str, Any]) -> Iterator[Claim]:
        entries = [*(data.get("proxies") or ()), *(data.get("impls") or {}).values()]
        if data.get("admin"):
            entries.append(data["admin"])
        for item in entries:
            entry = table(path, item, "an entry")
            hash_ = hash_or_none(entry.get("txHash"))
            address = address_at(path, entry.get("address"), "an address")
            yield Claim(address, (), hash_)
            for other in entry.get("allAddresses") or ():
                if address_at(path, other, "an address") != address:
                    yield Claim(address_at(path, other, "an address"))


def _is_manifest(path: Path) -> bool:
    data = load_json(path)
    return isinstance(data, Mapping) and "manifestVersion" in data


def _chain_id(path: Path) -> int | None:
    digits = path.stem.removeprefix("unknown-")
    return int(digits) if path.stem != digits and digits.isdigit() else _NETWORKS.get(path.stem)
