"""A 900 KB program onto the local Solana node: chunk writes side by side against one after the other, in one run.

Timed from the first request until the buffer is read back whole at finality; the same engine, node and bytes, the window alone differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from solders.keypair import Keypair  # noqa: E402

from chains.base import SystemClock  # noqa: E402
from chains.rpc import Endpoint, Rpc  # noqa: E402
from chains.solana.engine import Engine  # noqa: E402
from chains.solana.job import Job  # noqa: E402
from chains.solana.rpc import Cluster  # noqa: E402
from chains.solana.settings import Settings  # noqa: E402
from pipeline.journal import Journal  # noqa: E402
from tests.support.solana_node import TOKEN_2022, SolanaNode, solana_node  # noqa: E402
from tests.support.solana_release import LocalKey, Quiet  # noqa: E402


def prepared_s(node: SolanaNode, folder: Path, elf: bytes, in_flight: int) -> tuple[float, int]:
    """Seconds, and writes sent."""
    payer, authority, program = (LocalKey(Keypair()) for _ in range(3))
    node.call("requestAirdrop", payer.address, 100 * 10**9)
    node.advance(33)
    clock = SystemClock()
    cluster = Cluster(Rpc([Endpoint(node.url)], clock=clock))
    keys = (program.address, payer.address, authority.address)
    job = Job("ab" * 32, "large", "deploy", *keys, elf, len(elf))
    settings = Settings(poll_s=0.05, resend_s=1.0, in_flight=in_flight)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        journal = Journal(Path(own) / "journal.jsonl")
        engine = Engine(cluster, journal, clock, Quiet(), settings, job, {payer.address: payer})
        begun_s = time.monotonic()
        engine.prepare()
        took_s = time.monotonic() - begun_s
        journal.close()
    return took_s, engine.writes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=900_000)
    parser.add_argument("--slot-ms", type=int, default=400, help="as the public clusters [400]")
    given = parser.parse_args()
    usual = Settings().in_flight
    with tempfile.TemporaryDirectory() as folder, solana_node(Path(folder, "node"), slot_ms=given.slot_ms) as node:
        elf = node.built_in_elf(TOKEN_2022)[: given.bytes]
        elf += random.Random(7).randbytes(given.bytes - len(elf))
        print("| writes at once | writes | seconds | ratio |\n|---|---|---|---|")
        alone_s, count = prepared_s(node, Path(folder), elf, 1)
        print(f"| 1 | {count} | {alone_s:.1f} | 1.00 |", flush=True)
        side_s, count = prepared_s(node, Path(folder), elf, usual)
        print(f"| {usual} | {count} | {side_s:.1f} | {side_s / alone_s:.3f} |")


if __name__ == "__main__":
    main()
