"""One run of a saved hand-made plan on shared state, as a process of its own: ``state_runner FOLDER PLAN URL SETTINGS``.

It opens the target as ``ship deploy`` does (lock, lease, log), sends the plan, and ends with the exit code of ``ship``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chains.base import SystemClock
from chains.errors import ShipError
from chains.evm.actions import EvmPlan
from chains.evm.fees import FeeCaps
from pipeline.lock import locked
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.state.local import ProjectState
from pipeline.state.opening import opened_for_writing
from pipeline.ui.plain import PlainUi
from tests.support.contracts import Workshop, artifact
from tests.support.deployment import make_sender


def main(folder: str, saved: str, url: str, settings: str = "{}") -> None:
    data = json.loads(Path(saved).read_bytes())
    plan = EvmPlan.from_json(data["plan"])
    workshop = Workshop(plan.deployer, 0)
    for source, runtime in data["sources"].items():
        workshop.artifacts[source] = artifact(source.rpartition(":")[2], bytes.fromhex(runtime))
    project = load_project(Path(folder))
    target, state = load_target(project, "t"), ProjectState(Path(folder)).target("t")
    ui = PlainUi(sys.stderr)
    try:
        with (
            locked(state.lock, "a test's run"),
            opened_for_writing(project, target, state, ui, SystemClock(), "a test's run") as journal,
        ):
            make_sender(url, plan, data["digest"], journal, workshop, caps=FeeCaps(), **json.loads(settings)).run()
    except ShipError as error:
        print(f"{error.code} {error.cause} {error.done} {error.remedy}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
