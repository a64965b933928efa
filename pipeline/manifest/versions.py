"""The project's version: written in ``ship.toml`` or in the file ``version-from`` names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chains.errors import Where
from chains.jsontext import read_json
from pipeline.manifest.errors import BadVersion
from pipeline.manifest.reading import MAX_BYTES
from pipeline.manifest.spec import ProjectTable

__all__ = ["is_semver", "project_version"]

_MAX_BRACKETS = 5_000  # no version file has more; tomllib recurses once for each that nests
# Source: the pattern suggested at https://semver.org/spec/v2.0.0.html.
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-((?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?",
    re.ASCII,
)


def project_version(project: ProjectTable, root: Path, locate: Callable[[tuple[str, ...]], Where]) -> str:
    """The version, checked to be SemVer 2.0."""
    if project.version is not None:
        where = locate(("project", "version"))
        return _checked(project.version, where, "The version")
    file = project.version_from or ""
    where = locate(("project", "version-from"))
    return _checked(_read(root / file, file, where), where, f"The version in {file}")


def is_semver(version: object) -> bool:
    """Whether ``version`` is text in the form of SemVer 2.0."""
    return isinstance(version, str) and len(version) <= 100 and _SEMVER.fullmatch(version) is not None


def _checked(version: str, where: Where, what: str) -> str:
    if not is_semver(version):
        hint = ' without the "v"' if version.startswith("v") else ""
        raise BadVersion(
            f"{what} is not a SemVer 2.0 version{hint}.", remedy='Write it as "1.2.0" or "1.2.0-rc.1".', where=where
        )
    return version


def _read(path: Path, shown: str, where: Where) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode()
        if len(text) > MAX_BYTES:
            raise ValueError("too large")
        found = _find(path.name, text)
    except (OSError, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be understood"
        raise BadVersion(
            f"{shown} cannot be read for the version: {reason}.",
            remedy="Name a package.json, Cargo.toml, pyproject.toml, or a text file that holds the version alone.",
            where=where,
        ) from None
    if not isinstance(found, str):
        raise BadVersion(f"{shown} holds no version.", remedy=f"Add one to {shown}, or set version here.", where=where)
    return found


def _find(name: str, text: str) -> Any:
    if name.endswith(".json"):
        return _at(read_json(text.encode()), "version")
    if name.endswith(".toml"):
        if text.count("[") + text.count("{") > _MAX_BRACKETS:
            raise ValueError("nests too deep")
        data = tomllib.loads(text)
        places = (("project", "version"), ("package", "version"), ("workspace", "package", "version"), ("version",))
        return next((found for place in places if (found := _at(data, *place)) is not None), None)
    return text.strip()


def _at(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data
