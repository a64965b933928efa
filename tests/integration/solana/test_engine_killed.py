"""Fault 28: a release killed with SIGKILL at ten random moments goes on with the same buffer and writes nothing twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.rpc import Endpoint, Rpc
from chains.solana.layouts import Account, parse_program_data, program_data_address
from chains.solana.rpc import Cluster
from pipeline.journal import Journal
from tests.support.solana_node import ROOT, solana_node

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # 133 KB
KILLS = 10


@pytest.mark.parametrize("seed", [1])
def test_killed_ten_times(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    keys = [Keypair.from_seed(draw.randbytes(32)) for _ in range(3)]
    payer, authority, program = keys
    with solana_node(tmp_path / "node", slot_ms=50) as node:
        elf = tmp_path / "token.so"
        elf.write_bytes(node.built_in_elf(TOKEN))
        node.call("requestAirdrop", str(payer.pubkey()), 100 * 10**9)
        node.advance(33)
        journal = tmp_path / "journal.jsonl"
        given = {
            "url": node.url,
            "journal": str(journal),
            "elf": str(elf),
            "plan": "ab" * 32,
            "seeds": [bytes(key)[:32].hex() for key in keys],
        }
        (tmp_path / "run.json").write_text(json.dumps(given))
        command = [sys.executable, "-m", "tests.support.solana_run", str(tmp_path / "run.json")]
        killed, done = 0, None
        while done is None:
            process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
            try:
                # From what starting Python takes on: most moments fall into the run itself.
                _, errors = process.communicate(timeout=0.5 + draw.random() if killed < KILLS else 60)
                done = process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                killed += 1
        assert (done, errors) == (0, b"")
        assert killed >= 3
        rows = [row for row in Journal(journal).rows if row.kind.startswith("sol.")]
        signed = [(row.data["step"], row.data["signature"]) for row in rows if row.kind == "sol.signed"]
        writes = [write for row in rows if row.kind == "sol.writing" for write in row.data["writes"]]
        cluster = Cluster(Rpc([Endpoint(node.url)]))
        assert [step for step, _ in signed] == ["create", "handover", "deploy"]
        landed = cluster.statuses([write[2] for write in writes])
        assert set(Counter(write[0] for write in writes if write[2] in landed).values()) == {1}
        assert cluster.buffers_of(str(payer.pubkey())) == cluster.buffers_of(str(authority.pubkey())) == []
        found = node.account(Pubkey.from_string(str(program_data_address(program.pubkey()))))
        assert found
        assert parse_program_data(Account(0, found["owner"], found["data"], False, 0)).holds(elf.read_bytes())
