"""What is read, probed and handed over after a plan: the same on a node without ``eth_simulateV1``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from chains.evm.fork_simulation import forked
from chains.evm.handover import will_hold
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.node_simulation import on_node
from chains.evm.planner import Draft, lay_out
from chains.evm.probing import PROBER, Probe, copied_to, probe
from chains.evm.roles import GRANTED
from chains.evm.scene import Scene, SimulationUnsupported
from chains.evm.simulate import ReadFailed
from chains.evm.simulator import Simulator
from chains.evm.units import Call, CallUnit, ContractUnit, EvmUnits, Read, Ref
from chains.rpc import Endpoint, Rpc
from tests.integration.test_fork_simulation import forking
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil, tool
from tests.support.contracts import COUNTER, SENTRY, Workshop, artifact, init_code, tagged
from tests.support.fault_proxy import FaultProxy


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        running.add(fp.rpc_error(-32601, "the method eth_simulateV1 does not exist", "eth_simulateV1", times=None))
        yield running


@pytest.fixture(params=["eth_simulateV1", "an anvil fork"])
def simulator(request: pytest.FixtureRequest, node: Anvil, proxy: FaultProxy) -> Iterator[Simulator]:
    url = node.url if request.param == "eth_simulateV1" else proxy.url
    with forking(url).simulator(DEPLOYER) as made:
        yield made


@pytest.fixture
def shop(node: Anvil) -> Workshop:
    return Workshop(DEPLOYER, node.nonce())


def test_a_stranger_is_let_in_once_and_what_he_did_stays(simulator: Simulator, shop: Workshop) -> None:
    """SENTRY lets the first call through, and no other: the second probe meets what the first one left."""
    open_to_all = shop.create("Open", tagged(SENTRY, 1))
    used = shop.create("Used", tagged(SENTRY, 2))
    shop.call("initialize", used)
    probes = [Probe(PROBER, open_to_all, b""), Probe(PROBER, open_to_all, b""), Probe(PROBER, used, b"")]
    assert [one.succeeded for one in probe(simulator, shop.actions, probes)] == [True, False, False]
    assert [one.succeeded for one in probe(simulator, shop.actions, probes[1:])] == [True, False], "nothing stayed"


def test_a_strangers_creation_lies_where_it_is_said_to(simulator: Simulator, shop: Workshop) -> None:
    shop.create("Any", tagged(COUNTER, 1))
    copy = init_code(bytes.fromhex("602a5f5260205ff3"))
    creations = [Probe(PROBER, None, copy, nonce) for nonce in (0, 5)]
    probes = [*creations, *[Probe(PROBER, copied_to(nonce), b"") for nonce in (0, 5)]]
    found = probe(simulator, shop.actions, probes)
    assert all(one.succeeded for one in found)
    assert [int.from_bytes(one.data, "big") for one in found[2:]] == [42, 42]


def test_a_plan_that_no_longer_runs_through_is_no_ground_for_probes(simulator: Simulator, shop: Workshop) -> None:
    used = shop.create("Used", tagged(SENTRY, 2))
    shop.call("once", used)
    shop.call("twice", used)
    with pytest.raises(SimulationUnsupported, match="would fail now"):
        probe(simulator, shop.actions, [Probe(PROBER, used, b"")])


READ = {"type": "function", "name": "get", "inputs": [], "outputs": [{"type": "uint256"}]}
SET = {"type": "function", "name": "set", "inputs": [{"type": "uint256", "name": "to"}], "outputs": []}
STORE = artifact("Store", bytes.fromhex("36600511600d57600435" + "5f5500" + "5b5f545f5260205ff3"), [READ, SET])
"""With more than a selector stores the first argument in slot 0; else returns slot 0."""


def store_units() -> EvmUnits:
    """Sets a store to 7, then passes on what it reads there."""
    read = Read(on=Ref("Store"), signature="get()(uint256)")
    calls = (
        CallUnit("seven", Ref("Store"), Call("set(uint256)", (7,))),
        CallUnit("copy", Ref("Other"), Call("set(uint256)", (read,)), after=("seven",)),
    )
    contracts = (ContractUnit("Store", "src/Store.sol:Store"), ContractUnit("Other", "src/Store.sol:Store"))
    return EvmUnits(contracts, calls)


def drafted(url: str, simulator: Simulator | None, nonce: int) -> Draft:
    node = Node(Rpc([Endpoint(url)], patience_s=2))
    return lay_out(store_units(), lambda name: STORE, {}, node, deployer=DEPLOYER, nonce=nonce, simulator=simulator)


def test_a_value_that_earlier_actions_decide_is_read_after_them(
    node: Anvil, proxy: FaultProxy, simulator: Simulator
) -> None:
    draft = drafted(proxy.url, simulator, node.nonce())
    assert draft.actions[-1].id == "copy"
    assert draft.actions[-1].data[-32:] == (7).to_bytes(32, "big")
    assert not draft.actions[-1].reads[0].settled


def test_without_a_fork_such_a_value_is_refused_with_both_ways_out(node: Anvil, proxy: FaultProxy) -> None:
    with pytest.raises(ReadFailed, match=r"eth_simulateV1.*state overrides.*no anvil") as caught:
        drafted(proxy.url, None, node.nonce())
    assert "install anvil" in caught.value.remedy


def test_a_value_that_code_alone_decides_needs_no_fork(node: Anvil, proxy: FaultProxy, shop: Workshop) -> None:
    place = shop.create("Answer", bytes.fromhex("602a5f5260205ff3"))
    with Simulator(Rpc([Endpoint(proxy.url)], patience_s=2), DEPLOYER) as simulator:
        ran = simulator.run(Scene(DEPLOYER, tuple(shop.actions), reads=((place, b""),), codes=(place,)))
    assert ran.way == "state overrides"
    assert int.from_bytes(ran.reads[0].returned, "big") == 42
    assert ran.codes == (True,)


def test_what_the_deployer_will_hold_is_seen_from_the_events_of_the_plan(simulator: Simulator, shop: Workshop) -> None:
    """A contract whose constructor grants the deployer a role, and that says yes (one) to everything."""
    role = b"\x11" * 32
    grant = b"".join(b"\x7f" + word for word in (b"\0" * 32, bytes.fromhex(DEPLOYER[2:]).rjust(32, b"\0"), role))
    keep = grant + b"\x7f" + bytes.fromhex(GRANTED[2:]) + bytes.fromhex("5f5fa4")
    yes = bytes.fromhex("60015f5260205ff3")
    place = shop.create("Roles", yes)
    code = (
        keep + bytes([0x60, len(yes), 0x80, 0x61, *(len(keep) + 10).to_bytes(2, "big"), 0x5F, 0x39, 0x5F, 0xF3]) + yes
    )
    shop.actions[0] = replace(shop.actions[0], data=code)
    live = {"Roles": LiveUnit("Roles").merge({"address": place})}
    draft = Draft(tuple(shop.actions), (), (), live=live, fresh=frozenset({place.lower()}))
    heir = will_hold(simulator, draft, deployer=DEPLOYER, to="0x" + "0E" * 20, since={})
    assert [(right.kind, right.role) for right in heir.rights] == [("role", role)]


def test_an_action_of_a_safe_is_made_by_it_and_needs_no_ether_for_gas(node: Anvil, proxy: FaultProxy) -> None:
    """On the fork too ``msg.sender`` is the Safe, which is a contract and may hold nothing."""
    safe = "0x" + "5a" * 20
    node.call("anvil_setCode", safe, "0x00")
    shop = Workshop(DEPLOYER, node.nonce())
    caller = shop.create("Caller", bytes.fromhex("3615600957335f5500" + "5b5f545f5260205ff3"))
    shop.call("tell", caller, b"\x01", by=safe, kind="proposal")
    scene = Scene(DEPLOYER, tuple(shop.actions), reads=((caller, b""),))
    rpc = Rpc([Endpoint(node.url)], patience_s=2)
    head = Node(rpc).account(DEPLOYER)[2]
    with forked(rpc, tool("anvil"), head, forking(node.url).clock) as fork:
        there, here = on_node(rpc, scene, head), fork.run(scene)
    for ran in (there, here):
        assert ran.reads[0].returned[-20:] == bytes.fromhex(safe[2:])
