"""One run of a release in a process of its own, to be killed: ``python -m tests.support.solana_run SETTINGS.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from solders.keypair import Keypair

from chains.base import SystemClock
from chains.rpc import Endpoint, Rpc
from chains.solana.engine import Engine
from chains.solana.job import Job
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from pipeline.journal import Journal
from tests.support.solana_release import LocalKey, Quiet


def main(path: str) -> None:
    given = json.loads(Path(path).read_text())
    keys = [LocalKey(Keypair.from_seed(bytes.fromhex(seed))) for seed in given["seeds"]]
    payer, authority, program = (key.address for key in keys)
    elf = Path(given["elf"]).read_bytes()
    job = Job(given["plan"], "token", "deploy", program, payer, authority, elf, len(elf))
    clock = SystemClock()
    Engine(
        Cluster(Rpc([Endpoint(given["url"])], clock=clock)),
        Journal(Path(given["journal"])),
        clock,
        Quiet(),
        Settings(poll_s=0.02, in_flight=24),
        job,
        {key.address: key for key in keys},
    ).run()


if __name__ == "__main__":
    main(sys.argv[1])
