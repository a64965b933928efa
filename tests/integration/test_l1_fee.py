"""What rollups charge for the bytes on their parent chain: in the plan, in its worst case, in the record.

The oracles are stand-ins, assembled by hand and put at the real addresses of a real anvil: they answer a price per byte
of what they are asked about. The real ones exist only on the chains themselves; the calls are held to their interfaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chains.evm.chain import EvmChain
from chains.evm.fees import CostAboveCap, FeeCaps, InsufficientFunds
from chains.evm.transaction import Fees, UnsignedTransaction
from chains.rpc import RpcDown
from tests.integration.test_chain import chain, plan
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, Anvil, anvil
from tests.support.deployment import CHAIN_ID, Rig

OP = "0x420000000000000000000000000000000000000F"
SCROLL = "0x5300000000000000000000000000000000000002"
ARBITRUM = "0x00000000000000000000000000000000000000C8"

PER_BYTE = bytes.fromhex("60243561" + "03e8" + "025f5260205ff3")
"""PUSH1 36, CALLDATALOAD (the length of the first ``bytes``), PUSH2 1000, MUL, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN.
Of a number instead of bytes (36 is past the end) it answers zero."""


def selective(selector: str, code: bytes) -> bytes:
    """Runs ``code`` for one function and reverts for every other."""
    compare = bytes.fromhex("5f3560e01c63" + selector + "14")
    target = len(compare) + 3 + 3
    return compare + bytes([0x60, target, 0x57]) + bytes.fromhex("5f5ffd") + b"\x5b" + code


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


def rollup(node: Anvil, model: str, caps: FeeCaps | None = None) -> EvmChain:
    on = chain(node.url, caps=caps)
    on.identity = replace(on.identity, fee_model=model)
    return on


def _sizes(made: Any, *, signed: bool) -> int:
    fees = Fees(int(made.estimate["max_fee_per_gas_wei"]), int(made.estimate["max_priority_fee_per_gas_wei"]))
    total = 0
    for action in made.actions:
        unsigned = UnsignedTransaction(
            CHAIN_ID, action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )
        total += len(unsigned.with_signature(2**256 - 1, 2**255 - 1, 1).raw if signed else unsigned.payload())
    return total


@pytest.mark.parametrize(("model", "oracle", "signed"), [("op-stack", OP, False), ("scroll", SCROLL, True)])
def test_the_fee_for_the_bytes_is_part_of_cost_and_worst_case(
    node: Anvil, model: str, oracle: str, signed: bool
) -> None:
    node.call("anvil_setCode", oracle, "0x" + selective("49948e0e", PER_BYTE).hex())
    plain, made = plan(chain(node.url)), plan(rollup(node, model))
    fee_wei = 1000 * _sizes(made, signed=signed)
    assert made.estimate["l1_fee_wei"] == str(fee_wei)
    assert int(made.estimate["cost_wei"]) == int(plain.estimate["cost_wei"]) + fee_wei
    assert int(made.estimate["worst_cost_wei"]) == int(plain.estimate["worst_cost_wei"]) + 2 * fee_wei


def test_the_upper_bound_of_the_op_stack_counts_for_the_worst_case(node: Anvil) -> None:
    """The stand-in answers 1000 a byte to getL1Fee and 5 million to everything else, as bound and as operator fee."""
    every = bytes.fromhex("5f3560e01c6349948e0e14601957" + "624c4b405f5260205ff3") + b"\xfe" + b"\x5b" + PER_BYTE
    assert every[0x19] == 0x5B
    node.call("anvil_setCode", OP, "0x" + every.hex())
    made = plan(rollup(node, "op-stack"))
    sizes, count = _sizes(made, signed=False), len(made.actions)
    assert made.estimate["l1_fee_wei"] == str(1000 * sizes)
    assert made.estimate["operator_fee_wei"] == str(5_000_000 * count)
    assert made.estimate["worst_l1_fee_wei"] == str(2 * (5_000_000 + 5_000_000) * count)


@pytest.mark.parametrize("function", ["77d488a2", "c94e6eeb"])
def test_arbitrums_gas_for_the_bytes_is_in_estimate_and_limit(node: Anvil, function: str) -> None:
    """gasEstimateL1Component answers (gas, …), gasEstimateComponents (whole, gas, …): 16 a byte of the data."""
    words = "5f" if function == "77d488a2" else "6020"
    code = bytes.fromhex("606435601002" + words + "5260605ff3")
    node.call("anvil_setCode", ARBITRUM, "0x" + selective(function, code).hex())
    plain, made = plan(chain(node.url)), plan(rollup(node, "arbitrum"))
    for before, after in zip(plain.actions, made.actions, strict=True):
        extra = 16 * len(after.data)
        assert after.gas_estimate == before.gas_estimate + extra
        assert after.gas_limit == before.gas_limit + 2 * extra
    assert made.estimate["l1_gas"] == sum(16 * len(a.data) for a in made.actions)


@pytest.mark.parametrize("model", ["op-stack", "scroll", "arbitrum"])
def test_without_its_oracle_there_is_no_plan(node: Anvil, model: str) -> None:
    with pytest.raises(RpcDown, match="fee of the parent chain") as caught:
        plan(rollup(node, model))
    assert caught.value.exit_code == 3


def test_23_the_fee_for_the_bytes_counts_against_balance_and_cap(node: Anvil) -> None:
    node.call("anvil_setCode", OP, "0x" + selective("49948e0e", PER_BYTE).hex())
    worst_wei = int(plan(rollup(node, "op-stack")).estimate["worst_cost_wei"])
    with pytest.raises(CostAboveCap):
        plan(rollup(node, "op-stack", FeeCaps(max_cost_wei=worst_wei - 1)))
    node.call("anvil_setBalance", DEPLOYER, hex(worst_wei - 1))
    with pytest.raises(InsufficientFunds):
        plan(rollup(node, "op-stack"))
    assert plan(chain(node.url)).actions, "without that fee it would have been enough"


def test_the_operator_is_paid_for_gas_used_and_at_worst_for_the_limit(node: Anvil) -> None:
    """The stand-in answers 1000 a byte to getL1Fee, nothing to the bound, and three times the gas to getOperatorFee."""
    triple = bytes.fromhex("600435600302" + "5f5260205ff3")
    both = bytes.fromhex("5f3560e01c8063275aedd214601b57" + "6349948e0e14602957" + "5f5ffd")
    assert len(both) == 0x1B
    both += b"\x5b" + triple
    both += b"\xfe" * (0x29 - len(both)) + b"\x5b" + PER_BYTE
    node.call("anvil_setCode", OP, "0x" + both.hex())
    made = plan(rollup(node, "op-stack"))
    used, limits = sum(a.gas_estimate for a in made.actions), sum(a.gas_limit for a in made.actions)
    l1_wei = 1000 * _sizes(made, signed=False)
    assert made.estimate["operator_fee_wei"] == str(3 * used)
    assert made.estimate["worst_l1_fee_wei"] == str(2 * l1_wei + 2 * 3 * limits)
    plain = plan(chain(node.url))
    assert int(made.estimate["cost_wei"]) == int(plain.estimate["cost_wei"]) + l1_wei + 3 * used


@pytest.mark.parametrize(("marker", "times"), [({}, 2), ({"daFootprintGasScalar": "0x190"}, 2 * 100 * 10**6)])
def test_what_a_receipt_says_was_paid_to_the_operator(
    node: Anvil, tmp_path: Path, marker: dict[str, str], times: int
) -> None:
    """Isthmus scales by a millionth, Jovian by a hundred; only Jovian's receipts carry the footprint's scalar."""

    more = {"operatorFeeScalar": hex(2 * 10**6), "operatorFeeConstant": "0x5", **marker}
    with fp.fault_proxy(node.url) as proxy:
        rig = Rig(node, proxy, tmp_path / "j").usual()
        proxy.add(fp.receipts_with(more))
        for state in rig.run().values():
            assert state.mined
            assert state.mined.operator_fee_wei == state.mined.gas_used * times + 5
            gas_wei = state.mined.gas_used * state.mined.gas_price_wei
            assert state.mined.fee_wei == gas_wei + state.mined.operator_fee_wei


def test_the_fee_in_the_receipts_is_in_the_journal(node: Anvil, tmp_path: Path) -> None:
    with fp.fault_proxy(node.url) as proxy:
        rig = Rig(node, proxy, tmp_path / "j").usual()
        proxy.add(fp.receipts_with({"l1Fee": hex(77_000)}))
        states = rig.run()
        for state in states.values():
            assert state.mined
            assert state.mined.fee_wei == state.mined.gas_used * state.mined.gas_price_wei + 77_000
        finals = [row.data for row in rig.rows() if row.kind == "tx.final"]
        assert {data["l1_fee_wei"] for data in finals} == {"77000"}
