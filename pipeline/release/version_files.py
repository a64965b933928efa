"""Files beside ``ship.toml`` that carry a version of their own: they say the same, or nothing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chains.jsontext import read_json
from pipeline.manifest.project import Project

__all__ = ["differing_versions"]

_PLACES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "package.json": (("version",),),
    "Cargo.toml": (("package", "version"), ("workspace", "package", "version")),
    "pyproject.toml": (("project", "version"),),
    "foundry.toml": (("package", "version"),),
}


def differing_versions(project: Project) -> list[tuple[str, str]]:
    """A reason for each file whose version is another. A file that cannot be read says nothing of a version."""
    return [
        (f"{name} says version {found}, ship.toml {project.version}", f"Write {project.version} into {name}.")
        for name, found in _versions(project.root)
        if found != project.version
    ]


def _versions(root: Path) -> Iterator[tuple[str, str]]:
    for name, places in _PLACES.items():
        try:
            data = (root / name).read_bytes()
            content: Any = read_json(data) if name.endswith(".json") else tomllib.loads(data.decode())
        except (OSError, ValueError, RecursionError):
            continue
        for place in places:
            value: Any = content
            for key in place:
                value = value.get(key) if isinstance(value, Mapping) else None
            if isinstance(value, str):
                yield name, value
