"""``ship verify``: what other tools deployed, every fault by its verdict and exit code, kills, reports."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.anvil import KEY as DEPLOYER_KEY
from tests.support.anvil import tool
from tests.support.explorers.etherscan import KEY
from tests.support.explorers.faults import empty, html, lost_reply, rate_limited, reset, status, storm

REGISTRY = "src/Registry.sol:Registry"


def forge_create(site: Any, contract: str, *arguments: str) -> str:
    """The address; deployed by forge, of which ship knows nothing."""
    command = [
        tool("forge"),
        "create",
        contract,
        "--rpc-url",
        site.node.url,
        "--private-key",
        "0x" + DEPLOYER_KEY.hex(),
        "--broadcast",
    ]
    command += ["--json", *(("--constructor-args", *arguments) if arguments else ())]
    home = tool("forge").parent.parent / "home"
    environment = {**os.environ, "FOUNDRY_OFFLINE": "true", "HOME": str(home), "NO_COLOR": "1"}
    done = subprocess.run(
        command, cwd=site.work.root, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return str(json.loads(done.stdout[done.stdout.index("{") :])["deployedTo"])


def by_address(site: Any, address: str, contract: str, *more: str, exit_code: int = 0) -> dict[str, Any]:
    arguments = ("verify", "--chain", "main", "--address", address, "--contract", contract, *more)
    return dict(site.work.document(*arguments, exit_code=exit_code))


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {s["service"]: s["verdict"] for s in document["services"]}


PASSING: dict[str, Callable[[Any], Any]] = {
    "a rate limit on any call": lambda site: site.explorers.etherscan.faults.add(rate_limited(times=4)),
    "HTTP 502": lambda site: site.explorers.etherscan.faults.add(status(502, times=3)),
    "HTML with 200": lambda site: site.explorers.etherscan.faults.add(html(times=3)),
    "empty replies": lambda site: site.explorers.etherscan.faults.add(empty(times=3)),
    "connections reset": lambda site: site.explorers.etherscan.faults.add(reset(times=3)),
    "a lost reply to a poll": lambda site: site.explorers.etherscan.faults.add(lost_reply("checkverifystatus")),
    "a storm of everything": lambda site: site.explorers.etherscan.faults.add(*storm(0.3)),
    "not indexed for two seconds": lambda site: setattr(site.explorers.etherscan_server.desk, "hidden_s", 2.0),
    "pending three times": lambda site: setattr(site.explorers.etherscan_server.desk, "pending", 3),
    "a lost reply to a submission": lambda site: site.explorers.etherscan.faults.add(lost_reply("verifysourcecode")),
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_waited_out_and_nothing_is_handed_in_twice(site: Any, fault: str) -> None:
    registry = forge_create(site, REGISTRY, "0x" + "42" * 20)
    site.names("etherscan", wait_s=90)
    PASSING[fault](site)
    assert verdicts(by_address(site, registry, REGISTRY)) == {"etherscan": "exact"}
    assert site.explorers.etherscan_server.desk.twice == []
    assert site.work.holds_nowhere(KEY)


def test_a_false_success_is_unknown_and_exit_code_3(site: Any) -> None:
    registry = forge_create(site, REGISTRY, "0x" + "42" * 20)
    site.names("etherscan", wait_s=40)
    site.explorers.etherscan_server.desk.false_successes = 1
    shown = _document_and_error(site, registry, 3)
    assert shown["services"][0]["verdict"] == "unknown"
    assert "does not show it" in shown["services"][0]["reason"]
    assert verdicts(by_address(site, registry, REGISTRY)) == {"etherscan": "exact"}


def test_a_service_that_never_answers_is_unknown_and_exit_code_3(site: Any) -> None:
    registry = forge_create(site, REGISTRY, "0x" + "42" * 20)
    site.names("etherscan", "sourcify", wait_s=4)
    site.explorers.etherscan.faults.add(html(times=None))
    shown = _document_and_error(site, registry, 3)
    assert verdicts(shown) == {"etherscan": "unknown", "sourcify": "exact"}


def test_what_stays_pending_goes_on_with_the_same_ticket(site: Any) -> None:
    registry = forge_create(site, REGISTRY, "0x" + "42" * 20)
    site.names("etherscan", wait_s=4)
    site.explorers.etherscan_server.desk.pending = 10**6
    shown = _document_and_error(site, registry, 3)
    assert verdicts(shown) == {"etherscan": "pending"}
    site.explorers.etherscan_server.desk.pending = 0
    assert verdicts(by_address(site, registry, REGISTRY)) == {"etherscan": "exact"}
    assert len(site.explorers.etherscan.calls("verifysourcecode")) == 1


def test_a_refused_source_is_failed_and_exit_code_4(site: Any) -> None:
    registry = forge_create(site, REGISTRY, "0x" + "42" * 20)
    site.names("etherscan", wait_s=40)

    def refuse(job: Any) -> Any:
        from tests.support.explorers.matching import Mismatch

        raise Mismatch("Compiled contract deployment bytecode does NOT match the transaction deployment bytecode.")

    site.explorers.etherscan_server.desk.judge = refuse
    shown = _document_and_error(site, registry, 4)
    assert verdicts(shown) == {"etherscan": "failed"}
    assert "does NOT match" in shown["services"][0]["reason"]


def _document_and_error(site: Any, address: str, exit_code: int) -> dict[str, Any]:
    return by_address(site, address, REGISTRY, exit_code=exit_code)
