"""Paths that symbolic links lead out of the project."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Where
from pipeline.manifest.errors import PathLeavesRoot

__all__ = ["inside"]


def inside(root: Path, path: str, where: Where) -> Path:
    """``root/path``, absolute. Refuses one that leaves ``root`` through a link; need not exist."""
    try:
        real = (root / path).resolve()
    except (OSError, RuntimeError):
        real = None  # a loop of links
    if real is None or not real.is_relative_to(root.resolve()):
        raise PathLeavesRoot(
            "This path leads out of the project through a symbolic link.",
            remedy="Put the file itself into the project.",
            where=where,
        )
    return root / path
