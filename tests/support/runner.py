"""One run of a saved hand-made plan, as a process of its own that tests can kill: ``runner.py PLAN JOURNAL URL``.

It ends with the exit code ``ship`` would end with. URLs (several: parted by commas) may also stand in ``SOAK_URLS``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from chains.errors import ShipError
from chains.evm.actions import EvmPlan
from chains.evm.fees import FeeCaps
from pipeline.journal import Journal
from tests.support.contracts import Workshop, artifact
from tests.support.deployment import make_sender
from tests.support.late import Late


def main(saved: str, journal_path: str, url: str, window: str = "16", settings: str = "{}") -> None:
    data = json.loads(Path(saved).read_bytes())
    plan = EvmPlan.from_json(data["plan"])
    workshop = Workshop(plan.deployer, 0)
    for source, runtime in data["sources"].items():
        workshop.artifacts[source] = artifact(source.rpartition(":")[2], bytes.fromhex(runtime))
    journal: Any = Journal(Path(journal_path))
    chosen = json.loads(settings)
    if chosen.pop("late", False):
        journal = Late(journal)
    urls = (url or os.environ["SOAK_URLS"]).split(",")
    sender = make_sender(urls, plan, data["digest"], journal, workshop, caps=FeeCaps(), window=int(window), **chosen)
    try:
        sender.run()
    except ShipError as error:
        print(f"{error.code} {error.cause} {error.done} {error.remedy}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
