"""Aligned columns for people: the same on a terminal, in a log and in a pull request, coloured only on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Row", "say", "state_cell", "table"]

_COLOURS = {
    "ok": "green",
    "same": "green",
    "proven": "green",
    "live": "green",
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


Row = Sequence[str | Cell]


def state_cell(state: str) -> Cell:
    """A state in the colour it has everywhere."""
    return Cell(state, _COLOURS.get(state))


def table(rows: Iterable[Row], *, indent: int = 2, gap: int = 2) -> list[str]:
    """Lines with columns as wide as their widest cell; the last column is left as it is."""
    cells = [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in rows]
    columns = max((len(row) for row in cells), default=0)
    widths = [max((len(row[i].text) for row in cells if i < len(row) - 1), default=0) for i in range(columns)]
    return [_line(row, widths, " " * indent, " " * gap) for row in cells]


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
