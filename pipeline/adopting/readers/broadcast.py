"""Foundry's ``broadcast/<script>/<chain id>/run-latest.json``.

Only CREATE and CREATE2 entries deploy: a CALL may carry a ``contractAddress`` too, which is its recipient. A CREATE2 entry
may have no name. What contracts created by themselves stands in ``additionalContracts``, or nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.adopting.claims import Claim, Claims
from pipeline.adopting.parsing import address_at, hash_or_none, load_json, table, text_or_none, unreadable

__all__ = ["Broadcast"]

_LATEST = "run-latest.json"


class Broadcast:
    """``run-latest.json``, any other run's file, the folder of a chain, of a script, or ``broadcast`` itself."""

    kind = "Foundry broadcast"

    def knows(self, path: Path) -> bool:
        if path.is_dir():
            return any(self._files(path))
        if path.suffix != ".json":
            return False
        data = load_json(path)
        return isinstance(data, Mapping) and {"transactions", "receipts", "chain"} <= set(data)

    @staticmethod
    def _files(folder: Path) -> Iterator[Path]:
        for file in sorted(folder.rglob(_LATEST)):
            if "dry-run" not in file.parts:
                yield file

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        if not path.is_dir():
            return [self._claims(path)]
        found = [self._claims(file) for file in self._files(path)]
        return [claims for claims in found if claims.chain_id == chain_id] or found

    def _claims(self, path: Path) -> Claims:
        data = table(path, load_json(path), "the file")
        contracts, calls = [], []
        failed = {
            hash_or_none(r.get("transactionHash"))
            for r in data.get("receipts") or ()
            if isinstance(r, Mapping) and r.get("status") not in {"0x1", 1}
        }
        entries = data.get("transactions") or ()
        for number, item in enumerate(entries):
            entry = table(path, item, f"transaction {number}")
            hash_ = hash_or_none(entry.get("hash"))
            if hash_ is None or hash_ in failed:
                continue
            if entry.get("transactionType") in {"CREATE", "CREATE2"}:
                address = address_at(path, entry.get("contractAddress"), f"contractAddress of transaction {number}")
                name = text_or_none(entry.get("contractName"))
                contracts.append(Claim(address, (name,) if name else (), hash_))
            elif entry.get("transactionType") == "CALL":
                calls.append(hash_)
            contracts += self._nested(path, entry, hash_)
        if entries and not contracts and not calls:
            raise unreadable(path, "nothing in it was sent: it is of a dry run, or its broadcast failed")
        contracts += self._libraries(path, data)
        chain = data.get("chain")
        return Claims(str(path), self.kind, chain if isinstance(chain, int) else None, tuple(contracts), tuple(calls))

    @staticmethod
    def _libraries(path: Path, data: Mapping[str, Any]) -> Iterator[Claim]:
        """``path:Library:address``. One that was there already is linked and has no entry among the transactions."""
        for text in data.get("libraries") or ():
            source, _, address = str(text).rpartition(":")
            yield Claim(address_at(path, address, f"the address of {source}"), (source.rpartition(":")[2],))

    @staticmethod
    def _nested(path: Path, entry: Mapping[str, Any], hash_: str) -> Iterator[Claim]:
        for item in entry.get("additionalContracts") or ():
            inner = table(path, item, "an additional contract")
            name = text_or_none(inner.get("contractName"))
            address = address_at(path, inner.get("address"), "the address of an additional contract")
            yield Claim(address, (name,) if name else (), hash_, nested=True)
