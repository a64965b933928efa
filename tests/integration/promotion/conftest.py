"""A release candidate, live on one real chain and published on a fake GitHub, and a second chain it can be promoted to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from eth_keyfile.keyfile import create_keyfile_json

from pipeline.release.releasing import ReleaseOutcome, release_project
from pipeline.ui.plain import PlainUi
from tests.integration.commands.conftest import run_ship
from tests.integration.release.conftest import Lines, Quick, git
from tests.support.anvil import KEY, Anvil, anvil
from tests.support.github.fake import REPOSITORY, TOKEN, FakeGithub, fake_github

COUNTER = Path(__file__).parents[2] / "projects" / "counter"
TAG = "v1.0.0-rc.1"
SETTINGS = f"""
[github]
repository = "{REPOSITORY}"

[release]
targets = ["stage"]

[promote]
require-targets = ["stage"]
ladder = ["testnet", "mainnet"]
rungs = {{ testnet = ["stage"], mainnet = ["prod"] }}

[gates]
tests = {{}}
"""
CHANGELOG = "# Changelog\n\n## [1.0.0-rc.1] - 2026-11-20\n\n### Added\n- A counter.\n"
TEST = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;
import {Registry} from "../src/Registry.sol";
contract RegistryTest {
    function test_starts_empty() external {
        Registry registry = new Registry(address(this));
        require(registry.entries(bytes32(0)) == address(0));
    }
}
"""


@dataclass
class Candidate:
    """``root`` is a checkout of one's own. The chains are shared: what a test changes there it takes back."""

    root: Path
    bare: Path
    stage: Anvil
    prod: Anvil
    said: Lines = field(default_factory=Lines)

    @property
    def head(self) -> str:
        return git(self.root, "rev-parse", "HEAD")

    def ship(self, *arguments: str) -> Result:
        return run_ship(*arguments, "-C", str(self.root))

    def promote(self, *more: str) -> Result:
        return self.ship("promote", TAG, "--chain", "prod", "--yes", *more)

    def release(self, version: str | None = None) -> ReleaseOutcome:
        ui: Any = PlainUi(self.said)  # type: ignore[arg-type]
        return release_project(self.root, ui, draft=False, dry=False, clock=Quick(), version=version)

    def commit(self, message: str) -> None:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", message)
        git(self.root, "push", "-q", "origin", "HEAD:main")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def record(self, tag: str, target: str) -> dict[str, Any]:
        return dict(json.loads((self.root / "releases" / tag / f"{target}.json").read_text()))

    def later(self, **passed: float) -> datetime:
        at = datetime.fromisoformat(self.record(TAG, "stage")["proven_at"])
        return at.astimezone(UTC) + timedelta(**passed)


@pytest.fixture(scope="session")
def chains() -> Iterator[tuple[Anvil, Anvil]]:
    with anvil("--chain-id", "42101") as stage, anvil("--chain-id", "42102") as prod:
        yield stage, prod


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, chains: tuple[Anvil, Anvil]) -> Path:
    """``project`` and ``bare``: the candidate on ``stage``, its records committed. Not to be changed."""
    home = tmp_path_factory.mktemp("candidate")
    root, bare = home / "project", home / "bare"
    shutil.copytree(COUNTER, root)
    text = (root / "ship.toml").read_text()
    version = 'version = "1.0.0-rc.1"\nchangelog = "CHANGELOG.md"'
    (root / "ship.toml").write_text(text.replace('version = "1.0.0"', version) + SETTINGS)
    (root / "CHANGELOG.md").write_text(CHANGELOG)
    (root / "test").mkdir()
    (root / "test" / "Registry.t.sol").write_text(TEST)
    (root / ".gitignore").write_text("/.ship/\n/out/\n/cache/\n/key.json\n/password\n")
    (root / "key.json").write_text(json.dumps(create_keyfile_json(KEY, b"password", kdf="pbkdf2", iterations=1000)))
    (root / "password").write_text("password\n")
    (root / "password").chmod(0o600)
    for name, chain, id_ in zip(("stage", "prod"), chains, (42101, 42102), strict=True):
        (root / "manifests" / f"{name}.toml").write_text(
            f'schema = 1\nchain = {{ name = "{name}", id = {id_}, block-time-ms = 200 }}\n'
            f'[rpc]\nendpoints = ["{chain.url}"]\n'
            '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
            "[policy]\nfinality = 1\nwait-s = 60\n"
        )
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    git(root, "init", "-q", "-b", "main")
    for key, value in {"user.name": "Tester", "user.email": "tester@example.com", "commit.gpgSign": "false"}.items():
        git(root, "config", key, value)
    git(root, "remote", "add", "origin", str(bare))
    project = Candidate(root, bare, *chains)
    project.commit("A counter")
    done = project.ship("deploy", "--chain", "stage", "--yes", "--json")
    assert done.exit_code == 0, done.output
    return home


@pytest.fixture
def candidate(
    made: Path, chains: tuple[Anvil, Anvil], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Candidate]:
    home = tmp_path / "work"
    shutil.copytree(made, home, ignore=shutil.ignore_patterns("out", "cache", "node_modules"))
    git(home / "project", "remote", "set-url", "origin", str(home / "bare"))
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    kept = [(chain, chain.call("evm_snapshot")) for chain in chains]
    yield Candidate(home / "project", home / "bare", *chains)
    for chain, snapshot in kept:
        assert chain.call("evm_revert", snapshot)


@pytest.fixture
def github(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGithub]:
    with fake_github(candidate.bare) as fake:
        monkeypatch.setenv("GITHUB_API_URL", fake.url)
        yield fake


@pytest.fixture
def published(candidate: Candidate, github: FakeGithub) -> FakeGithub:
    """The candidate is on GitHub."""
    assert candidate.release().state == "published"
    return github


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The embedded chain outlives the object that started it; who stops it waits for it by its pid."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"))
