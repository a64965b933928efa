"""A node whose slots end by themselves, and examples/counter released to it by the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from eth_keyfile import create_keyfile_json
from solders.keypair import Keypair

from pipeline.cli.group import ship as ship_group
from pipeline.cli.guard import guarded
from pipeline.journal import read_rows
from tests.support.counter_project import CounterProject, counter_project
from tests.support.solana_node import SolanaNode, solana_node

DEVELOPMENT = "oeYf6KAJkLYhBuR8CiGc6L4D4Xtfepr85fuDgA9kq96"
PASSWORD = "canary-password-5501ab"


@pytest.fixture
def live_node(tmp_path: Path) -> Iterator[SolanaNode]:
    with solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as node:
        node.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
        node.advance(2)
        yield node


@dataclass
class Counter:
    """``ship`` runs the command as the command line does."""

    project: CounterProject
    node: SolanaNode
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> Path:
        return self.project.root

    def ship(self, *arguments: str, code: int = 0) -> Result:
        @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
        @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
        def shell(rest: tuple[str, ...]) -> None:
            sys.argv = ["ship", *rest]
            sys.exit(guarded(ship_group))

        result = CliRunner().invoke(shell, [*arguments, "-C", str(self.root)])
        assert result.exit_code == code, result.output
        assert PASSWORD not in result.output
        return result

    def json(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        from tests.support.schemas import hold

        document: dict[str, Any] = json.loads(self.ship(*arguments, "--json", code=code).stdout)
        hold(document)
        return document

    def manifest(self, more: str) -> None:
        """``more`` behind the target's endpoint."""
        (self.root / "manifests/solana-test.toml").write_text(
            f'schema = 1\nextends = "builtin:solana-local"\n\n[rpc]\nendpoints = ["{self.node.url}"]\n{more}'
        )

    def key(self, name: str) -> str:
        """A new ed25519 key in an encrypted file; its table without a head."""
        made = Keypair()
        folder = self.root / "keys"
        folder.mkdir(exist_ok=True)
        (folder / "password").write_text(PASSWORD + "\n")
        (folder / "password").chmod(0o600)
        sealed = create_keyfile_json(bytes(made)[:32], PASSWORD.encode(), kdf="pbkdf2", iterations=1_000)
        held = {"version": 3, "id": sealed["id"], "crypto": sealed["crypto"], "publicKey": str(made.pubkey())}
        (folder / f"{name}.json").write_text(json.dumps(held))
        self.keys[name] = str(made.pubkey())
        table = f'backend = "keystore"\nfile = "keys/{name}.json"\npassword = "file:keys/password"\n'
        return f'{table}public-key = "{made.pubkey()}"\n'

    def rows(self, kind: str) -> list[dict[str, Any]]:
        path = self.root / "deployments/solana-test/journal.jsonl"
        return [dict(row.data) for row in read_rows(path, path.read_bytes())[0] if row.kind == kind]


@pytest.fixture
def counter(live_node: SolanaNode, tmp_path: Path) -> Counter:
    """Released as 0.1.0."""
    made = Counter(counter_project(tmp_path, live_node.url), live_node)
    made.ship("deploy", "--chain", "solana-test", "--yes")
    return made


@pytest.fixture(scope="session")
def shared_counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """Released as 0.1.0, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("shared")
    with solana_node(folder / "node", slot_ms=20, finalized_lag=8) as node:
        node.call("requestAirdrop", DEVELOPMENT, 100 * 10**9)
        node.advance(2)
        made = Counter(counter_project(folder, node.url), node)
        made.ship("deploy", "--chain", "solana-test", "--yes")
        yield made


@pytest.fixture
def upgraded(counter: Counter) -> Counter:
    """And 0.2.0, with the bytes of 0.1.0 staged."""
    counter.project.next_version()
    counter.ship("deploy", "--chain", "solana-test", "--yes")
    return counter


@pytest.fixture
def new_counter(live_node: SolanaNode, tmp_path: Path) -> Callable[[str], Counter]:
    """One that is not released yet, with more in its manifest."""
    return lambda more: Counter(counter_project(tmp_path, live_node.url, more), live_node)
