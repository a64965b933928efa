"""hardhat-deploy's ``deployments/<network>/``: one JSON file a deployment, the chain id in ``.chainId``.

``X.json`` of a proxied deployment holds the proxy's address, beside ``X_Proxy.json`` and ``X_Implementation.json``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.adopting.claims import Claim, Claims
from pipeline.adopting.parsing import address_at, hash_or_none, load_json, read_text, unreadable

__all__ = ["HardhatDeploy"]


class HardhatDeploy:
    """The folder of a network, or one deployment's file."""

    kind = "hardhat-deploy"

    def knows(self, path: Path) -> bool:
        if path.is_dir():
            return (path / ".chainId").is_file() or any(self._is_deployment(f) for f in sorted(path.glob("*.json"))[:3])
        return path.suffix == ".json" and self._is_deployment(path)

    @staticmethod
    def _is_deployment(path: Path) -> bool:
        data = load_json(path)
        return isinstance(data, Mapping) and "abi" in data and "address" in data

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        folder = path if path.is_dir() else path.parent
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        claims = []
        for file in files:
            data = load_json(file)
            if not isinstance(data, Mapping) or "address" not in data:
                continue  # `.migrations.json` and the like
            claims.append(self._claim(file, data))
        return [Claims(str(path), self.kind, _chain_id(folder), tuple(claims))]

    @staticmethod
    def _claim(file: Path, data: Mapping[str, Any]) -> Claim:
        receipt = data.get("receipt")
        from_receipt = receipt.get("transactionHash") if isinstance(receipt, Mapping) else None
        hash_ = hash_or_none(data.get("transactionHash")) or hash_or_none(from_receipt)
        name = file.stem
        aliases = [name, *(name.removesuffix(s) for s in ("_Proxy", "_Implementation") if name.endswith(s))]
        return Claim(address_at(file, data["address"], "address"), tuple(aliases), hash_)


def _chain_id(folder: Path) -> int | None:
    file = folder / ".chainId"
    if not file.is_file():
        return None
    text = read_text(file).strip()
    if not text.isdigit():
        raise unreadable(file, "it does not hold a chain id")
    return int(text)
