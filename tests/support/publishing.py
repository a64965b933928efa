"""A project whose targets name explorers of the tests, on chains of their own, and ``ship`` run in it as a process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.anvil import Anvil, anvil
from tests.support.explorers.blockscout import BlockscoutServer, blockscout
from tests.support.explorers.compiling import Worker
from tests.support.explorers.etherscan import KEY, EtherscanServer, etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.serving import Service
from tests.support.explorers.sourcify import SourcifyServer, sourcify
from tests.support.schemas import hold

__all__ = ["CHILD", "MORE", "Explorers", "Workplace", "explorers", "workplace"]

ROOT = Path(__file__).resolve().parents[2]
COUNTER = ROOT / "tests" / "projects" / "counter"
CHILD = "src/Maker.sol:Child"
MORE = {
    "src/Maker.sol": """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
contract Child {
    address public immutable parent = msg.sender;
    uint256 public number;
    constructor(uint256 number_) { number = number_; }
}
contract Maker {
    Child public last;
    function make(uint256 number) external { last = new Child(number); }
}
""",
    "src/Linked.sol": """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
library Sum {
    function calc(uint256[] memory values) public pure returns (uint256 total) {
        for (uint256 i = 0; i < values.length; ++i) total += values[i];
    }
}
contract Linked { function sum(uint256[] calldata values) external pure returns (uint256) { return Sum.calc(values); } }
""",
}
_UNITS = """
[contracts.Maker]
source = "src/Maker.sol:Maker"

[calls.make]
to = "${contracts.Maker}"
call = "make(uint256)"
args = [5]

[contracts.Sum]
source = "src/Linked.sol:Sum"

[contracts.Linked]
source = "src/Linked.sol:Linked"
"""
PLACES = {
    "etherscan": "/v2/api",
    "blockscout": "/api",
    "sourcify": "",
}


@dataclass
class Explorers:
    """One of each kind; Blockscout serves the first chain alone, as each of its instances does."""

    etherscan: Service
    blockscout: Service
    sourcify: Service
    etherscan_server: EtherscanServer
    blockscout_server: BlockscoutServer
    sourcify_server: SourcifyServer

    @property
    def services(self) -> dict[str, Service]:
        return {"etherscan": self.etherscan, "blockscout": self.blockscout, "sourcify": self.sourcify}

    def url(self, name: str) -> str:
        return self.services[name].url + PLACES[name]


@contextmanager
def explorers(worker: Worker, nodes: Mapping[int, str], *, rate_per_s: int | None = None) -> Iterator[Explorers]:
    indexed = {chain_id: IndexedChain(chain_id, url) for chain_id, url in nodes.items()}
    with ExitStack() as stack:
        scan, scan_server = stack.enter_context(etherscan(worker, indexed, rate_per_s=rate_per_s))
        scout, scout_server = stack.enter_context(blockscout(worker, next(iter(indexed.values()))))
        sourced, sourced_server = stack.enter_context(sourcify(worker, indexed))
        yield Explorers(scan, scout, sourced, scan_server, scout_server, sourced_server)


@dataclass
class Workplace:
    """``key`` is what the environment gives for Etherscan's."""

    root: Path
    key: str = KEY
    said: list[str] = field(default_factory=list)

    def target(self, name: str, node: str, verify: str, chain: str = "") -> None:
        lines = [chain or 'extends = "builtin:local"', f'[rpc]\nendpoints = ["{node}"]', f"[verify]\n{verify}"]
        (self.root / "manifests" / f"{name}.toml").write_text("schema = 1\n" + "\n".join(lines) + "\n")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments]

    def environment(self) -> dict[str, str]:
        tools = os.environ.get("SHIP_TOOLS") or str(ROOT / ".tools")
        more = {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "SHIP_TOOLS": tools, "SCAN_KEY": self.key}
        return {**os.environ, **more}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def ship(self, *arguments: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), cwd=self.root, env=self.environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        self.said += [done.stdout, done.stderr]
        assert done.returncode == exit_code, f"exit {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done

    def document(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        """The last JSON document on stdout, held against its schema."""
        document = dict(json.loads(self.ship(*arguments, "--json", exit_code=exit_code).stdout))
        hold(document)
        return document

    def rows(self, target: str, kind: str = "") -> list[dict[str, Any]]:
        path = self.root / "deployments" / target / "journal.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [row for row in rows if row["kind"].startswith(kind)]

    def holds_nowhere(self, text: str) -> bool:
        """Whether ``text`` is in no output and no file."""
        files = [path for path in self.root.rglob("*") if path.is_file()]
        assert files
        return all(text not in said for said in self.said) and not any(
            text.encode() in path.read_bytes() for path in files
        )


def workplace(folder: Path) -> Workplace:
    """The counter, a factory with a child, and a contract with a library linked after compiling."""
    shutil.copytree(COUNTER, folder, ignore=shutil.ignore_patterns(".ship", "out", "cache", "deployments", "releases"))
    for path, text in MORE.items():
        (folder / path).write_text(text)
    manifest = folder / "ship.toml"
    manifest.write_text(manifest.read_text() + _UNITS)
    return Workplace(folder)


@contextmanager
def local_chain(chain_id: int = 31337) -> Iterator[Anvil]:
    with anvil("--chain-id", str(chain_id)) as node:
        yield node
