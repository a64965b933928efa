"""A system that a Foundry script deployed on a real anvil before ``ship`` came, and a project that describes it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from chains.evm.verify.creation import direct_creations
from chains.processes import run_tool
from chains.rpc import Endpoint, Rpc
from chains.tools import find_tool, forge_environment
from tests.support.schemas import hold

LEGACY = Path(__file__).parents[2] / "projects" / "legacy"
FIXTURES = Path(__file__).parent / "fixtures"
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # anvil's first, known to all


def run_ship(*arguments: str) -> Result:
    import click

    from pipeline.cli.group import ship
    from pipeline.cli.guard import guarded

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def shell(rest: tuple[str, ...]) -> None:
        sys.argv = ["ship", *rest]
        sys.exit(guarded(ship))

    return CliRunner().invoke(shell, list(arguments))


@dataclass
class Chain:
    """An anvil, what the script put there by name, and the transactions that did it."""

    url: str
    addresses: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    broadcast: Path = Path()

    @property
    def rpc(self) -> Rpc:
        return Rpc([Endpoint(self.url)])

    def run_script(self, root: Path) -> Path:
        """Broadcast ``script/Deploy.s.sol`` with forge; its run-latest.json."""
        env = forge_environment(
            root, extra={"FOUNDRY_OUT": str(root / ".ship/script"), "FOUNDRY_CACHE_PATH": str(root / ".ship/sc")}
        )
        done = run_tool(
            [find_tool("forge", root), "script", "script/Deploy.s.sol:Deploy", "--rpc-url", self.url, "--broadcast", "--private-key", _KEY],
            cwd=root, timeout_s=300, env=env,
        )  # fmt: skip
        assert done.exit_code == 0, done.text
        return root / "broadcast" / "Deploy.s.sol" / "31337" / "run-latest.json"

    def learn(self, file: Path) -> None:
        entries = json.loads(file.read_text())["transactions"]
        made = {c.address.lower(): c.transaction for c in direct_creations(self.rpc, [e["hash"] for e in entries])}
        for entry in entries:
            if entry["transactionType"] != "CALL":
                name = {"ERC1967Proxy": "Vessel"}.get(entry["contractName"], entry["contractName"])
                self.addresses[name] = entry["contractAddress"]
                self.hashes[name] = made[entry["contractAddress"].lower()]
        (self.hashes["set"],) = {e["hash"] for e in entries} - set(made.values())

    def fill(self, folder: Path) -> Path:
        """The placeholders of a copied fixture, filled in."""
        values = {"deployer": DEPLOYER, **self.addresses, **{f"{n}.hash": h for n, h in self.hashes.items()}}
        for file in folder.rglob("*"):
            if file.is_file():
                text = file.read_text()
                for name, value in values.items():
                    text = text.replace("{{" + name + "}}", value)
                file.write_text(text)
        return folder


@dataclass
class Legacy:
    """The project, not adopted yet, with the targets ``live`` and ``other`` on the chain where it runs."""

    root: Path
    chain: Chain

    def ship(self, *arguments: str) -> Result:
        return run_ship(*arguments, "-C", str(self.root))

    def adopt(self, *arguments: str | Path, chain: str = "live") -> dict[str, Any]:
        result = self.ship("adopt", "--chain", chain, "--json", *map(str, arguments))
        assert result.exit_code == 0, result.output
        document = dict(json.loads(result.stdout))
        hold(document)
        return document

    def refused(self, *arguments: str | Path, chain: str = "live") -> str:
        result = self.ship("adopt", "--chain", chain, *map(str, arguments))
        assert result.exit_code == 2, result.output
        assert not (self.root / "releases").exists()
        assert [row["kind"] for row in self.journal(chain)] in (["open"], [])
        return result.output

    def deploy(self, chain: str = "live") -> dict[str, Any]:
        result = self.ship("deploy", "--chain", chain, "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    def journal(self, chain: str = "live") -> list[dict[str, Any]]:
        file = self.root / "deployments" / chain / "journal.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def list_of(self, *names: str) -> Path:
        """An address list of these."""
        file = self.root / "addresses.json"
        file.write_text(json.dumps({name: self.chain.addresses[name] for name in names}))
        return file


@contextmanager
def anvil(folder: Path) -> Iterator[str]:
    """A node of one's own; its URL."""
    log = folder / "anvil.log"
    command = [find_tool("anvil", folder), "--host", "127.0.0.1", "--port", "0"]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        deadline_s = time.monotonic() + 60
        try:
            while (found := re.search(r"Listening on (127\.0\.0\.1:\d+)", log.read_text())) is None:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s, log.read_text()
                time.sleep(0.02)
            yield f"http://{found[1]}"
        finally:
            process.kill()


def _targets(root: Path, url: str) -> None:
    for name in ("live", "other"):
        (root / "manifests" / f"{name}.toml").write_text(
            f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{url}"]\n'
        )


@pytest.fixture(scope="session")
def deployed(forge: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Legacy]:
    """Deployed and built once; not to be changed: take ``legacy``."""
    folder = tmp_path_factory.mktemp("legacy")
    root = folder / "legacy"
    shutil.copytree(LEGACY, root)
    with anvil(folder) as url:
        chain = Chain(url)
        chain.broadcast = chain.run_script(root)
        chain.learn(chain.broadcast)
        _targets(root, url)
        assert run_ship("build", "-C", str(root)).exit_code == 0
        yield Legacy(root, chain)


@pytest.fixture
def legacy(deployed: Legacy, tmp_path: Path) -> Iterator[Legacy]:
    """A copy of the project; what a test does to the chain is undone."""
    root = tmp_path / "legacy"
    shutil.copytree(deployed.root, root)
    snapshot = deployed.chain.rpc.read("evm_snapshot", [])
    yield Legacy(root, deployed.chain)
    assert deployed.chain.rpc.read("evm_revert", [snapshot])


@pytest.fixture
def fixture_files(legacy: Legacy, tmp_path: Path) -> Callable[[str], Path]:
    """A folder of ``fixtures/``, filled in with what was deployed."""

    def copy(name: str) -> Path:
        target = tmp_path / "files" / name
        shutil.copytree(FIXTURES / name, target)
        return legacy.chain.fill(target)

    return copy
