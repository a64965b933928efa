"""A broken journal for negative controls: it says that signed rows are on disk, and writes them once they are mined."""

from __future__ import annotations

from typing import Any

from chains.base import Row


class Late:
    """A journal that writes a signed row only after the next look: what it tells at once is a lie."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self._held: list[tuple[str, Any]] = []
        self._rows: list[Any] = list(journal.rows)

    @property
    def rows(self) -> Any:
        return self._rows

    def append(self, kind: str, data: Any) -> Any:
        if kind == "tx.mined":
            for held in self._held:
                self._journal.append(*held)
            self._held.clear()
        row = Row(len(self._rows), "", kind, data)
        self._rows.append(row)
        if kind == "tx.signed":
            self._held.append((kind, data))
        else:
            self._journal.append(kind, data)
        return row

    def append_all(self, entries: Any) -> Any:
        return [self.append(kind, data) for kind, data in entries]
