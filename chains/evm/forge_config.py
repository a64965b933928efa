"""What a Foundry project says about itself, as forge resolves it (profiles, inheritance, environment)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused, Where
from chains.processes import run_tool

__all__ = ["ForgeConfig", "ProjectUnreadable", "read_config"]


class ProjectUnreadable(Refused):
    """SHIP-B05: there is no Foundry project, or forge cannot read its settings."""

    code = "SHIP-B05"


@dataclass(frozen=True)
class ForgeConfig:
    """``forge config --json``. Paths are relative to the project as written there."""

    root: Path
    raw: Mapping[str, Any]

    @property
    def src(self) -> str:
        return str(self.raw["src"])

    @property
    def test(self) -> str:
        return str(self.raw["test"])

    @property
    def script(self) -> str:
        return str(self.raw["script"])

    @property
    def libs(self) -> tuple[str, ...]:
        return tuple(str(lib) for lib in self.raw["libs"])

    def within(self, path: str, folder: str) -> bool:
        """Whether ``path`` (relative to the project) lies in ``folder``."""
        inside = (self.root / folder).resolve()
        at = (self.root / path).resolve()
        return at == inside or inside in at.parents

    @property
    def tests_read_out(self) -> bool:
        """Whether the project's tests read files of its own output folder.

        That is so when it permits reading there (forge permits ``out`` by default, which says nothing), or when a test or
        script names a file in it.
        """
        out = str(self.raw["out"])
        permissions = list(self.raw.get("fs_permissions", ()))
        if permissions != [{"access": "read", "path": "out"}]:
            readable = [e for e in permissions if e.get("access") not in {False, "none", "write"}]
            if any(self.within(str(entry["path"]), out) for entry in readable):
                return True
        named = re.compile(rb"""["'/]""" + re.escape(out.encode()) + b"/")
        folders = {self.root / self.test, self.root / self.script}
        return any(named.search(file.read_bytes()) for folder in folders for file in folder.rglob("*.sol"))


def read_config(root: Path, forge: Path, env: Mapping[str, str]) -> ForgeConfig:
    """Ask forge. Takes 10 ms. Raises ``ProjectUnreadable``."""
    if not (root / "foundry.toml").is_file():
        raise ProjectUnreadable(
            "there is no foundry.toml here", where=Where(str(root)), remedy="Point [evm] root at the Foundry project."
        )
    finished = run_tool([forge, "config", "--json", "--root", root], cwd=root, timeout_s=60, env=env)
    try:
        if finished.exit_code != 0:
            raise ValueError(finished.complaint)
        raw = json.loads(finished.stdout)
        config = ForgeConfig(root, raw)
        _ = config.src, config.test, config.script, config.libs, raw["out"], raw["cache_path"]
    except (ValueError, KeyError, TypeError) as error:
        raise ProjectUnreadable(
            f"forge cannot read the project's settings: {finished.complaint or error}",
            where=Where(str(root / "foundry.toml")),
            remedy="`forge config` must work in this folder.",
        ) from error
    return config
