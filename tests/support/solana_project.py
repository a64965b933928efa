"""The counter as a project of a test's own, released to a node of its own: two providers, each behind a fault proxy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import Result
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.rpc import Endpoint, Rpc
from chains.solana.layouts import Account, parse_program_data, program_data_address
from chains.solana.rpc import Cluster
from pipeline.journal import Journal, read_rows
from pipeline.signing.development import _DEVELOPMENT_SEED
from tests.support.command import run_ship
from tests.support.solana_node import COUNTER, ROOT, SolanaNode, solana_node
from tests.support.solana_proxy import SolanaProxy, solana_proxy

__all__ = ["PROGRAM", "V1", "V2", "SolanaProject", "development_key", "solana_project"]

PROGRAM = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"
V1 = (COUNTER / "target" / "deploy" / "counter.so").read_bytes()
V2 = (COUNTER / "next" / "deploy" / "counter.so").read_bytes()
SOL = 10**9


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


@dataclass
class SolanaProject:
    """``ship`` on the target ``here``; ``proxies`` are its two providers."""

    root: Path
    node: SolanaNode
    proxies: Sequence[SolanaProxy]
    tables: dict[str, dict[str, Any]] = field(default_factory=lambda: {"signer": {"backend": "development"}})

    # -- the project ---------------------------------------------------------------------------------------------------

    def target(self, *, urls: Sequence[str] = (), chain: Mapping[str, Any] | None = None, **tables: Any) -> None:
        """Write the target: ``tables`` replace those of before, ``None`` takes one away."""
        self.tables.update(tables)
        urls = list(urls) or [proxy.url for proxy in self.proxies]
        whole: dict[str, Any] = {
            "rpc": {"endpoints": urls, "timeout-s": 10},
            **{name: table for name, table in self.tables.items() if table is not None},
        }
        whole["policy"] = {"finality": "finalized", "approvals": 0, "wait-s": 30, **self.tables.get("policy", {})}
        lines = ["schema = 1", 'chain = "solana-local"']
        for name, table in whole.items():
            lines += [f"[{name}]", *(f"{json.dumps(key)} = {_toml(value)}" for key, value in table.items())]
        (self.root / "manifests").mkdir(exist_ok=True)
        (self.root / "manifests" / "here.toml").write_text("\n".join(lines) + "\n")

    def edit(self, old: str, new: str, file: str = "ship.toml") -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new))

    def next_version(self) -> None:
        """Version 0.2.0: a larger program, with one more instruction."""
        shutil.copytree(self.root / "next", self.root / "target", dirs_exist_ok=True)
        self.edit('version = "0.1.0"', 'version = "0.2.0"')

    # -- the command ---------------------------------------------------------------------------------------------------

    def ship(self, *arguments: str, exit_code: int | None = 0) -> Result:
        done = run_ship(*arguments, "-C", str(self.root))
        assert exit_code in {None, done.exit_code}, f"exit {done.exit_code}\n{done.output[-6000:]}"
        return done

    def deploy(self, *arguments: str, exit_code: int | None = 0) -> dict[str, Any]:
        """The document of ``ship deploy --json``; with its ``exit_code`` beside."""
        done = self.ship("deploy", "--chain", "here", "--yes", "--json", *arguments, exit_code=exit_code)
        return {**json.loads(done.stdout), "exit": done.exit_code}

    def rollback(self, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
        done = self.ship("rollback", "--chain", "here", "--json", *arguments, exit_code=exit_code)
        return dict(json.loads(done.stdout))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command in a process of its own, to be killed."""
        return subprocess.Popen(
            [sys.executable, "-c", "from pipeline.cli import main; main()", *arguments, "-C", str(self.root)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # -- what became of it ---------------------------------------------------------------------------------------------

    @property
    def journal(self) -> Path:
        return self.root / "deployments" / "here" / "journal.jsonl"

    def rows(self, kind: str = "") -> list[dict[str, Any]]:
        """The data of the journal's rows of one kind, the chain of their hashes held."""
        if not self.journal.exists():
            return []
        rows = read_rows(self.journal, self.journal.read_bytes())[0]
        return [{"kind": row.kind, **row.data} for row in rows if not kind or row.kind == kind]

    def signatures(self) -> set[str]:
        """Every signature the journal knows of."""
        known = {row["signature"] for row in self.rows("sol.signed")}
        return known | {write[2] for row in self.rows("sol.writing") for write in row["writes"]}

    @property
    def sent(self) -> list[str]:
        """The signatures that reached the node, by any provider, repeats included."""
        return [signature for proxy in self.proxies for signature in proxy.sent]

    @property
    def cluster(self) -> Cluster:
        return Cluster(Rpc([Endpoint(self.node.url)]))

    def live(self, program: str = PROGRAM) -> bytes | None:
        """The bytes the program runs."""
        found = self.node.account(program_data_address(Pubkey.from_string(program)))
        if found is None:
            return None
        whole = Account(found["lamports"], found["owner"], found["data"], False, 0)
        return parse_program_data(whole).elf.rstrip(b"\0")

    def authority(self, program: str = PROGRAM) -> str:
        """The program's upgrade authority, by the node."""
        found = self.node.account(program_data_address(Pubkey.from_string(program)))
        assert found
        whole = Account(found["lamports"], found["owner"], found["data"], False, 0)
        return str(parse_program_data(whole).authority)

    def runs(self, elf: bytes, program: str = PROGRAM) -> bool:
        return self.live(program) == elf.rstrip(b"\0")

    def fund(self, address: str, sol: int = 100) -> None:
        before = self.cluster.balance(address)
        self.node.call("requestAirdrop", address, sol * SOL)
        while self.cluster.balance(address) == before:
            self.node.advance(1)

    def hold(self) -> None:
        """The oracles of every case: what reached a node was in the journal before; the journal verifies."""
        assert set(self.sent) <= self.signatures()
        Journal(self.journal).close()


@contextmanager
def solana_project(folder: Path, *, slot_ms: int = 20, finalized_lag: int = 8, **more: Any) -> Iterator[SolanaProject]:
    """The counter 0.1.0 with a development key that is funded; nothing is released yet."""
    folder.mkdir(parents=True, exist_ok=True)
    root = shutil.copytree(
        COUNTER, folder / "counter", ignore=shutil.ignore_patterns(".ship", "deployments", "releases")
    )
    with ExitStack() as stack:
        node = stack.enter_context(solana_node(folder / "node", slot_ms=slot_ms, finalized_lag=finalized_lag, **more))
        proxies = [stack.enter_context(solana_proxy(node.url, seed)) for seed in (1, 2)]
        project = SolanaProject(root, node, proxies)
        project.target()
        project.fund(str(development_key().pubkey()))
        yield project


def development_key() -> Keypair:
    """The key everyone knows."""
    return Keypair.from_seed(_DEVELOPMENT_SEED)
