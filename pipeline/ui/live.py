"""The terminal: finished steps stay as lines, the running one is live with its items below."""

from __future__ import annotations

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from chains.errors import printable
from pipeline.manifest.secrets import redact

__all__ = ["LiveUi"]

_STYLES = {
    "adopted": "green",
    "final": "green",
    "passed": "green",
    "proven": "green",
    "mined": "cyan",
    "signed": "yellow",
    "reserved": "yellow",
    "reverted": "red",
    "failed": "red",
    "foreign": "red",
}


class LiveUi:
    """Draws on ``console``. Items of a step are kept in the order they first appeared."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._title = ""
        self._items: dict[str, tuple[str, str]] = {}

    def _clean(self, text: str) -> str:
        return escape(redact(printable(text, 20_000)))

    def _drawing(self) -> Group:
        spinner = Spinner("dots", Text(f" {self._title}", style="bold"), style="cyan")
        return Group(spinner, self._table()) if self._items else Group(spinner)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for item, (state, note) in self._items.items():
            style = _STYLES.get(state, "white")
            table.add_row("   ", self._clean(item), f"[{style}]{self._clean(state)}[/]", f"[dim]{self._clean(note)}[/]")
        return table

    def _refresh(self) -> None:
        if self._live:
            self._live.update(self._drawing())

    def _end(self, keep_items: bool) -> None:
        if self._live:
            self._live.update(Group())
            self._live.stop()
            self._live = None
        if keep_items and self._items:
            self._console.print(self._table())
        self._items = {}

    def step_started(self, title: str) -> None:
        self._end(keep_items=False)
        self._title = title
        self._live = Live(self._drawing(), console=self._console, refresh_per_second=12, transient=True)
        self._live.start()

    def step_done(self, title: str, summary: str, seconds: float) -> None:
        items, self._items = self._items, {}
        self._end(keep_items=False)
        self._console.print(f"[green]✓[/] {title}  [dim]{self._clean(summary)}  {seconds:.1f} s[/]")
        self._items = items
        self._end(keep_items=True)

    def step_skipped(self, title: str, reason: str) -> None:
        self._end(keep_items=False)
        self._console.print(f"[dim]- {title}  {self._clean(reason)}[/]")

    def step_failed(self, title: str, seconds: float) -> None:
        items, self._items = self._items, {}
        self._end(keep_items=False)
        self._console.print(f"[red]✗[/] {title}  [dim]{seconds:.1f} s[/]")
        self._items = items
        self._end(keep_items=True)

    def item(self, item: str, state: str, note: str = "") -> None:
        self._items[item] = (state, note)
        self._refresh()

    def note(self, text: str) -> None:
        self._console.print(f"  [dim]{self._clean(text)}[/]")

    def block(self, text: str) -> None:
        self._end(keep_items=False)
        self._console.print(self._clean(text), highlight=False)

    def confirm(self, question: str) -> bool | None:
        self._end(keep_items=False)
        answer = self._console.input(f"[bold]{self._clean(question)}[/] [dim]\\[y/N][/] ")
        return answer.strip().lower() in {"y", "yes"}

    def close(self) -> None:
        self._end(keep_items=False)
