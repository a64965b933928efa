"""One compiling process for all tests here; each test has its own chain, explorers and project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.anvil import Anvil, anvil
from tests.support.explorers.compiling import Worker, worker
from tests.support.publishing import Explorers, Workplace, explorers, workplace


@pytest.fixture(scope="session")
def compiling() -> Iterator[Worker]:
    with worker() as running:
        yield running


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@dataclass
class Site:
    """A project whose target ``main`` names all three explorers."""

    node: Anvil
    explorers: Explorers
    work: Workplace

    def names(self, *services: str, wait_s: int = 60, more: str = "") -> None:
        """What ``main`` asks of: each at the full speed that a test may have."""
        lines = [f"wait-s = {wait_s}", more]
        for name in services:
            key = ', api-key = "env:SCAN_KEY"' if name == "etherscan" else ""
            lines.append(f'{name} = {{ url = "{self.explorers.url(name)}", rate-per-s = 100{key} }}')
        self.work.target("main", self.node.url, "\n".join(lines))


@pytest.fixture
def site(compiling: Worker, node: Anvil, tmp_path: Path) -> Iterator[Site]:
    with explorers(compiling, {31337: node.url}) as running:
        site = Site(node, running, workplace(tmp_path / "project"))
        site.names("etherscan", "blockscout", "sourcify")
        yield site
