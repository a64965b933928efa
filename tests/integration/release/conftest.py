"""A small project, deployed for real and committed, with a bare repository as its GitHub."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.manifest.project import load_project
from pipeline.release.releasing import ReleaseOutcome, release_project
from pipeline.ui.plain import PlainUi
from tests.integration.commands.conftest import run_ship
from tests.support.github.fake import REPOSITORY, TOKEN, FakeGithub, fake_github

COUNTER = Path(__file__).parents[2] / "projects" / "counter"
SETTINGS = f"""
[github]
repository = "{REPOSITORY}"

[release]
targets = ["local"]
"""
CHANGELOG = "# Changelog\n\n## [1.0.0] - 2026-11-24\n\n### Added\n- A counter, for @everyone & <b>all</b>.\n"


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Quick:
    """Time that passes when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Lines:
    """What a person would see."""

    text: list[str] = field(default_factory=list)

    def write(self, text: str) -> int:
        self.text.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def __str__(self) -> str:
        return "".join(self.text)


@dataclass
class Project:
    root: Path
    bare: Path
    said: Lines = field(default_factory=Lines)

    @property
    def head(self) -> str:
        return git(self.root, "rev-parse", "HEAD")

    def release(self, *, draft: bool = False, dry: bool = False) -> ReleaseOutcome:
        return release_project(
            self.root,
            PlainUi(self.said),  # type: ignore[arg-type]
            draft=draft,
            dry=dry,
            clock=Quick(),
        )

    def commit(self, message: str) -> None:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", message)
        git(self.root, "push", "-q", "origin", "HEAD:main")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def record(self) -> dict[str, Any]:
        return dict(json.loads((self.root / "releases/v1.0.0/local.json").read_text()))


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``project`` and ``bare``, deployed once. Not to be changed: ``project`` is a copy."""
    home = tmp_path_factory.mktemp("github-release")
    root, bare = home / "project", home / "bare"
    shutil.copytree(COUNTER, root)
    text = (root / "ship.toml").read_text()
    (root / "ship.toml").write_text(
        text.replace('version = "1.0.0"', 'version = "1.0.0"\nchangelog = "CHANGELOG.md"') + SETTINGS
    )
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / ".gitignore").write_text("/.ship/\n/out/\n/cache/\n")
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    git(root, "init", "-q", "-b", "main")
    for key, value in {"user.name": "Tester", "user.email": "tester@example.com", "commit.gpgSign": "false"}.items():
        git(root, "config", key, value)
    git(root, "remote", "add", "origin", str(bare))
    Project(root, bare).commit("A counter")
    result = run_ship("deploy", "--chain", "local", "--json", "-C", str(root))
    assert result.exit_code == 0, result.output
    assert load_project(root).version == "1.0.0"
    return home


@pytest.fixture
def project(deployed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    return copied(deployed, tmp_path / "work", monkeypatch)


def copied(deployed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of one's own, in an environment that knows nothing of the machine's GitHub."""
    shutil.copytree(deployed, home, ignore=shutil.ignore_patterns("out", "cache", "localnet", "node_modules"))
    git(home / "project", "remote", "set-url", "origin", str(home / "bare"))
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    return Project(home / "project", home / "bare")


@pytest.fixture
def github(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGithub]:
    with fake_github(project.bare) as fake:
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        yield fake


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The embedded chain outlives the object that started it; who stops it waits for it by its pid."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))
