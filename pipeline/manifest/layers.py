"""Several documents as one: a target over its built-in manifest, a target's overrides over the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.errors import Where
from pipeline.manifest.positions import Path
from pipeline.manifest.reading import Document

__all__ = ["Layer", "Layers", "merge"]


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``: tables key by key, everything else (arrays too) replaced whole."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = merge(under, value) if isinstance(under, Mapping) and isinstance(value, Mapping) else value
    return merged


@dataclass(frozen=True)
class Layer:
    """A document, and where in it the merged data starts (``("overrides",)`` for a target's overrides)."""

    document: Document
    prefix: Path = ()


@dataclass(frozen=True)
class Layers:
    """The documents a value can come from, the one that wins first."""

    layers: tuple[Layer, ...]

    def where(self, path: Path, *, at_key: bool = False) -> Where:
        """The place of ``path`` in the document it comes from; if nowhere, in the one nearest to it."""
        deepest, chosen = -1, self.layers[0]
        for layer in self.layers:
            depth = next((n for n in range(len(path), 0, -1) if layer.document.has((*layer.prefix, *path[:n]))), 0)
            if depth > deepest:
                deepest, chosen = depth, layer
        return chosen.document.where((*chosen.prefix, *path), at_key=at_key)
