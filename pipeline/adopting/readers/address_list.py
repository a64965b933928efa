"""A plain list of names and addresses: JSON or TOML tables, or CSV with the columns name, address and, if known, transaction.

{"chainId": 8453, "Vault": "0x…", "Token": {"address": "0x…", "transaction": "0x…"}}
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.adopting.claims import Claim, Claims
from pipeline.adopting.parsing import address_at, hash_or_none, load_json, read_text, table, unreadable

__all__ = ["AddressList"]

_CHAIN = ("chainId", "chain_id", "chain-id")


class AddressList:
    """The reader for everything that holds names and addresses and is none of the other kinds."""

    kind = "address list"

    def knows(self, path: Path) -> bool:
        if path.is_dir() or path.suffix not in {".json", ".toml", ".csv"}:
            return False
        return path.suffix == ".csv" or bool(self._load(path))

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        if path.suffix == ".csv":
            return [Claims(str(path), self.kind, None, tuple(self._rows(path)))]
        data = self._load(path)
        chain = next((data[key] for key in _CHAIN if isinstance(data.get(key), int)), None)
        contracts = tuple(self._claim(path, str(name), value) for name, value in data.items() if name not in _CHAIN)
        return [Claims(str(path), self.kind, chain, contracts)]

    @staticmethod
    def _load(path: Path) -> Mapping[str, Any]:
        if path.suffix == ".json":
            return table(path, load_json(path), "the file")
        try:
            return tomllib.loads(read_text(path))
        except (ValueError, RecursionError) as error:
            raise unreadable(path, f"it is not TOML: {error}") from error

    @staticmethod
    def _claim(path: Path, name: str, value: Any) -> Claim:
        address, hash_ = value, None
        if isinstance(value, Mapping):
            address = value.get("address")
            hash_ = next(
                (h for key in ("transaction", "transactionHash", "txHash") if (h := hash_or_none(value.get(key)))), None
            )
        return Claim(address_at(path, address, f"the address of {name}"), (name,), hash_)

    @staticmethod
    def _rows(path: Path) -> Iterator[Claim]:
        reader = csv.DictReader(read_text(path).splitlines())
        if not {"name", "address"} <= set(reader.fieldnames or ()):
            raise unreadable(path, "its first line does not name the columns name and address")
        for row in reader:
            name = (row["name"] or "").strip()
            address = address_at(path, (row["address"] or "").strip(), f"the address of {name}")
            yield Claim(address, (name,), hash_or_none((row.get("transaction") or "").strip()))
