"""Terraform's language (HCL 2), as much of it as policies need; https://developer.hashicorp.com/terraform/language/syntax."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Block", "Expression", "encoded", "render"]


@dataclass(frozen=True)
class Expression:
    """Written as it stands: a reference, a call."""

    text: str


@dataclass(frozen=True)
class Block:
    """``kind "label" … { body }``; blocks inside come after the arguments."""

    kind: str
    labels: tuple[str, ...] = ()
    arguments: Mapping[str, Any] = field(default_factory=dict)
    blocks: tuple[Block, ...] = ()


def encoded(document: Any) -> Expression:
    """``jsonencode(…)`` of a document: every JSON document is an HCL expression, once its templates are escaped."""
    return Expression(f"jsonencode({_value(document, 1)})")


def render(blocks: Sequence[Block]) -> str:
    return "\n".join(_block(block, 0) for block in blocks)


def _block(block: Block, depth: int) -> str:
    indent = "  " * depth
    head = " ".join([block.kind, *(_string(label) for label in block.labels)])
    width = max((len(name) for name in block.arguments), default=0)
    lines = [f"{indent}  {name:{width}} = {_value(value, depth + 1)}\n" for name, value in block.arguments.items()]
    inner = [_block(inside, depth + 1) for inside in block.blocks]
    return f"{indent}{head} {{\n{''.join(lines + inner)}{indent}}}\n"


def _value(value: Any, depth: int) -> str:
    indent = "  " * depth
    if isinstance(value, Expression):
        return value.text
    if isinstance(value, Mapping):
        lines = [f"{indent}  {_string(key)} = {_value(inner, depth + 1)}\n" for key, inner in value.items()]
        return f"{{\n{''.join(lines)}{indent}}}"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Sequence):
        return f"[{', '.join(_value(inner, depth) for inner in value)}]"
    return json.dumps(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
