"""examples/counter in a folder of its own, released to a node of the test's through the whole command."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.programs.run import deploy_programs
from pipeline.ui.plain import PlainUi
from tests.support.solana_node import COUNTER

__all__ = ["CounterProject", "counter_project"]


def _no_password(*_: object) -> str:
    raise AssertionError("no password is asked for")


@dataclass
class CounterProject:
    """``said`` is what the last run printed."""

    root: Path
    target: str = "solana-test"
    said: str = ""

    def deploy(self, **options: object) -> Outcome:
        project = load_project(self.root)
        outcome, out = Outcome(self.target), StringIO()
        given = DeployOptions(yes=True, password=_no_password, **options)  # type: ignore[arg-type]
        try:
            deploy_programs(project, load_target(project, self.target), given, PlainUi(out), outcome)
        finally:
            self.said = out.getvalue()
        return outcome

    def edit(self, old: str, new: str, file: str = "ship.toml") -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def next_version(self, version: str = "0.2.0") -> None:
        """The program of ``next/``, under this version."""
        shutil.copytree(self.root / "next", self.root / "target", dirs_exist_ok=True)
        self.edit('version = "0.1.0"', f'version = "{version}"')

    def commit(self) -> str:
        def git(*args: str) -> str:
            named = ("-c", "user.name=t", "-c", "user.email=t@example.org")
            return subprocess.run(
                ["git", *named, *args], cwd=self.root, check=True, capture_output=True, text=True
            ).stdout.strip()

        if not (self.root / ".git").exists():
            git("init", "-q")
        (self.root / ".gitignore").write_text(".ship/\ndeployments/\nreleases/\n")
        git("add", "-A")
        git("commit", "-q", "-m", "a release")
        return git("rev-parse", "HEAD")


def counter_project(folder: Path, url: str, more: str = "") -> CounterProject:
    """A target ``solana-test`` whose endpoint is ``url``; ``more`` is put behind its manifest."""
    shutil.copytree(COUNTER, folder / "counter")
    root = folder / "counter"
    (root / "manifests").mkdir()
    (root / "manifests" / "solana-test.toml").write_text(
        f'schema = 1\nextends = "builtin:solana-local"\n\n[rpc]\nendpoints = ["{url}"]\n{more}'
    )
    return CounterProject(root)
