"""Gas limits: under the caps of chain and block, and tried themselves before anybody signs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.gas import intrinsic_gas
from chains.evm.gas_limits import AbsurdGas, GasAboveCap, GasCap, GasTooTight, Simulated, simulated
from chains.evm.node import Node
from chains.evm.node_simulation import on_node
from chains.evm.overriding import by_overrides
from chains.evm.scene import Scene
from chains.evm.simulator import Simulator
from chains.rpc import Endpoint, Rpc
from tests.integration.test_chain import chain, plan
from tests.integration.test_fork_simulation import forking
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.contracts import COUNTER, Workshop, tagged

CAP = 16_777_216
BURNER = bytes.fromhex("5f355b600190038060025700")
"""Runtime code: counts the first word of its calldata down to zero, 26 gas a step."""
ANSWER = bytes.fromhex("602a5f5260205ff3")


def burning(steps: int) -> bytes:
    return steps.to_bytes(32, "big")


def catching(burner: str, steps: int) -> bytes:
    """Init code: calls ``burner`` with all its gas, stores and logs whether that succeeded, and becomes ``ANSWER``."""
    call = "62" + steps.to_bytes(3, "big").hex() + "5f52" + "5f5f60205f5f73" + burner[2:] + "5af1"
    keep = bytes.fromhex(call + "805f52" + "5f55" + "60205fa0")
    return keep + bytes([0x60, len(ANSWER), 0x80, 0x60, len(keep) + 9, 0x5F, 0x39, 0x5F, 0xF3]) + ANSWER


def caught(shop: Workshop) -> str:
    """A burner, and a contract whose constructor catches that it ran out of gas."""
    burner = shop.create("Burner", BURNER)
    place = shop.create("Catcher", ANSWER)
    shop.actions[-1] = replace(shop.actions[-1], data=catching(burner, 250_000))
    return place


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def shop(node: Anvil) -> Workshop:
    return Workshop(DEPLOYER, node.nonce())


def limits(
    node: Anvil, shop: Workshop, cap: GasCap, margin_bps: int = 2000, tell: list[str] | None = None
) -> Simulated:
    simulator = Simulator(Rpc([Endpoint(node.url)], patience_s=2), DEPLOYER)
    said = [] if tell is None else tell
    return simulated(simulator, shop.actions, (), gas_margin_bps=margin_bps, cap=cap, abis=[], tell=said.append)


def burner(shop: Workshop, gas: int) -> None:
    """A contract, and a call to it that takes about ``gas``."""
    place = shop.create("Burner", BURNER)
    shop.call("burn", place, burning(gas // 26))


def test_more_than_one_transaction_may_use_is_refused_with_the_units_name(node: Anvil, shop: Workshop) -> None:
    burner(shop, 18_000_000)
    with pytest.raises(GasAboveCap, match=r"^burn .*16,777,216.*EIP-7825") as caught:
        limits(node, shop, GasCap(30_000_000, CAP))
    assert caught.value.exit_code == 2
    assert limits(node, shop, GasCap(30_000_000)).actions[1].gas_limit > CAP, "without the cap it is planned"


def test_a_margin_that_alone_passes_the_cap_is_clamped_to_it_and_tried(node: Anvil, shop: Workshop) -> None:
    burner(shop, 15_500_000)
    made = limits(node, shop, GasCap(30_000_000, CAP))
    assert made.tried
    assert made.actions[1].gas_limit == CAP
    assert made.actions[1].gas_estimate < CAP


def test_a_margin_that_alone_passes_the_block_is_clamped_to_the_block(node: Anvil, shop: Workshop) -> None:
    burner(shop, 28_000_000)
    assert limits(node, shop, GasCap(30_000_000)).actions[1].gas_limit == 30_000_000
    with pytest.raises(AbsurdGas, match="a block has 20000000"):
        limits(node, shop, GasCap(20_000_000))


def test_the_cap_of_the_chain_reaches_the_plan(node: Anvil) -> None:
    on = chain(node.url)
    on.identity = replace(on.identity, transaction_gas_cap=plan(on).actions[0].gas_estimate - 1)
    with pytest.raises(GasAboveCap, match=r"^Box "):
        plan(on)


@pytest.mark.parametrize("way", ["eth_simulateV1", "state overrides", "an anvil fork"])
def test_a_limit_with_which_an_inner_call_fails_and_is_caught_is_raised(node: Anvil, shop: Workshop, way: str) -> None:
    """Without a margin the constructor has what it used; of that the burner gets 63/64, and runs dry, unseen."""
    place = caught(shop)
    said: list[str] = []
    with fp.fault_proxy(node.url) as proxy:
        if way != "eth_simulateV1":
            proxy.add(fp.rpc_error(-32601, "no", "eth_simulateV1", times=None))
        if way == "an anvil fork":
            proxy.add(fp.no_overrides())
        with forking(proxy.url).simulator(DEPLOYER) as simulator:
            made = simulated(
                simulator, shop.actions, (), gas_margin_bps=0, cap=GasCap(30_000_000), abis=[], tell=said.append
            )
    assert made.way == way
    assert made.tried
    assert [text.partition(" with ")[0] for text in said] == ["Catcher acts otherwise"]
    snapshot = node.call("evm_snapshot")
    for action in made.actions:
        fields = {"from": DEPLOYER, "data": "0x" + action.data.hex(), "gas": hex(action.gas_limit)}
        assert node.send(**fields)["status"] == "0x1"
    assert int(node.call("eth_getStorageAt", place, "0x0", "latest"), 16) == 1, "the inner call got through"
    node.call("evm_revert", snapshot)


def test_the_limit_that_was_not_raised_would_have_done_something_else(node: Anvil, shop: Workshop) -> None:
    """The control of the test above: with the gas that was used, the same transaction succeeds and stores zero."""
    place = caught(shop)
    used = limits(node, shop, GasCap(30_000_000)).actions
    snapshot = node.call("evm_snapshot")
    for action, gas in zip(shop.actions, (used[0].gas_limit, used[1].gas_estimate), strict=True):
        assert node.send(**{"from": DEPLOYER, "data": "0x" + action.data.hex(), "gas": hex(gas)})["status"] == "0x1"
    assert int(node.call("eth_getStorageAt", place, "0x0", "latest"), 16) == 0
    node.call("evm_revert", snapshot)


def test_a_limit_that_cannot_be_raised_any_further_is_refused(node: Anvil, shop: Workshop) -> None:
    caught(shop)
    used = limits(node, shop, GasCap(30_000_000)).actions[1].gas_estimate
    with pytest.raises(GasTooTight, match=r"^Catcher .*what it does with plenty") as refused:
        limits(node, shop, GasCap(used + 10_000), margin_bps=0)
    assert refused.value.exit_code == 2


def test_every_limit_is_tried_in_one_more_request(node: Anvil, shop: Workshop) -> None:
    first = shop.create("First", tagged(COUNTER, 1))
    shop.create("Second", tagged(COUNTER, 2), salt=b"\x07" * 32)
    shop.call("count", first)
    with fp.fault_proxy(node.url) as proxy:
        simulator = Simulator(Rpc([Endpoint(proxy.url)], patience_s=2), DEPLOYER)
        made = simulated(simulator, shop.actions, (), gas_margin_bps=2000, cap=GasCap(30_000_000), abis=[])
        assert made.tried
        assert proxy.calls.count("eth_simulateV1") == 2


@pytest.mark.parametrize("way", [on_node, by_overrides])
def test_a_creation_is_tried_with_the_gas_its_constructor_has_in_truth(node: Anvil, shop: Workshop, way: Any) -> None:
    """The least limit that works, found by real transactions, is the least that works in the simulation, to a few gas."""
    shop.create("Counter", tagged(COUNTER, 1) + b"\x5b" * 60)
    (action,) = shop.actions
    low, high = intrinsic_gas(action), 200_000
    while high - low > 1:
        middle = (low + high) // 2
        snapshot = node.call("evm_snapshot")
        status = node.send(**{"from": DEPLOYER, "data": "0x" + action.data.hex(), "gas": hex(middle)})["status"]
        node.call("evm_revert", snapshot)
        low, high = (low, middle) if status == "0x1" else (middle, high)
    rpc = Rpc([Endpoint(node.url)], patience_s=2)
    head = Node(rpc).account(DEPLOYER)[2]

    def works(limit: int) -> bool:
        return way(rpc, Scene(DEPLOYER, (action,), limits=(limit,)), head).actions[0].succeeded

    assert not works(high - 5)
    assert works(high + 5)
