"""State overrides: exact where they are used, and left to a fork where they would not be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.address import create_address
from chains.evm.leftovers import opcodes, stays_at_home
from chains.evm.node import Node
from chains.evm.overriding import by_overrides
from chains.evm.scene import Ran, Scene, SimulationUnsupported
from chains.evm.simulator import Simulator
from chains.rpc import Endpoint, Rpc
from tests.integration.test_chain import plan
from tests.integration.test_fork_simulation import forking
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.contracts import COUNTER, Workshop, init_code, tagged
from tests.support.fault_proxy import FaultProxy

ANSWER = bytes.fromhex("602a5f5260205ff3")
READS_SLOT = bytes.fromhex("5f545f5260205ff3")
"""Returns slot 0."""


def forwards(to: str) -> bytes:
    """Runtime code: STATICCALLs ``to`` and returns its word."""
    return bytes.fromhex("60205f5f5f73" + to[2:] + "5afa5060205ff3")


def swallows(to: str) -> bytes:
    """Runtime code: calls ``to``, forgets the outcome, returns 1."""
    return bytes.fromhex("5f5f5f5f5f73" + to[2:] + "5af15060015f5260205ff3")


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        running.add(fp.rpc_error(-32601, "the method eth_simulateV1 does not exist", "eth_simulateV1", times=None))
        yield running


@pytest.fixture
def shop(node: Anvil) -> Workshop:
    return Workshop(DEPLOYER, node.nonce())


def overridden(node: Anvil, scene: Scene) -> Ran:
    rpc = Rpc([Endpoint(node.url)], patience_s=2)
    return by_overrides(rpc, scene, Node(rpc).account(DEPLOYER)[2])


def simulated(node: Anvil, scene: Scene) -> Ran:
    with Simulator(Rpc([Endpoint(node.url)], patience_s=2), DEPLOYER) as simulator:
        return simulator.run(scene)


def same_as_the_node(node: Anvil, scene: Scene) -> Ran:
    """What overrides give, held against ``eth_simulateV1``: answers to the byte, gas at least what is used."""
    here, there = overridden(node, scene), simulated(node, scene)
    assert there.way == "eth_simulateV1"
    for one, other in zip(here.actions, there.actions, strict=True):
        assert (one.succeeded, one.returned[-20:]) == (other.succeeded, other.returned[-20:])
        assert other.gas * 99 // 100 <= one.gas <= other.gas * 5 // 4 + 100
    assert [(r.succeeded, r.returned) for r in here.reads] == [(r.succeeded, r.returned) for r in there.reads]
    assert here.codes == there.codes
    return here


def test_a_plan_without_anvil_or_simulation_is_made_by_overrides(node: Anvil, proxy: FaultProxy) -> None:
    made = plan(replace(forking(proxy.url), anvil=None))
    assert made.estimate["simulated_by"] == "state overrides"
    assert made.estimate["limits_tried"] is True
    for action in made.actions:
        request = {"from": DEPLOYER, "data": "0x" + action.data.hex(), "gas": hex(action.gas_limit)}
        assert node.send(**request, **({"to": action.to} if action.to else {}))["status"] == "0x1"
    assert proxy.sent == []


def test_code_of_earlier_creations_is_there_for_later_ones(node: Anvil, shop: Workshop) -> None:
    answer = shop.create("Answer", ANSWER)
    asks = shop.create("Asks", forwards(answer))
    scene = Scene(DEPLOYER, tuple(shop.actions), reads=((asks, b""),), codes=(asks, "0x" + "0c" * 20))
    ran = same_as_the_node(node, scene)
    assert int.from_bytes(ran.reads[0].returned, "big") == 42
    assert ran.codes == (True, False)


def test_create2_leaves_its_code(node: Anvil, shop: Workshop) -> None:
    answer = shop.create("Answer", tagged(ANSWER, 9), salt=b"\x09" * 32)
    asks = shop.create("Asks", forwards(answer))
    ran = same_as_the_node(node, Scene(DEPLOYER, tuple(shop.actions), reads=((asks, b""),)))
    assert int.from_bytes(ran.reads[0].returned, "big") == 42


def test_a_revert_is_a_revert_with_its_data(node: Anvil, shop: Workshop) -> None:
    paused = shop.create("Paused", bytes.fromhex("6332fb7c9860e01b5f52602a60045260245ffd"))
    shop.call("resume", paused)
    shop.call("again", paused)
    ran = overridden(node, Scene(DEPLOYER, tuple(shop.actions)))
    assert [one.succeeded for one in ran.actions] == [True, False, False]
    assert ran.actions[1].revert.hex().startswith("32fb7c98")


def test_what_no_later_action_runs_may_have_any_storage(node: Anvil, shop: Workshop) -> None:
    """A counter counts; what comes after has nothing to do with it, which is shown by running it without."""
    counter = shop.create("Counter", tagged(COUNTER, 1))
    shop.call("count", counter)
    answer = shop.create("Answer", ANSWER)
    same_as_the_node(node, Scene(DEPLOYER, tuple(shop.actions), reads=((answer, b""),)))


@pytest.mark.parametrize("between", [forwards, swallows], ids=["through another", "by one that swallows failures"])
def test_storage_written_by_an_earlier_action_is_left_to_a_fork(node: Anvil, shop: Workshop, between: Any) -> None:
    """The one that swallows failures gives the same answer whatever the counter does: its gas gives it away."""
    counter = shop.create("Counter", tagged(COUNTER, 1))
    shop.call("count", counter)
    asks = shop.create("Asks", between(counter))
    shop.call("ask", asks)
    with pytest.raises(SimulationUnsupported, match="depends on storage that earlier actions wrote"):
        overridden(node, Scene(DEPLOYER, tuple(shop.actions)))


def test_a_constructor_that_writes_is_not_carried_as_if_it_had_not(node: Anvil, shop: Workshop) -> None:
    """Slot 0 is 7 after construction; by code alone it would read 0."""
    made = shop.create("Seven", READS_SLOT)
    creation = bytes.fromhex("60075f55") + bytes([0x60, 8, 0x80, 0x60, 13, 0x5F, 0x39, 0x5F, 0xF3]) + READS_SLOT
    shop.actions[0] = replace(shop.actions[0], data=creation)
    scene = Scene(DEPLOYER, tuple(shop.actions), reads=((made, b""),))
    assert int.from_bytes(simulated(node, scene).reads[0].returned, "big") == 7
    with pytest.raises(SimulationUnsupported, match="depends on storage"):
        overridden(node, scene)


def test_an_event_or_a_call_in_a_constructor_ends_what_can_be_said(node: Anvil, shop: Workshop) -> None:
    """CALL to a counter that is on chain: its storage moves, which no override of ours would show."""
    counter = create_address(DEPLOYER, node.nonce())
    node.send(**{"from": DEPLOYER, "data": "0x" + init_code(tagged(COUNTER, 3)).hex()})
    late = Workshop(DEPLOYER, node.nonce())
    late.create("Calls", ANSWER)
    calls = bytes.fromhex("5f5f5f5f5f73" + counter[2:] + "5af150")
    late.actions[0] = replace(
        late.actions[0], data=calls + bytes([0x60, 8, 0x80, 0x60, len(calls) + 9, 0x5F, 0x39, 0x5F, 0xF3]) + ANSWER
    )
    late.create("After", ANSWER)
    with pytest.raises(SimulationUnsupported, match="After comes after Calls, which may write to any storage"):
        overridden(node, Scene(DEPLOYER, tuple(late.actions)))
    alone = overridden(node, Scene(DEPLOYER, tuple(late.actions[:1])))
    assert alone.actions[0].succeeded, "as the last one it may do what it likes"


@pytest.mark.parametrize(
    "field", [{"by": "0x" + "0d" * 20}, {"value_wei": 1}], ids=["a Safe's action", "value goes along"]
)
def test_what_overrides_do_not_show_is_left_to_a_fork(node: Anvil, shop: Workshop, field: dict[str, Any]) -> None:
    counter = shop.create("Counter", tagged(COUNTER, 1))
    shop.call("one", counter, **field)
    shop.create("Answer", ANSWER)
    with pytest.raises(SimulationUnsupported):
        overridden(node, Scene(DEPLOYER, tuple(shop.actions)))


def test_a_node_that_ignores_overrides_is_not_believed(proxy: FaultProxy, shop: Workshop) -> None:
    """It would call an address without code, and every call would succeed."""

    def ignoring(inner: FaultProxy, call: dict[str, Any]) -> Any:
        return inner.forward({**call, "params": call["params"][:2]}).get("result")

    shop.create("Answer", ANSWER)
    proxy.add(fp.result(ignoring, "eth_call", times=None))
    rpc = Rpc([Endpoint(proxy.url)], patience_s=2)
    with pytest.raises(SimulationUnsupported, match="takes no state overrides"):
        by_overrides(rpc, Scene(DEPLOYER, tuple(shop.actions)), Node(rpc).account(DEPLOYER)[2])


def test_a_fork_has_the_word_where_overrides_do_not(proxy: FaultProxy, shop: Workshop) -> None:
    counter = shop.create("Counter", tagged(COUNTER, 1))
    shop.call("one", counter)
    shop.call("two", counter)
    with forking(proxy.url).simulator(DEPLOYER) as simulator:
        assert simulator.run(Scene(DEPLOYER, tuple(shop.actions[:1]))).way == "state overrides"
        assert simulator.run(Scene(DEPLOYER, tuple(shop.actions))).way == "an anvil fork"


def test_operands_are_no_opcodes_and_jump_targets_are_found() -> None:
    assert opcodes(bytes.fromhex("60f161f1f27f" + "f1" * 32)) == {0x60, 0x61, 0x7F}
    assert stays_at_home(COUNTER)
    assert not stays_at_home(bytes.fromhex("5b5af1"))
    assert not stays_at_home(b"")
    assert not stays_at_home(bytes.fromhex("ef0100" + "00" * 20)), "a delegation runs other code"
