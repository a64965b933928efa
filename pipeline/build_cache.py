"""Remembering which bundle came from which inputs, so that nothing is compiled twice.

One file in ``.ship/cache/builds/`` for each question (project, settings, compilers, wanted contracts); it names every
source that was compiled, with its digest, and the bundle. An answer is taken only while all digests hold and the bundle
itself verifies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import digest, pretty
from chains.errors import Refused
from chains.evm.foundry import Workspace
from chains.files import write_atomic
from pipeline.bundle import Bundle, load_bundle
from pipeline.fingerprints import file_digests, tree

__all__ = ["BuildCache", "Question"]

_SCHEMA = 2  # 2: bundles hold what the syntax trees tell


@dataclass(frozen=True)
class Question:
    """What a build depends on besides the sources' content."""

    workspace: Workspace
    project: str
    wanted: tuple[str, ...]

    @property
    def digest(self) -> str:
        return digest(
            {
                "schema": _SCHEMA,
                "project": self.project,
                "wanted": sorted(self.wanted),
                "root": str(self.workspace.root),
                "config": _without_floats(self.workspace.config.raw),
                "forge": [self.workspace.forge.version, str(self.workspace.forge.path)],
                "profile": os.environ.get("FOUNDRY_PROFILE", ""),
                "compilers": _compilers(self.workspace.environment.get("HOME")),
                "sources": self._own_sources(),
            }
        )

    def _own_sources(self) -> list[str]:
        """A file that is added to ``src`` adds contracts to the bundle."""
        config = self.workspace.config
        outputs = [str(config.raw[key]) for key in ("out", "cache_path", "broadcast")]
        return tree(config.root, config.src, skip=[*config.libs, *outputs], wanted=lambda name: name.endswith(".sol"))


def _without_floats(value: Any) -> Any:
    return json.loads(json.dumps(value), parse_float=str)


def _compilers(home: str | None) -> list[str]:
    """Which compilers forge can choose from: a pragma takes the newest."""
    stores = [Path(home, ".svm")] if home else []
    if home:
        data = os.environ.get("XDG_DATA_HOME") or Path(home, ".local/share")
        stores += [Path(data, "svm"), Path(home, "Library/Application Support/svm")]
    return sorted({entry.name for store in stores if store.is_dir() for entry in store.iterdir()})


@dataclass(frozen=True)
class BuildCache:
    """``folder`` is ``.ship/cache/builds``, ``bundles`` is ``.ship/bundles``."""

    folder: Path
    bundles: Path

    def find(self, question: Question) -> Bundle | None:
        """The bundle of an earlier build with the same inputs, if there is one and it is whole."""
        try:
            answer = json.loads((self.folder / f"{question.digest}.json").read_bytes())
            files: dict[str, str] = answer["files"]
            if answer["schema"] != _SCHEMA or file_digests(question.workspace.root, files, text=True) != files:
                return None
            return load_bundle(self.bundles, answer["bundle"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Refused):
            return None

    def keep(self, question: Question, sources: Mapping[str, str], bundle: Bundle) -> None:
        """Remember what a build gave. ``sources`` are digests of what the compiler read, not of what is on disk by now."""
        answer = {"schema": _SCHEMA, "bundle": bundle.digest, "files": dict(sources)}
        write_atomic(self.folder / f"{question.digest}.json", pretty(answer))
