"""Small projects written by the tests, released in this process on real chains (anvil) from real builds (forge)."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chains.base import SystemClock
from chains.errors import Refused, ShipError
from chains.rpc import Endpoint, Rpc
from chains.tools import require_tool
from pipeline.deploying import Deployment
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.plan import Plan
from pipeline.planning import plan_project
from pipeline.session import open_session
from pipeline.signing.password import PasswordOptions
from pipeline.ui.plain import PlainUi

FOUNDRY = '[profile.default]\nsolc = "0.8.37"\nevm_version = "cancun"\n'
HEAD = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24;\n"


@dataclass
class Small:
    """A project in a folder of its own."""

    root: Path

    def write(self, **files: str) -> None:
        """Keys are paths."""
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert old in text
        (self.root / file).write_text(text.replace(old, new))

    def plan(self, target: str = "local") -> Plan:
        return plan_project(self.root, target, PlainUi(StringIO()))[0]

    def deploy(self, target: str = "local", *, yes: bool = True) -> tuple[Outcome, str]:
        """The outcome, and everything that was said."""
        said = StringIO()

        def show(error: ShipError) -> None:
            problems = getattr(error, "problems", None) or [error]
            said.write("".join(f"\n{p.code}: {p.cause}\n{p.remedy}" for p in problems))

        options = DeployOptions(yes=yes, password=PasswordOptions())
        outcome = Deployment(self.root, target, options, PlainUi(said), show).run()
        return outcome, said.getvalue()

    @contextlib.contextmanager
    def chain(self, target: str = "local") -> Iterator[Rpc]:
        """The target's chain, running."""
        project = load_project(self.root)
        with open_session(project, load_target(project, target), PlainUi(StringIO()), purpose="test", write=True) as s:
            yield s.chain.rpc

    def record(self, tag: str = "v1.0.0", target: str = "local") -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.root / "releases" / tag / f"{target}.json").read_text())
        return document


Make = Callable[..., Small]


@pytest.fixture
def small(tmp_path: Path) -> Make:
    """Makes a project from ship.toml's units and Solidity sources (without their head)."""
    for tool in ("forge", "anvil"):
        try:
            require_tool(tool, Path.cwd())
        except Refused as error:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(error.cause)

    def make(units: str, sources: dict[str, str], *, foundry: str = FOUNDRY, **files: str) -> Small:
        project = Small(tmp_path / "project")
        head = 'schema = 1\n[project]\nname = "small"\nversion = "1.0.0"\n'
        project.write(
            **{
                "ship.toml": head + units,
                "foundry.toml": foundry,
                "manifests/local.toml": 'schema = 1\nextends = "builtin:local"\n',
            },
            **{path: text if "pragma" in text else HEAD + text for path, text in sources.items()},
            **files,
        )
        return project

    return make


@dataclass
class Anvil:
    """A node of its own, with the development accounts."""

    url: str
    process: subprocess.Popen[bytes]

    def rpc(self, method: str, *params: Any) -> Any:
        return Rpc([Endpoint(self.url)]).read(method, list(params))


@pytest.fixture
def anvil() -> Iterator[Callable[..., Anvil]]:
    """Starts anvils."""
    started: list[Anvil] = []

    def start(*arguments: str, chain_id: int = 31337) -> Anvil:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = require_tool("anvil", Path.cwd()).path
        process = subprocess.Popen(
            [str(path), "--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id), "--silent", *arguments]
        )
        node = Anvil(f"http://127.0.0.1:{port}", process)
        started.append(node)
        deadline_s = time.monotonic() + 20
        while True:
            with contextlib.suppress(Exception):
                if node.rpc("eth_chainId"):
                    return node
            assert time.monotonic() < deadline_s, "anvil did not start"
            SystemClock().sleep_s(0.02)

    yield start
    for node in started:
        node.process.terminate()
        node.process.wait()


@pytest.fixture
def plain() -> Callable[[str], str]:
    """Text without colours and runs of spaces."""
    return lambda text: re.sub(r"\s+", " ", text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The embedded chain outlives the object that started it: a process of its own, ended through its lock and pid.
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
