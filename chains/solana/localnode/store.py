"""The cluster's file: accounts, transactions and where the ledger stands, in SQLite.

Rows are written as things happen and committed, with a sync to disk, when a slot ends. So a killed node loses at most
the slot it was in, which no client has been told is confirmed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .ledger import Ledger
from .state import Account

__all__ = ["Landed", "Store"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (
    key BLOB PRIMARY KEY, lamports INTEGER NOT NULL, owner BLOB NOT NULL, executable INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS landed (
    signature BLOB PRIMARY KEY, slot INTEGER NOT NULL, place INTEGER NOT NULL, time_s INTEGER NOT NULL, raw BLOB NOT NULL,
    meta TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS landed_by_slot ON landed (slot, place);
CREATE TABLE IF NOT EXISTS mention (
    key BLOB NOT NULL, slot INTEGER NOT NULL, place INTEGER NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (key, slot, place)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mention_by_slot ON mention (slot, place);
"""
_FORMAT = "1"


@dataclass(frozen=True)
class Landed:
    """A transaction in a block; ``meta`` in the form of getTransaction."""

    signature: bytes
    slot: int
    place: int
    time_s: int
    raw: bytes
    meta: dict[str, Any]


class Store:
    """An open file."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")

    def ledger(self, genesis: bytes) -> Ledger:
        """Where the ledger stood; a new one, with ``genesis``, in a new file. Raises ``ValueError`` for another format."""
        found = dict(self._db.execute("SELECT name, value FROM meta"))
        if not found:
            self._set(genesis=genesis.hex(), format=_FORMAT)
            return Ledger.new(genesis)
        if found["format"] != _FORMAT:
            raise ValueError(f"the file has format {found['format']}, this node reads {_FORMAT}")
        return Ledger(
            bytes.fromhex(found["genesis"]), Ledger.segments_from(json.loads(found["segments"])), int(found["head"])
        )

    def _set(self, **values: str) -> None:
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def accounts(self) -> dict[bytes, Account]:
        rows = self._db.execute("SELECT key, lamports, owner, executable, data FROM account")
        return {
            key: Account(lamports, owner, bool(executable), data) for key, lamports, owner, executable, data in rows
        }

    def land(self, row: Landed, keys: Iterable[bytes]) -> None:
        self._db.execute(
            "INSERT INTO landed VALUES (?, ?, ?, ?, ?, ?)",
            (row.signature, row.slot, row.place, row.time_s, row.raw, json.dumps(row.meta)),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO mention VALUES (?, ?, ?, ?)",
            [(key, row.slot, row.place, row.signature) for key in keys],
        )

    def commit(self, ledger: Ledger, changed: Iterable[tuple[bytes, Account | None]]) -> None:
        """End a slot: all of it is on disk when this returns."""
        for key, account in changed:
            if account is None:
                self._db.execute("DELETE FROM account WHERE key = ?", (key,))
            else:
                row = (key, account.lamports, account.owner, int(account.executable), account.data)
                self._db.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?)", row)
        segments = [[s.slot, s.height, s.fork] for s in ledger.segments]
        self._set(head=str(ledger.head), segments=json.dumps(segments))
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")

    def fork_away(self, kept: int) -> None:
        """Forget the transactions after slot ``kept``."""
        self._db.execute("DELETE FROM landed WHERE slot > ?", (kept,))
        self._db.execute("DELETE FROM mention WHERE slot > ?", (kept,))

    def close(self) -> None:
        self._db.execute("COMMIT")
        self._db.close()

    def _select(self, where: str, *values: object) -> Iterator[Landed]:
        query = f"SELECT signature, slot, place, time_s, raw, meta FROM landed {where}"  # noqa: S608 - ours, not a client's
        for signature, slot, place, time_s, raw, meta in self._db.execute(query, values):
            yield Landed(signature, slot, place, time_s, raw, json.loads(meta))

    def landed(self, signature: bytes) -> Landed | None:
        return next(self._select("WHERE signature = ?", signature), None)

    def block(self, slot: int) -> list[Landed]:
        return list(self._select("WHERE slot = ? ORDER BY place", slot))

    def mentioned(self, slot: int, place: int) -> set[bytes]:
        rows = self._db.execute("SELECT key FROM mention WHERE slot = ? AND place = ?", (slot, place))
        return {key for (key,) in rows}

    def mentioning(self, key: bytes, last_slot: int) -> Iterator[Landed]:
        """Newest first."""
        query = "SELECT signature FROM mention WHERE key = ? AND slot <= ? ORDER BY slot DESC, place DESC"
        for (signature,) in self._db.execute(query, (key, last_slot)).fetchall():
            found = self.landed(signature)
            assert found is not None
            yield found
