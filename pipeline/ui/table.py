"""Aligned columns for people: the same on a terminal, in a log and in a pull request, coloured only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Row", "say", "state_cell", "table"]

_COLOURS = {
    "ok": "green",
    "same": "green",
    "proven": "green",
    "live": "green",
    "exact": "green",
    "already": "green",
    "partial": "yellow",
    "pending": "yellow",
    "unknown": "yellow",
    "warn": "yellow",
    "note": "cyan",
    "differs": "yellow",
    "not deployed": "yellow",
    "not done": "yellow",
    "not in project": "yellow",
    "unproven": "yellow",
    "unanswered": "yellow",
    "missing": "red",
    "wrong": "red",
    "drift": "red",
    "failed": "red",
    "altered": "red",
}


@dataclass(frozen=True)
class Cell:
    """Text with a colour of click's, or none."""

    text: str
    colour: str | None = None
    bold: bool = False


_NARROWEST = 30

Row = Sequence[str | Cell]


def state_cell(state: str) -> Cell:
    """A state in the colour it has everywhere."""
    return Cell(state, _COLOURS.get(state))


def table(rows: Iterable[Row], *, indent: int = 2, gap: int = 2) -> list[str]:
    """Lines with columns as wide as their widest cell; on a terminal long text in the last column is wrapped within it."""
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max((len(row[i].text) for row in cells if i < len(row) - 1), default=0) for i in range(columns)]
    wrapped = (part for row in cells for part in _wrapped(row, indent + sum(w + gap for w in widths[:-1])))
    return [_line(row, widths, " " * indent, " " * gap) for row in wrapped]


def _wrapped(row: Sequence[Cell], before: int) -> Iterator[Sequence[Cell]]:
    """``row`` as one or more rows. In a pipe nothing is wrapped: lines are for grep there."""
    room = _terminal_width() - before
    if not row or len(row[-1].text) <= room or room < _NARROWEST:
        yield row
        return
    last = row[-1]
    lines = textwrap.wrap(last.text, room, break_long_words=False, break_on_hyphens=False)
    for position, text in enumerate(lines):
        first = row[:-1] if position == 0 else [Cell("")] * (len(row) - 1)
        yield [*first, Cell(text, last.colour, last.bold)]


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize


def _line(row: Sequence[Cell], widths: Sequence[int], indent: str, gap: str) -> str:
    last = max((i for i, cell in enumerate(row) if cell.text), default=-1)
    shown = [_styled(row[i], 0 if i == last else widths[i]) for i in range(last + 1)]
    return indent + gap.join(shown) if shown else ""


def _styled(cell: Cell, width: int) -> str:
    import click

    padding = " " * (width - len(cell.text))
    if cell.colour is None and not cell.bold:
        return cell.text + padding
    return click.style(cell.text, fg=cell.colour, bold=cell.bold or None) + padding


def say(text: str | Iterable[str] = "", *, err: bool = False) -> None:
    """Print lines without secrets. Colours are left out in a pipe and under ``NO_COLOR``."""
    import click

    from pipeline.manifest.redaction import redact

    text = text if isinstance(text, str) else "\n".join(text)
    click.echo(redact(text), err=err, color=False if "NO_COLOR" in os.environ else None)
