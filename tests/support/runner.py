"""One run of a saved hand-made plan, as a process of its own that tests can kill: ``runner.py PLAN JOURNAL URL``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chains.evm.actions import EvmPlan
from chains.evm.fees import FeeCaps
from pipeline.journal import Journal
from tests.support.contracts import Workshop, artifact
from tests.support.deployment import make_sender


def main(saved: str, journal_path: str, url: str, window: str = "16") -> None:
    data = json.loads(Path(saved).read_bytes())
    plan = EvmPlan.from_json(data["plan"])
    workshop = Workshop(plan.deployer, 0)
    for source, runtime in data["sources"].items():
        workshop.artifacts[source] = artifact(source.rpartition(":")[2], bytes.fromhex(runtime))
    journal = Journal(Path(journal_path))
    make_sender(url, plan, data["digest"], journal, workshop, caps=FeeCaps(), window=int(window)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
