"""``ship diff`` for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.errors import printable
from pipeline.ui.table import Cell, Row, table

__all__ = ["render"]

_MARKS = {"added": "+", "removed": "-", "changed": "~", "addition": "+", "breaking": "!", "internal": "~"}
_COLOURS = {"+": "green", "-": "red", "!": "red", "~": "yellow"}


def render(document: Mapping[str, Any]) -> list[str]:
    lines = [f"{document['from']} → {document['to']}"]
    for target in document["targets"]:
        body = list(_target(target))
        lines += ["", target["target"], *(body or ["  nothing differs"])]
        lines += [f"  not compared: {text}" for text in target["left_out"]]
    for key, tag in (("only_before", document["from"]), ("only_after", document["to"])):
        if document[key]:
            lines += ["", f"{tag} alone is on {', '.join(document[key])}"]
    return lines


def _target(target: Mapping[str, Any]) -> Iterator[str]:
    sections: list[tuple[str, list[Row]]] = [
        ("bytes", [_contract(one) for one in target["contracts"]]),
        ("interfaces", [_change(one) for one in target["abi"]]),
        (
            "storage that does not fit",
            [(_mark("breaking"), o["unit"], f"{o['where']}: {o['text']}") for o in target["storage"]],
        ),
        ("addresses", [("", one["unit"], one["part"], _arrow(one)) for one in target["addresses"]]),
        ("authorities", [("", one["what"], _arrow(one)) for one in target["authorities"]]),
        ("programs", [_program(one) for one in target["programs"]]),
        ("IDLs", [_change(one) for one in target["idl"]]),
    ]
    for title, rows in sections:
        if rows:
            yield f"  {title}"
            yield from table(rows, indent=4)


def _mark(word: str) -> Cell:
    mark = _MARKS[word]
    return Cell(mark, _COLOURS[mark])


def _contract(one: Mapping[str, Any]) -> Row:
    sizes = [f"{side['runtime_bytes']:,}" if side else "none" for side in (one["before"], one["after"])]
    return _mark(one["change"]), one["unit"], f"{sizes[0]} → {sizes[1]} bytes of runtime code"


def _program(one: Mapping[str, Any]) -> Row:
    sides = [
        f"{side['bytes']:,} bytes ({side['sha256'][:12]})" if side else "none" for side in (one["before"], one["after"])
    ]
    return _mark(one["change"]), one["program"], f"{sides[0]} → {sides[1]}"


def _change(one: Mapping[str, Any]) -> Row:
    return _mark(one["effect"]), one["unit"], f"{printable(one['where'])}: {printable(one['text'])}"


def _arrow(one: Mapping[str, Any]) -> str:
    return printable(f"{one['before'] or 'none'} → {one['after'] or 'none'}")
