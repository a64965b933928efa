"""Function signatures as people write them: ``grantRole(bytes32,address)``, for reads with the type they return."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Signature", "SignatureError", "parse_signature"]

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_WORD = re.compile(r"[A-Za-z0-9_$]*")
_ARRAY = re.compile(r"(?:\[[0-9]*\])*")
_TYPES = frozenset(
    {"address", "bool", "string", "bytes", "function"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in range(8, 257, 8)}
    | {f"bytes{size}" for size in range(1, 33)}
)
MAX_NESTING = 16


class SignatureError(ValueError):
    """Why a text is no signature."""


@dataclass(frozen=True)
class Signature:
    """The name, and how many values it takes and returns (``None``: no return types written)."""

    name: str
    inputs: int
    outputs: int | None


def parse_signature(text: str) -> Signature:
    """Read ``name(types)`` or ``name(types)(types)``. Raises ``SignatureError``."""
    if len(text) > 1_000:
        raise SignatureError("it is longer than 1,000 characters")
    if any(char.isspace() for char in text):
        raise SignatureError("it holds a space; types are written without spaces and names")
    name = _NAME.match(text)
    if not name or not text.startswith("(", name.end()):
        raise SignatureError("it is not a name followed by types in parentheses")
    inputs, at = _types(text, name.end(), 0)
    if at == len(text):
        return Signature(name.group(), inputs, None)
    outputs, at = _types(text, at, 0)
    if at != len(text):
        raise SignatureError("something follows the return types")
    return Signature(name.group(), inputs, outputs)


def _types(text: str, at: int, depth: int) -> tuple[int, int]:
    """How many types the parentheses at ``at`` hold, and where they end."""
    if not text.startswith("(", at):
        raise SignatureError("the return types are not in parentheses")
    if depth > MAX_NESTING:
        raise SignatureError("its tuples nest too deeply")
    at += 1
    if text.startswith(")", at):
        return 0, at + 1
    count = 0
    while True:
        if text.startswith("(", at):
            _, at = _types(text, at, depth + 1)
        else:
            at = _type_end(text, at)
        array = _ARRAY.match(text, at)
        at = array.end() if array else at
        count += 1
        if text.startswith(")", at):
            return count, at + 1
        if not text.startswith(",", at):
            raise SignatureError("a comma or a closing parenthesis is missing")
        at += 1


def _type_end(text: str, at: int) -> int:
    match = _WORD.match(text, at)
    word = match.group() if match else ""
    if word in {"int", "uint"}:
        raise SignatureError(f'"{word}" is short for "{word}256", and the selector is made of the long form')
    if word not in _TYPES:
        raise SignatureError(f'"{word[:40]}" is not an ABI type')
    return at + len(word)
