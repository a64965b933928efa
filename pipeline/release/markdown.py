"""Text from records in GitHub's markdown, where it can be neither markup nor a mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chains.errors import printable

__all__ = ["code", "link", "rows", "text"]

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~])")


def text(value: object, limit: int = 300) -> str:
    """``value`` as plain words on one line."""
    shown = " ".join(printable(str(value), limit).split())
    shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    return _MARKUP.sub(r"\\\1", shown)


def code(value: object) -> str:
    """An address, digest or version in code type; anything else as plain words."""
    shown = str(value)
    return f"`{shown}`" if re.fullmatch(r"[A-Za-z0-9.:_-]{1,120}", shown) else text(shown)


def link(shown: str, url: str | None) -> str:
    """``shown``, already markdown, leading to ``url`` if that is one without surprises."""
    return f"[{shown}]({url})" if url and re.fullmatch(r"https://[A-Za-z0-9./:?=&_%#~-]+", url) else shown


def rows(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A table; nothing where it has no lines. Cells are markdown already."""
    body = [f"| {' | '.join(line)} |" for line in lines]
    return [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body, ""] if body else []
