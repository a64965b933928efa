"""The planner on a real node, with contracts assembled by hand: what is planned, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.abi import AbiType, decode
from chains.evm.address import CREATE2_FACTORY, create2_address, create_address
from chains.evm.artifacts import Artifact
from chains.evm.authority import AuthorityUnusable
from chains.evm.call_units import TargetMissing
from chains.evm.creating import ImmutableChanged
from chains.evm.gas_limits import GasCap, simulated
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.planner import Draft, lay_out
from chains.evm.planning import LiveStateDrifted
from chains.evm.proxies import ADMIN_SLOT, BEACON_SLOT, IMPLEMENTATION_SLOT, ProxyUnsupported
from chains.evm.simulate import WouldRevert
from chains.evm.simulator import Simulator
from chains.evm.timelock import Operation, Timelock
from chains.evm.units import DEPLOYER as ME
from chains.evm.units import Call, CallUnit, Check, ContractUnit, EvmUnits, Ref, Unless
from chains.rpc import Endpoint, Rpc
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.contracts import COUNTER, REVERTER, artifact, tagged

SALT = b"\x05" * 32
UPGRADE = {
    "type": "function",
    "name": "upgradeToAndCall",
    "inputs": [{"type": "address"}, {"type": "bytes"}],
    "outputs": [],
}
SET = {"type": "function", "name": "set", "inputs": [{"type": "uint256", "name": "to"}], "outputs": []}
GET = {"type": "function", "name": "get", "inputs": [], "outputs": [{"type": "uint256"}]}


def _constructor(*types: str) -> dict[str, Any]:
    names = {"bytes": "data", "address": "logic"}
    inputs = [
        {"type": t, "name": "initialOwner" if i == 1 and t == "address" else names[t]} for i, t in enumerate(types)
    ]
    return {"type": "constructor", "inputs": inputs, "stateMutability": "payable"}


ANSWER_42 = bytes.fromhex("602a5f5260205ff3")
"""Runtime code: answers every call with 42."""

ARTIFACTS: dict[str, Artifact] = {
    made.name: made
    for made in (
        artifact("A", tagged(ANSWER_42, 1), [SET, GET, UPGRADE]),
        artifact("B", tagged(COUNTER, 2), [SET, GET]),
        artifact("Bad", tagged(REVERTER, 3), [SET]),
        artifact("ERC1967Proxy", tagged(COUNTER, 4), [_constructor("address", "bytes")]),
        artifact("TransparentUpgradeableProxy", tagged(COUNTER, 5), [_constructor("address", "address", "bytes")]),
        artifact("UpgradeableBeacon", tagged(COUNTER, 6), [_constructor("address", "address")]),
        artifact("BeaconProxy", tagged(COUNTER, 7), [_constructor("address", "bytes")]),
    )
}
CHANGED = {**ARTIFACTS, "A": artifact("A", tagged(ANSWER_42, 99), [SET, GET, UPGRADE])}


@pytest.fixture(scope="module")
def shared() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def node(shared: Anvil) -> Iterator[Anvil]:
    """The shared node, put back afterwards."""
    snapshot = shared.call("evm_snapshot")
    yield shared
    shared.call("evm_revert", snapshot)


def unit(name: str, **fields: Any) -> ContractUnit:
    return ContractUnit(name, f"src/{name}.sol:{name}", **fields)


def plan(
    node: Anvil, *units: ContractUnit, calls: tuple[CallUnit, ...] = (), checks: tuple[Check, ...] = (),
    live: dict[str, LiveUnit] | None = None, artifacts: dict[str, Artifact] = ARTIFACTS, nonce: int = 3,
) -> Draft:  # fmt: skip
    def source(name: str) -> Artifact:
        return artifacts[name.rpartition(":")[2]]

    view = Node(Rpc([Endpoint(node.url)], patience_s=2))
    return lay_out(EvmUnits(units, calls, checks), source, live or {}, view, deployer=DEPLOYER, nonce=nonce)


def changes(draft: Draft) -> dict[str, str]:
    return {u.name: u.change for u in draft.units}


def settled(draft: Draft, node: Anvil, live: dict[str, LiveUnit] | None = None) -> dict[str, LiveUnit]:
    """The live state when ``draft`` is done, with code at every address."""
    state = dict(live or {})
    for action in draft.actions:
        state[action.unit] = state.get(action.unit, LiveUnit(action.unit)).merge(action.effect)
        if action.address and action.source:
            node.call(
                "anvil_setCode", action.address, "0x" + ARTIFACTS[action.source.rpartition(":")[2]].runtime_code.hex()
            )
    for live_unit in state.values():
        for slot, value in (
            (IMPLEMENTATION_SLOT, live_unit.implementation if live_unit.proxy != "beacon" else None),
            (ADMIN_SLOT, live_unit.admin),
            (BEACON_SLOT, live_unit.beacon),
        ):
            if live_unit.address and value:
                node.call("anvil_setStorageAt", live_unit.address, slot, "0x" + value[2:].lower().rjust(64, "0"))
        if live_unit.beacon and live_unit.implementation:  # PUSH20 implementation, answered to every call
            code = "73" + live_unit.implementation[2:].lower() + "5f5260205ff3"
            node.call("anvil_setCode", live_unit.beacon, "0x" + code)
    return state


def test_nonces_addresses_and_order(node: Anvil) -> None:
    draft = plan(node, unit("A"), unit("B"), calls=(CallUnit("set", Ref("B"), Call("set(uint256)", (7,))),))
    assert [(a.id, a.nonce) for a in draft.actions] == [("A", 3), ("B", 4), ("set", 5)]
    assert draft.actions[0].address == create_address(DEPLOYER, 3)
    assert draft.actions[2].to == draft.actions[1].address == create_address(DEPLOYER, 4)
    assert draft.actions[2].data.hex().endswith("07")
    assert changes(draft) == {"A": "create", "B": "create", "set": "call"}
    assert plan(node, unit("A"), unit("B")).actions[:2] == draft.actions[:2]


def test_create2_goes_through_the_factory_and_takes_no_new_address_with_the_nonce(node: Anvil) -> None:
    here, later = plan(node, unit("A", create2_salt=SALT)), plan(node, unit("A", create2_salt=SALT), nonce=9)
    init = ARTIFACTS["A"].creation_code
    assert here.actions[0].to == CREATE2_FACTORY
    assert here.actions[0].data == SALT + init
    assert here.actions[0].address == later.actions[0].address == create2_address(CREATE2_FACTORY, SALT, init)


def test_20_the_same_code_at_its_create2_address_is_adopted(node: Anvil) -> None:
    init = ARTIFACTS["A"].creation_code
    node.send(**{"from": DEPLOYER, "to": CREATE2_FACTORY, "data": "0x" + (SALT + init).hex()})
    draft = plan(node, unit("A", create2_salt=SALT), unit("B"))
    assert changes(draft) == {"A": "adopt", "B": "create"}
    assert [a.id for a in draft.actions] == ["B"]
    assert draft.units[0].after["address"] == create2_address(CREATE2_FACTORY, SALT, init)


def test_two_units_of_the_same_code_and_salt_are_one_contract(node: Anvil) -> None:
    twin = replace(unit("A", create2_salt=SALT), name="Twin")
    draft = plan(node, unit("A", create2_salt=SALT), twin)
    assert [a.id for a in draft.actions] == ["A"]
    assert changes(draft) == {"A": "create", "Twin": "adopt"}


def test_what_is_live_and_unchanged_is_left_alone(node: Anvil) -> None:
    units = (unit("A"), unit("B", create2_salt=SALT))
    live = settled(plan(node, *units), node)
    again = plan(node, *units, live=live, nonce=8)
    assert again.actions == ()
    assert changes(again) == {"A": "unchanged", "B": "unchanged"}


def test_a_changed_contract_is_refused_unless_its_replacement_is_asked_for(node: Anvil) -> None:
    live = settled(plan(node, unit("A")), node)
    with pytest.raises(ImmutableChanged) as caught:
        plan(node, unit("A"), live=live, artifacts=CHANGED)
    assert caught.value.exit_code == 2
    draft = plan(node, unit("A", replace=True), live=live, artifacts=CHANGED, nonce=8)
    assert changes(draft) == {"A": "replace"}
    assert draft.actions[0].address == create_address(DEPLOYER, 8)


def test_a_contract_that_is_gone_is_drift(node: Anvil) -> None:
    live = settled(plan(node, unit("A")), node)
    node.call("anvil_setCode", live["A"].address, "0x")
    with pytest.raises(LiveStateDrifted) as caught:
        plan(node, unit("A"), live=live)
    assert caught.value.exit_code == 4


KINDS = ["uups", "transparent", "beacon"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_proxy_is_deployed_with_its_initialization_in_one_transaction(node: Anvil, kind: str) -> None:
    initialize = Call("set(uint256)", (9,))
    draft = plan(node, unit("A", proxy=kind, initialize=initialize))
    parts = {"uups": 2, "transparent": 2, "beacon": 3}[kind]
    assert len(draft.actions) == parts
    assert draft.actions[0].id == "A.implementation"
    proxy = draft.actions[-1]
    args = proxy.data[len(ARTIFACTS["ERC1967Proxy"].creation_code) :]
    types = ["address", "address", "bytes"] if kind == "transparent" else ["address", "bytes"]
    values = decode([AbiType("", t) for t in types], args)
    behind = draft.actions[-2] if kind == "beacon" else draft.actions[0]
    assert values[0] == behind.address
    assert values[-1][-1] == 9
    if kind == "transparent":
        assert values[1] == DEPLOYER
    after = draft.units[0].after
    assert after["address"] == proxy.address == create_address(DEPLOYER, 3 + parts - 1)
    assert after["implementation"] == draft.actions[0].address
    assert after["admin"] == (create_address(str(proxy.address), 1) if kind == "transparent" else None)
    assert after["beacon"] == (behind.address if kind == "beacon" else None)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unchanged_proxy_is_left_alone(node: Anvil, kind: str) -> None:
    live = settled(plan(node, unit("A", proxy=kind)), node)
    assert plan(node, unit("A", proxy=kind), live=live).actions == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_implementation_is_an_upgrade(node: Anvil, kind: str) -> None:
    live = settled(plan(node, unit("A", proxy=kind)), node)
    upgrade = unit("A", proxy=kind, upgrade=Call("set(uint256)", (5,)))
    draft = plan(node, upgrade, live=live, artifacts=CHANGED, nonce=20)
    assert changes(draft) == {"A": "upgrade"}
    ids = ["A.implementation", "A.upgrade"] + (["A.migrate"] if kind == "beacon" else [])
    assert [a.id for a in draft.actions] == ids
    before = live["A"]
    assert draft.actions[1].to == {"uups": before.address, "transparent": before.admin, "beacon": before.beacon}[kind]
    assert create_address(DEPLOYER, 20)[2:].lower() in draft.actions[1].data.hex()
    assert draft.units[0].after["implementation"] == create_address(DEPLOYER, 20)
    assert draft.units[0].after["address"] == before.address


def test_an_interrupted_upgrade_does_not_deploy_its_implementation_again(node: Anvil) -> None:
    live = settled(plan(node, unit("A", proxy="uups")), node)
    draft = plan(node, unit("A", proxy="uups"), live=live, artifacts=CHANGED, nonce=20)
    half = settled(replace(draft, actions=draft.actions[:1]), node, live)
    rest = plan(node, unit("A", proxy="uups"), live=half, artifacts=CHANGED, nonce=30)
    assert [a.id for a in rest.actions] == ["A.upgrade"]


@pytest.mark.parametrize(
    ("kind", "slot"), [("uups", IMPLEMENTATION_SLOT), ("transparent", ADMIN_SLOT), ("beacon", BEACON_SLOT)]
)
def test_a_slot_changed_behind_ships_back_is_drift(node: Anvil, kind: str, slot: str) -> None:
    live = settled(plan(node, unit("A", proxy=kind)), node)
    node.call("anvil_setStorageAt", live["A"].address, slot, "0x" + "00" * 12 + "77" * 20)
    with pytest.raises(LiveStateDrifted, match="77777777"):
        plan(node, unit("A", proxy=kind), live=live)


def test_a_beacon_upgraded_behind_ships_back_is_drift(node: Anvil) -> None:
    live = settled(plan(node, unit("A", proxy="beacon")), node)
    node.call("anvil_setCode", live["A"].beacon, "0x73" + "77" * 20 + "5f5260205ff3")
    with pytest.raises(LiveStateDrifted, match="77777777"):
        plan(node, unit("A", proxy="beacon"), live=live)


def test_an_implementation_that_is_gone_is_drift(node: Anvil) -> None:
    live = settled(plan(node, unit("A", proxy="uups")), node)
    node.call("anvil_setCode", live["A"].implementation, "0x")
    with pytest.raises(LiveStateDrifted, match="the implementation of A"):
        plan(node, unit("A", proxy="uups"), live=live)


def test_another_kind_of_proxy_is_refused(node: Anvil) -> None:
    live = settled(plan(node, unit("A", proxy="uups")), node)
    with pytest.raises(ImmutableChanged):
        plan(node, unit("A", proxy="beacon"), live=live)


def test_an_upgrade_that_would_be_the_last_is_refused(node: Anvil) -> None:
    live = settled(plan(node, unit("A", proxy="uups")), node)
    dead_end = {**CHANGED, "A": artifact("A", tagged(COUNTER, 77), [SET])}
    with pytest.raises(ProxyUnsupported, match="never be upgraded again"):
        plan(node, unit("A", proxy="uups"), live=live, artifacts=dead_end)


def test_a_call_is_skipped_when_its_condition_holds_or_it_was_done(node: Anvil) -> None:
    live = settled(plan(node, unit("A")), node)
    call = CallUnit("set", Ref("A"), Call("set(uint256)", (7,)))
    holds = replace(call, unless=Unless("get()(uint256)", (), 42))
    differs = replace(call, unless=Unless("get()(uint256)", (), 43))
    assert changes(plan(node, unit("A"), calls=(holds,), live=live))["set"] == "skip"
    assert changes(plan(node, unit("A"), calls=(differs,), live=live))["set"] == "call"
    first = plan(node, unit("A"), calls=(call,), live=live)
    assert changes(first)["set"] == "call"
    live = settled(first, node, live)
    assert changes(plan(node, unit("A"), calls=(call,), live=live))["set"] == "skip"
    other = replace(call, call=Call("set(uint256)", (8,)))
    assert changes(plan(node, unit("A"), calls=(other,), live=live))["set"] == "call"


def test_calls_and_checks_on_empty_addresses_are_refused(node: Anvil) -> None:
    nowhere = "0x" + "ab" * 20
    with pytest.raises(TargetMissing):
        plan(node, calls=(CallUnit("x", nowhere, Call("set(uint256)", (1,))),))
    with pytest.raises(TargetMissing):
        plan(node, checks=(Check("x", nowhere, "get()(uint256)", (), 1),))


def test_references_to_parts_a_unit_does_not_have_are_refused(node: Anvil) -> None:
    with pytest.raises(ProxyUnsupported):
        plan(node, unit("B"), calls=(CallUnit("x", Ref("B", "admin"), Call("set(uint256)", (1,))),))


def test_an_authority_that_is_neither_a_safe_nor_a_timelock_is_refused(node: Anvil) -> None:
    """Answering everything is not being a timelock: it has to hash an operation as a timelock does."""
    live = settled(plan(node, unit("A"), unit("B")), node)
    call = CallUnit("pay", Ref("B"), Call("set(uint256)", (1,)), authority=Ref("A"))
    with pytest.raises(AuthorityUnusable, match="neither a Safe nor a TimelockController"):
        plan(node, unit("A"), unit("B"), calls=(call,), live=live)
    with pytest.raises(AuthorityUnusable, match="itself deployed by this plan"):
        plan(node, unit("A"), unit("B"), calls=(call,))
    stranger = "0x" + "77" * 20
    with pytest.raises(AuthorityUnusable, match="a key and not the one that signs"):
        plan(node, unit("A"), unit("B"), calls=(replace(call, authority=stranger),), live=live)


class _NewTimelock(Timelock):
    """Knows no operation yet, and lets everybody do everything."""

    def timestamp_s(self, operation: Operation) -> int:
        return 0


def test_a_call_through_a_timelock_carries_its_value_in_the_operation(
    node: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chains.evm.authority.read_timelock", lambda view, at: _NewTimelock(view, at, 42))
    live = settled(plan(node, unit("A"), unit("B")), node)
    call = CallUnit("pay", Ref("B"), Call("set(uint256)", (1,), value_wei=5), authority=Ref("A"))
    draft = plan(node, unit("A"), unit("B"), calls=(call,), live=live)
    schedule, execute = draft.actions
    assert (schedule.value_wei, execute.value_wei) == (0, 5)
    assert execute.ready
    assert execute.ready.delay_s == 42
    types = [AbiType("", t) for t in ("address", "uint256", "bytes", "bytes32", "bytes32")]
    target, value, data, _, salt = decode(types, execute.data[4:])
    assert (target, value) == (live["B"].address, 5)
    assert decode([*types, AbiType("", "uint256")], schedule.data[4:])[:5] == (target, value, data, bytes(32), salt)
    operation = Operation(target, value, data, salt)
    assert execute.ready.data == operation.is_ready()


def test_the_simulation_fills_in_gas_and_names_what_would_fail(node: Anvil) -> None:
    nonce = node.nonce()
    rpc = Rpc([Endpoint(node.url)], patience_s=2)
    call = CallUnit("set", Ref("B"), Call("set(uint256)", (7,)))
    draft = plan(node, unit("A"), unit("B", create2_salt=SALT), calls=(call,), nonce=nonce)
    options: dict[str, Any] = {"gas_margin_bps": 2000, "cap": GasCap(30_000_000), "abis": []}
    shown = simulated(Simulator(rpc, DEPLOYER), draft.actions, draft.checks, **options)
    assert shown.tried
    for action in shown.actions:
        request = {"from": DEPLOYER, "data": "0x" + action.data.hex(), "gas": hex(action.gas_limit)}
        receipt = node.send(**request, **({"to": action.to} if action.to else {}))
        assert receipt["status"] == "0x1"
        assert abs(int(receipt["gasUsed"], 16) - action.gas_estimate) <= 0.01 * action.gas_estimate
        if action.address:
            assert node.code(action.address)
    bad = plan(node, unit("Bad"), calls=(replace(call, to=Ref("Bad")),), nonce=node.nonce())
    with pytest.raises(WouldRevert, match=r"set .* would fail") as caught:
        simulated(Simulator(rpc, DEPLOYER), bad.actions, (), **options)
    assert caught.value.exit_code == 2


def test_the_deployer_stands_for_itself(node: Anvil) -> None:
    draft = plan(node, unit("A", proxy="transparent", proxy_owner=ME))
    assert DEPLOYER[2:].lower() in draft.actions[-1].data.hex()
