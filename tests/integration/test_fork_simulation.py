"""A node without ``eth_simulateV1``: state overrides or an anvil fork give the plan, with the same outcome."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.actions import EvmPlan, PlannedCheck
from chains.evm.chain import EvmChain, NoSimulation
from chains.evm.gas_limits import GasCap, Simulated, simulated
from chains.evm.scene import Way
from chains.evm.simulate import CheckWouldFail, WouldRevert
from chains.tools import ToolMissing
from tests.integration.test_chain import chain, plan
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil, tool
from tests.support.contracts import COUNTER, Workshop, tagged
from tests.support.fault_proxy import FaultProxy
from tests.support.hostile import wait_until

ABI = [{"type": "error", "name": "Paused", "inputs": [{"name": "since", "type": "uint256"}]}]
PAUSED = bytes.fromhex("6332fb7c9860e01b5f52602a60045260245ffd")
ANSWER = bytes.fromhex("602a5f5260205ff3")


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


NO_METHOD = "the method eth_simulateV1 does not exist"


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    """A node with neither ``eth_simulateV1`` nor state overrides."""
    with fp.fault_proxy(node.url) as running:
        running.add(fp.rpc_error(-32601, NO_METHOD, "eth_simulateV1", times=None))
        running.add(fp.no_overrides())
        yield running


def forking(url: str, found: Callable[[], Path] = lambda: tool("anvil")) -> EvmChain:
    return replace(chain(url), anvil=found)


def _forks() -> set[str]:
    """The argument lists of all forks that read through a relay."""
    listing = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return {line for line in listing.splitlines() if "--fork-url http://127.0.0.1" in line}


def test_the_fork_gives_the_same_plan_as_the_node(node: Anvil, proxy: FaultProxy) -> None:
    def gist(made: EvmPlan) -> Any:
        return [(a.id, a.address, a.data) for a in made.actions]

    there, here = plan(chain(node.url)), plan(forking(proxy.url))
    assert gist(there) == gist(here)
    for one, other in zip(there.actions, here.actions, strict=True):
        assert abs(one.gas_estimate - other.gas_estimate) <= max(one.gas_estimate // 100, 100)
    assert (there.estimate["simulated_by"], here.estimate["simulated_by"]) == ("eth_simulateV1", "an anvil fork")
    assert there.estimate["limits_tried"]
    assert here.estimate["limits_tried"]
    assert proxy.sent == []
    assert not any(call.startswith(("anvil_", "eth_send")) for call in proxy.calls), "the chain was only read"


def test_without_anvil_the_plan_is_refused(proxy: FaultProxy) -> None:
    def nowhere() -> Path:
        raise ToolMissing("anvil was not found", remedy="")

    with pytest.raises(NoSimulation, match="anvil was not found") as caught:
        plan(forking(proxy.url, nowhere))
    assert caught.value.exit_code == 2


def test_a_fork_that_does_not_start_is_a_refusal_with_its_words(proxy: FaultProxy, tmp_path: Path) -> None:
    broken = tmp_path / "anvil"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(NoSimulation, match="no such luck"):
        plan(forking(proxy.url, lambda: broken))


@pytest.fixture(params=["eth_simulateV1", "an anvil fork"])
def way(request: pytest.FixtureRequest) -> Way:
    return request.param  # type: ignore[no-any-return]


def run(url: str, workshop: Workshop, checks: list[PlannedCheck]) -> Simulated:
    with forking(url).simulator(DEPLOYER) as simulator:
        return simulated(simulator, workshop.actions, checks, gas_margin_bps=1000, cap=GasCap(30_000_000), abis=[ABI])


def test_both_show_a_revert_with_its_decoded_reason(node: Anvil, proxy: FaultProxy, way: Way) -> None:
    workshop = Workshop(DEPLOYER, node.nonce())
    bad = workshop.create("Bad", PAUSED)
    workshop.call("resume", bad)
    with pytest.raises(WouldRevert, match=r"resume .*Paused") as caught:
        run(node.url if way == "eth_simulateV1" else proxy.url, workshop, [])
    assert "42" in caught.value.cause


@pytest.mark.parametrize("expected", [42, 43])
def test_both_read_the_checks_after_the_plan(node: Anvil, proxy: FaultProxy, way: Way, expected: int) -> None:
    workshop = Workshop(DEPLOYER, node.nonce())
    place = workshop.create("Answer", ANSWER, salt=b"\x05" * 32)
    workshop.create("Counter", tagged(COUNTER, 1))
    check = PlannedCheck(
        name="answer",
        to=place,
        data=b"",
        call="x()(uint256)",
        expected=expected.to_bytes(32, "big"),
        outputs=("uint256",),
    )
    url = node.url if way == "eth_simulateV1" else proxy.url
    if expected == 42:
        assert run(url, workshop, [check]).way == way
    else:
        with pytest.raises(CheckWouldFail, match="gives 42, expected 43"):
            run(url, workshop, [check])


def test_no_key_of_an_endpoint_is_in_an_argument_list_and_nothing_stays_behind(
    node: Anvil, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O5, while the fork runs and afterwards."""
    seen: set[str] = set()
    forward = proxy.forward

    def watching(call: dict[str, Any]) -> dict[str, Any]:
        if call["method"] == "eth_getCode":
            seen.update(_forks())
        return forward(call)

    monkeypatch.setattr(proxy, "forward", watching)
    plan(forking(proxy.url + "/v2/PLANTEDKEY"))
    assert seen
    assert not [line for line in seen if "PLANTEDKEY" in line]
    wait_until(lambda: not seen & _forks())
