"""Ctrl-C, and a CI runner's SIGTERM, are clean stops: exit 3, how to go on, and the same command finishes."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_deployment_says_how_to_go_on_and_does(
    project: Callable[[str], Any], how: signal.Signals
) -> None:
    ship = project("vault")
    process = ship.start("deploy", "--chain", "local", "--json")
    journal = ship.root / "deployments/local/journal.jsonl"
    deadline_s = time.monotonic() + 120
    while time.monotonic() < deadline_s and process.poll() is None:
        if journal.exists() and b"tx.reserved" in journal.read_bytes():
            break
        time.sleep(0.001)
    process.send_signal(how)
    out, err = process.communicate(timeout=120)
    document = json.loads(out)
    if process.returncode:  # the whole deployment may have been faster than the signal
        assert process.returncode == 3
        assert document["outcome"] == "resumable"
        assert "ship deploy --chain local" in document["error"]["remedy"]
        assert "Traceback" not in err
    assert ship.deploy()["outcome"] == "done"
    assert len([row for row in ship.journal() if row["kind"] == "tx.final"]) == 19
