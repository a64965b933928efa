"""The ``ship`` command as a user runs it: a process of its own, in a copy of a real project, with real tools."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.schemas import hold
from tests.support.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = {
    "vault": ROOT / "examples" / "vault",
    "uniswap-v2": ROOT / "tests" / "projects" / "uniswap-v2",
    "counter": ROOT / "tests" / "projects" / "counter",
}
TIMEOUT_S = 600


@dataclass(frozen=True)
class Ship:
    """Runs ``ship`` in ``root``."""

    root: Path

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments]

    def environment(self) -> dict[str, str]:
        tools = os.environ.get("SHIP_TOOLS") or str(ROOT / ".tools")
        return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "SHIP_TOOLS": tools}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def deploy(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """The document of ``ship deploy --chain local --json``."""
        done = self("deploy", "--chain", "local", "--json", *arguments, exit_code=exit_code)
        document: dict[str, Any] = json.loads(done.stdout)
        hold(document)
        return document

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "deployments/local/journal.jsonl").read_text().splitlines()]

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def _copy(source: Path, target: Path) -> None:
    """A copy of a project; node_modules, which nobody writes to, by hard links."""
    for path in source.iterdir():
        if path.name in {"out", "cache", "deployments", "releases"}:
            continue
        if path.is_dir():
            linked = path.name == "node_modules"
            shutil.copytree(path, target / path.name, copy_function=os.link if linked else shutil.copy2)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / path.name)


def _prepared(name: str, shared: Path) -> Path:
    """The project built and judged once for all workers, so that each test starts from bytes, not from sources."""
    home = shared / f"prepared-{name}"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            source = PROJECTS[name]
            if (source / "package-lock.json").exists():
                assert (source / "node_modules").is_dir(), f"run scripts/setup: {name} lacks its npm packages"
            home.mkdir(parents=True)
            for path in source.iterdir():
                if path.name not in {".ship", "out", "cache", "deployments", "releases"}:
                    copy = shutil.copytree if path.is_dir() else shutil.copy2
                    copy(path, home / path.name)
            Ship(home)("test")
            (home / "ready").touch()
    return home


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ship]]:
    """Gives a fresh copy of a prepared project; its local chain, if one runs, is stopped afterwards."""
    made: list[Ship] = []

    def make(name: str) -> Ship:
        target = tmp_path / name
        target.mkdir()
        _copy(_prepared(name, tmp_path_factory.getbasetemp().parent), target)
        made.append(Ship(target))
        return made[-1]

    yield make
    for ship in made:
        ship("localnet", "down")


@pytest.fixture
def vault(project: Callable[[str], Ship]) -> Callable[..., Vault]:
    return lambda *owners, threshold: Vault(
        project("vault"), owners[0] if callable(owners[0]) else list(owners), threshold
    )
