"""Several targets at once: one live table on a terminal, prefixed lines elsewhere. Questions are asked one at a time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from chains.errors import printable
from pipeline.manifest.secrets import redact
from pipeline.ui.base import Ui
from pipeline.ui.plain import PlainUi

__all__ = ["Board", "LiveBoard", "PlainBoard"]


class Board(Protocol):
    """Gives each target a ``Ui`` of its own; they may be used from threads."""

    def target(self, name: str) -> Ui: ...

    def close(self) -> None: ...


class _Prefixed:
    """A stream that puts the target's name before each line, whole lines at a time."""

    def __init__(self, stream: TextIO, prefix: str, lock: threading.RLock) -> None:
        self._stream, self._prefix, self._lock = stream, prefix, lock

    def write(self, text: str) -> int:
        if text.strip("\n"):
            with self._lock:
                self._stream.write("".join(f"{self._prefix}{line}\n" for line in text.splitlines()))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


class PlainBoard:
    """Lines such as ``base │ ✓ planning: 19 transactions``."""

    def __init__(self, stream: TextIO, names: list[str]) -> None:
        self._stream = stream
        self._width = max(len(name) for name in names)
        self._lock = threading.RLock()

    def target(self, name: str) -> Ui:
        return PlainUi(_Prefixed(self._stream, f"{name:<{self._width}} │ ", self._lock))  # type: ignore[arg-type]

    def close(self) -> None:
        self._stream.flush()


@dataclass
class _Row:
    step: str = "waiting"
    detail: str = ""
    style: str = "dim"
    states: dict[str, str] = field(default_factory=dict)


class LiveBoard:
    """One row a target: what it is doing, and how far it is."""

    def __init__(self, console: Console, names: list[str]) -> None:
        self._console = console
        self._rows = {name: _Row() for name in names}
        self.lock = threading.RLock()
        self._live = Live(self._table(), console=console, refresh_per_second=8)
        self._live.start()

    def target(self, name: str) -> Ui:
        return _RowUi(self, name)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, row in self._rows.items():
            table.add_row(
                f"[bold]{escape(name)}[/]", f"[{row.style}]{escape(row.step)}[/]", f"[dim]{escape(row.detail)}[/]"
            )
        return table

    def change(self, name: str, step: str, detail: str, style: str) -> None:
        with self.lock:
            row = self._rows[name]
            row.step, row.detail, row.style = step, redact(printable(detail, 200)), style
            self._live.update(self._table())

    def count(self, name: str, item: str, state: str) -> None:
        with self.lock:
            row = self._rows[name]
            row.states[item] = state
            tally = {s: list(row.states.values()).count(s) for s in dict.fromkeys(row.states.values())}
            row.detail = ", ".join(f"{n} {s}" for s, n in tally.items())
            self._live.update(self._table())

    def forget(self, name: str) -> None:
        with self.lock:
            self._rows[name].states.clear()

    def show(self, name: str, text: str) -> None:
        with self.lock:
            self._console.print(escape(redact(printable(text, 20_000))), highlight=False)

    def ask(self, question: str) -> bool:
        with self.lock:
            self._live.stop()
            try:
                answer = self._console.input(f"[bold]{escape(question)}[/] [dim]\\[y/N][/] ")
            finally:
                self._live.start()
            return answer.strip().lower() in {"y", "yes"}

    def close(self) -> None:
        self._live.stop()


class _RowUi:
    """The ``Ui`` of one row."""

    def __init__(self, board: LiveBoard, name: str) -> None:
        self._board, self._name = board, name

    def step_started(self, title: str) -> None:
        self._board.forget(self._name)
        self._board.change(self._name, title, "", "cyan")

    def step_done(self, title: str, summary: str, seconds: float) -> None:
        self._board.change(self._name, title, summary, "green")

    def step_skipped(self, title: str, reason: str) -> None:
        self._board.change(self._name, title, reason, "green")

    def step_failed(self, title: str, seconds: float) -> None:
        self._board.change(self._name, title, "stopped", "red")

    def item(self, item: str, state: str, note: str = "") -> None:
        self._board.count(self._name, item, state)

    def note(self, text: str) -> None:
        self._board.change(self._name, text, "", "cyan")

    def block(self, text: str) -> None:
        self._board.show(self._name, text)

    def confirm(self, question: str) -> bool | None:
        return self._board.ask(question)

    def close(self) -> None:
        """The board is closed once, for all."""
