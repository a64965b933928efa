"""Hardhat Ignition's ``ignition/deployments/<id>/``: ``deployed_addresses.json`` and ``journal.jsonl``.

The journal (one message a line) gives the chain id, each future's contract name, and the transaction that was confirmed for
it. Futures that only read a contract at an address deploy nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.adopting.claims import Claim, Claims
from pipeline.adopting.parsing import address_at, hash_or_none, load_json, read_text, table, text_or_none

__all__ = ["Ignition"]

_ADDRESSES, _JOURNAL = "deployed_addresses.json", "journal.jsonl"


class Ignition:
    """The folder of a deployment, or its ``deployed_addresses.json`` or ``journal.jsonl``."""

    kind = "Hardhat Ignition"

    def knows(self, path: Path) -> bool:
        if path.is_dir():
            return (path / _ADDRESSES).is_file() or (path / _JOURNAL).is_file()
        return path.name == _ADDRESSES or (path.name == _JOURNAL and "ignition" in path.parts)

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        folder = path if path.is_dir() else path.parent
        journal = _Journal(folder / _JOURNAL)
        addresses = {**journal.addresses, **self._addresses(folder / _ADDRESSES)}
        claims = []
        for future, address in addresses.items():
            names = [future.partition("#")[2] or future]
            if contract := journal.contracts.get(future):
                names.append(contract)
            claims.append(Claim(address, tuple(dict.fromkeys(names)), journal.transactions.get(future)))
        return [Claims(str(path), self.kind, journal.chain_id or _id_in(folder.name), tuple(claims), journal.calls)]

    @staticmethod
    def _addresses(file: Path) -> dict[str, str]:
        if not file.is_file():
            return {}
        data = table(file, load_json(file), "the file")
        return {str(future): address_at(file, address, f"the address of {future}") for future, address in data.items()}


def _id_in(name: str) -> int | None:
    """Ignition's default id of a deployment is ``chain-<chain id>``."""
    digits = name.removeprefix("chain-")
    return int(digits) if name.startswith("chain-") and digits.isdigit() else None


def _whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


class _Journal:
    """What the journal's messages say, by future. A torn last line is left out, as Ignition does."""

    def __init__(self, file: Path) -> None:
        self.chain_id: int | None = None
        self.addresses: dict[str, str] = {}
        self.contracts: dict[str, str] = {}
        self.transactions: dict[str, str] = {}
        self._deploys: set[str] = set()
        self._confirmed: dict[str, str] = {}
        lines = [line for line in (read_text(file) if file.is_file() else "").split("\n") if line.strip()]
        for number, line in enumerate(lines, start=1):
            if number < len(lines) or _whole(line):
                self._apply(file, table(file, load_json(file, line), "a message"))
        self.transactions = {f: h for f, h in self._confirmed.items() if f in self._deploys}
        self.calls = tuple(h for f, h in self._confirmed.items() if f not in self._deploys)

    def _apply(self, file: Path, message: Mapping[str, Any]) -> None:
        future = str(message.get("futureId", ""))
        match message.get("type"):
            case "DEPLOYMENT_INITIALIZE":
                chain_id = message.get("chainId")
                self.chain_id = chain_id if isinstance(chain_id, int) else None
            case "DEPLOYMENT_EXECUTION_STATE_INITIALIZE":
                self._deploys.add(future)
                if name := text_or_none(message.get("contractName")):
                    self.contracts[future] = name
            case "TRANSACTION_CONFIRM":
                receipt = message.get("receipt")
                hash_ = hash_or_none(message.get("hash"))
                if hash_ and isinstance(receipt, Mapping) and receipt.get("status") == "SUCCESS":
                    self._confirmed[future] = hash_
            case "DEPLOYMENT_EXECUTION_STATE_COMPLETE":
                result = message.get("result")
                if isinstance(result, Mapping) and result.get("type") == "SUCCESS":
                    self.addresses[future] = address_at(file, result.get("address"), f"the address of {future}")
