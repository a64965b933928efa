"""The manifests ``ship`` comes with. In the wheel they lie in ``pipeline/builtin_manifests``, in a checkout beside it."""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pipeline.manifest.fields import NAME_PATTERN
from pipeline.manifest.reading import Document, parse

__all__ = ["PREFIX", "builtin_document", "builtin_names"]

PREFIX = "builtin:"


def _folder() -> Traversable:
    installed = files("pipeline").joinpath("builtin_manifests")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "manifests"


@functools.cache
def builtin_names() -> tuple[str, ...]:
    """The names that can follow ``builtin:``, sorted."""
    return tuple(sorted(entry.name[:-5] for entry in _folder().iterdir() if entry.name.endswith(".toml")))


def builtin_document(name: str) -> Document | None:
    """The built-in manifest ``name``, or ``None``."""
    if not re.fullmatch(NAME_PATTERN.rstrip("$"), name) or name not in builtin_names():
        return None
    return parse(_folder().joinpath(f"{name}.toml").read_bytes(), f"{PREFIX}{name}")
