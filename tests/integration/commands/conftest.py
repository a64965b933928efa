"""A small project, released for real once a session: forge, solc, anvil, the journal, the record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.support.command import run_ship

COUNTER = Path(__file__).parents[2] / "projects" / "counter"


@dataclass
class Release:
    """A project folder, and what can be done with it."""

    root: Path
    outcome: dict[str, Any] = field(default_factory=dict)

    def deploy(self) -> dict[str, Any]:
        """Release to ``local``; the outcome."""
        result = self.ship("deploy", "--chain", "local", "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def ship(self, *arguments: str) -> Result:
        """Run ``ship`` as the command line does, errors shown; gives output and exit code."""
        return run_ship(*arguments, "-C", str(self.root))

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """``counter`` 1.0.0, live on its embedded chain. Not to be changed: take ``copy`` for that."""
    root = tmp_path_factory.mktemp("released") / "counter"
    shutil.copytree(COUNTER, root)
    release = Release(root)
    release.outcome = release.deploy()
    return release


@pytest.fixture
def copy(released: Release, tmp_path: Path) -> Release:
    """A released project of one's own."""
    root = tmp_path / "counter"
    shutil.copytree(released.root, root)
    return Release(root)


@pytest.fixture
def ship() -> Callable[..., Result]:
    return run_ship


@pytest.fixture(scope="session")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An encrypted key and its password: scrypt takes its time, so one for all."""
    folder = tmp_path_factory.mktemp("keys")
    password = folder / "password"
    password.write_text("correct horse battery\n")
    password.chmod(0o600)
    path = folder / "deployer.json"
    result = run_ship("signer", "new", "--out", str(path), "--password-file", str(password))
    assert result.exit_code == 0, result.output
    return path, "correct horse battery"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The embedded chain outlives the object that started it; who stops it waits for it by its pid."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))
