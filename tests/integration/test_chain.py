"""What an EVM chain refuses before the first signature: wrong chains, absurd gas, a short balance, dear fees."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chains.base import SystemClock
from chains.errors import Refused, Resumable
from chains.evm.actions import EvmPlan
from chains.evm.chain import EvmChain, NoSimulation
from chains.evm.fees import BaseFeeAboveCap, CostAboveCap, FeeCaps, InsufficientFunds
from chains.evm.gas_limits import AbsurdGas
from chains.evm.identity import ChainIdentity
from chains.evm.node import WrongChain
from chains.evm.pricing import EvmPolicy
from chains.evm.units import Call, CallUnit, ContractUnit, EvmUnits, Ref
from chains.rpc import Endpoint, Rpc, RpcDown
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.contracts import COUNTER, artifact, tagged
from tests.support.deployment import CHAIN_ID, Quiet
from tests.support.fault_proxy import FaultProxy

POOR = "0x" + "0b" * 20
BOX = artifact("Box", tagged(COUNTER, 1), [{"type": "function", "name": "add", "inputs": [], "outputs": []}])
UNITS = EvmUnits((ContractUnit("Box", "src/Box.sol:Box"),), (CallUnit("add", Ref("Box"), Call("add()")),))


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


def chain(*urls: str, caps: FeeCaps | None = None, chain_id: int = CHAIN_ID, genesis: str | None = None) -> EvmChain:
    rpc = Rpc([Endpoint(url, timeout_s=2) for url in urls], patience_s=0.5)
    margin = next(name for name in inspect.signature(EvmPolicy).parameters if "margin" in name)
    limits: dict[str, Any] = {margin: 2000 if margin.endswith("bps") else 20}
    policy = EvmPolicy(caps=caps or FeeCaps(), finality=1, window=16, wait_s=5.0, **limits)
    return EvmChain(rpc, ChainIdentity("test", chain_id, genesis, "ETH", 0.0), policy, SystemClock(), Quiet())


def plan(on: EvmChain, deployer: str = DEPLOYER) -> EvmPlan:
    return on.plan(UNITS, lambda name: BOX, {}, deployer=deployer, genesis_hash="0x" + "00" * 32)


def test_a_plan_has_gas_cost_and_what_it_was_made_from(node: Anvil, proxy: FaultProxy) -> None:
    made = plan(chain(proxy.url, caps=FeeCaps(max_fee_wei=10**11)))
    assert [a.id for a in made.actions] == ["Box", "add"]
    assert all(21_000 < a.gas_estimate < a.gas_limit for a in made.actions)
    assert made.limits["max_fee_per_gas_wei"] == str(10**11)
    assert int(made.estimate["worst_cost_wei"]) >= int(made.estimate["cost_wei"]) > 0
    assert made.observed["nonce"] == made.actions[0].nonce
    assert EvmPlan.from_json(made.to_json()) == made
    assert proxy.sent == []


def test_12_the_right_id_with_another_genesis_is_refused(node: Anvil) -> None:
    genesis = node.call("eth_getBlockByNumber", "0x0", False)["hash"]
    assert chain(node.url, genesis=genesis).confirm_identity() == genesis
    with pytest.raises(WrongChain) as caught:
        chain(node.url, genesis="0x" + "ab" * 32).confirm_identity()
    assert caught.value.exit_code == 2
    assert genesis in caught.value.cause


def test_another_chain_id_is_refused_naming_both(node: Anvil) -> None:
    with pytest.raises(WrongChain, match="serves chain 31337, the target names chain 8453"):
        chain(node.url, chain_id=8453).confirm_identity()


def test_endpoints_of_two_chains_are_refused(node: Anvil) -> None:
    with anvil("--timestamp", "1000000") as other, pytest.raises(WrongChain, match="another genesis"):
        chain(node.url, other.url).confirm_identity()


def test_one_endpoint_that_is_down_does_not_stop_the_others(node: Anvil, proxy: FaultProxy) -> None:
    proxy.add(fp.http_status(503, times=None))
    assert chain(proxy.url, node.url).confirm_identity()


@pytest.mark.parametrize("rule", [fp.drop_before, lambda **k: fp.http_status(503, **k), fp.garbage, fp.wrong_id])
def test_a_busy_node_is_asked_again_for_its_identity(proxy: FaultProxy, rule: Callable[..., fp.Rule]) -> None:
    proxy.add(rule(times=2))
    assert chain(proxy.url).confirm_identity()


def test_a_dead_node_stops_resumably(proxy: FaultProxy) -> None:
    proxy.add(fp.drop_before(times=None))
    with pytest.raises(RpcDown) as caught:
        chain(proxy.url).confirm_identity()
    assert caught.value.exit_code == 3


def _gas(wei: str) -> Callable[[FaultProxy, dict[str, Any]], Any]:
    def change(proxy: FaultProxy, call: dict[str, Any]) -> Any:
        answer = proxy.forward(call)["result"]
        for block in answer:
            for result in block["calls"]:
                result["gasUsed"] = wei
        return answer

    return change


@pytest.mark.parametrize("gas", ["0x0", "0x1", "0x5208", "0x7fffffffffffffff", "0x" + "f" * 64])
def test_19_an_absurd_gas_estimate_is_refused(proxy: FaultProxy, gas: str) -> None:
    proxy.add(fp.result(_gas(gas), "eth_simulateV1", times=None))
    with pytest.raises(AbsurdGas) as caught:
        plan(chain(proxy.url))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "answer",
    [None, [], {}, "0x", [{}], [{"calls": None}], [{"calls": [{}]}], [{"calls": [5]}, {"calls": []}], _gas("zz")],
)
def test_a_simulation_that_makes_no_sense_is_no_simulation(proxy: FaultProxy, answer: Any) -> None:
    proxy.add(fp.result(answer, "eth_simulateV1", times=None), fp.result("0x", "eth_call", times=None))
    with pytest.raises(NoSimulation, match=r"no state overrides.*no anvil") as caught:
        plan(chain(proxy.url))
    assert caught.value.exit_code == 2


def test_23_a_short_balance_is_refused_before_the_first_send(node: Anvil, proxy: FaultProxy) -> None:
    node.call("anvil_setBalance", POOR, hex(10**12))
    with pytest.raises(InsufficientFunds) as caught:
        plan(chain(proxy.url), POOR)
    assert caught.value.exit_code == 2
    assert "0.000001 ETH" in caught.value.cause
    assert proxy.sent == []


def test_a_plan_above_the_cost_cap_is_refused(proxy: FaultProxy) -> None:
    with pytest.raises(CostAboveCap):
        plan(chain(proxy.url, caps=FeeCaps(max_cost_wei=1000)))


def test_a_base_fee_above_the_cap_stops_resumably(proxy: FaultProxy) -> None:
    with pytest.raises(BaseFeeAboveCap):
        plan(chain(proxy.url, caps=FeeCaps(max_fee_wei=1)))


HOSTILE: list[Any] = [None, "", "0x", "zz", 5, -1, [], {}, True, "0x" + "f" * 65, {"number": "0x1"}, ["0x1"], "\ud800"]


@pytest.mark.parametrize(
    "method",
    [
        *["eth_getTransactionCount", "eth_getBalance", "eth_getBlockByNumber", "eth_feeHistory", "eth_gasPrice"],
        *["eth_getCode", "eth_chainId"],
    ],
)
@pytest.mark.parametrize("answer", HOSTILE, ids=repr)
def test_answers_of_any_shape_are_an_error_a_person_understands(proxy: FaultProxy, method: str, answer: Any) -> None:
    """Never a traceback: a plan comes about, or the run refuses or stops resumably."""
    proxy.add(fp.result(answer, method, times=None))
    on = chain(proxy.url)
    with contextlib.suppress(Refused, Resumable):
        on.confirm_identity()
        plan(on)
