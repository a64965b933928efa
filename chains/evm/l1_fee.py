"""What a rollup charges for putting a transaction's bytes on its parent chain, read from the chain's own oracle.

    op-stack   ``GasPriceOracle.getL1Fee(bytes)`` on the unsigned transaction (it adds the signature itself), and where
               they are there ``getL1FeeUpperBound(uint256)`` (Fjord) and ``getOperatorFee(uint256)`` (Isthmus); paid
               beside the gas. Source: specs.optimism.io, "L1 Cost Computation"
    scroll     ``L1GasPriceOracle.getL1Fee(bytes)`` on the transaction at its signed size; paid beside the gas.
               Source: docs.scroll.io, "Transaction Fees on Scroll"
    arbitrum   ``NodeInterface.gasEstimateL1Component`` (never runs the transaction, so it also answers for one that
               needs an earlier one of the plan), else ``gasEstimateComponents``; gas on top, part of ``gasUsed``.
               Source: docs.arbitrum.io, "NodeInterface"

The parent chain's price moves by itself: the worst case is twice today's, as for the base fee.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chains.evm.actions import Action
from chains.evm.node import hex_bytes, quantity
from chains.evm.transaction import Fees, UnsignedTransaction
from chains.rpc import Request, Rpc, RpcDown, RpcFault

__all__ = ["L1Fee", "l1_fee", "operator_fee_wei", "with_l1_gas"]

_OP_ORACLE = "0x420000000000000000000000000000000000000F"
_SCROLL_ORACLE = "0x5300000000000000000000000000000000000002"
_NODE_INTERFACE = "0x00000000000000000000000000000000000000C8"

_GET_L1_FEE = bytes.fromhex("49948e0e")  # getL1Fee(bytes)
_UPPER_BOUND = bytes.fromhex("f1c7a58b")  # getL1FeeUpperBound(uint256)
_OPERATOR_FEE = bytes.fromhex("275aedd2")  # getOperatorFee(uint256)
_L1_COMPONENT = bytes.fromhex("77d488a2")  # gasEstimateL1Component(address,bool,bytes)
_COMPONENTS = bytes.fromhex("c94e6eeb")  # gasEstimateComponents(address,bool,bytes)

_HEADROOM = 2
_SIGNATURE = (2**256 - 1, 2**255 - 1, 1)  # the longest there is


@dataclass(frozen=True)
class L1Fee:
    """For a whole plan, in wei: about what it will be, and what to have ready. The operator's share is apart (Isthmus)."""

    expected_wei: int = 0
    worst_wei: int = 0
    operator_wei: int = 0
    worst_operator_wei: int = 0

    @property
    def beside_gas_wei(self) -> tuple[int, int]:
        """``(about, at worst)`` of all that is paid beside the gas."""
        return self.expected_wei + self.operator_wei, self.worst_wei + self.worst_operator_wei


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _bytes_argument(data: bytes, before: bytes = b"") -> bytes:
    """ABI encoding of ``(…, bytes)`` whose earlier arguments are the whole words ``before``."""
    padding = b"\0" * (-len(data) % 32)
    return before + _word(len(before) + 32) + _word(len(data)) + data + padding


def _call(to: str, data: bytes, **fields: str) -> Request:
    return ("eth_call", [{"to": to, "input": "0x" + data.hex(), **fields}, "latest"])


def _first_word(answer: Any) -> int | None:
    """The first word of a call's answer; ``None`` where it reverted or gave nothing (no such function, no such oracle)."""
    if isinstance(answer, RpcFault):
        return None
    try:
        data = hex_bytes(answer)
    except ValueError:
        return None
    return int.from_bytes(data[:32], "big") if len(data) >= 32 else None


def _unusable(what: str) -> RpcDown:
    return RpcDown(
        f"{what} says nothing usable about the fee of the parent chain",
        done="Nothing was sent.",
        remedy="Check the endpoint with `ship doctor`, and `fee-model` under the target's [chain].",
    )


def l1_fee(rpc: Rpc, model: str, actions: Sequence[Action], fees: Fees, *, chain_id: int) -> L1Fee:
    """What ``actions`` pay beside their gas; nothing on chains without such a fee. One batch.

    Raises ``RpcDown`` when the oracle of the chain's fee model gives no usable answer.
    """
    if model not in {"op-stack", "scroll"} or not actions:
        return L1Fee()
    unsigned = [UnsignedTransaction(chain_id, a.nonce, a.to, a.value_wei, a.data, a.gas_limit, fees) for a in actions]
    return _scroll(rpc, unsigned) if model == "scroll" else _op_stack(rpc, unsigned, [a.gas_estimate for a in actions])


def _op_stack(rpc: Rpc, unsigned: Sequence[UnsignedTransaction], gas: Sequence[int]) -> L1Fee:
    """The operator is paid for the gas that is used (Jovian: times 100); the oracle knows by which formula."""
    requests: list[Request] = []
    for one, used in zip(unsigned, gas, strict=True):
        payload = one.payload()
        requests.append(_call(_OP_ORACLE, _GET_L1_FEE + _bytes_argument(payload)))
        requests.append(_call(_OP_ORACLE, _UPPER_BOUND + _word(len(payload))))
        requests += [_call(_OP_ORACLE, _OPERATOR_FEE + _word(amount)) for amount in (used, one.gas_limit)]
    answers = [_first_word(answer) for answer in rpc.read_all(requests)]
    expected_wei = worst_wei = operator_wei = worst_operator_wei = 0
    for start in range(0, len(answers), 4):
        fee_wei, bound_wei, operator, most = answers[start : start + 4]
        if fee_wei is None:
            raise _unusable(f"the GasPriceOracle at {_OP_ORACLE}")
        expected_wei += fee_wei
        worst_wei += _HEADROOM * max(fee_wei, bound_wei or 0)
        operator_wei += operator or 0
        worst_operator_wei += _HEADROOM * (most or 0)
    return L1Fee(expected_wei, worst_wei, operator_wei, worst_operator_wei)


def operator_fee_wei(receipt: Mapping[str, Any]) -> int:
    """What a receipt says was paid to the operator: its parameters are in it, the product is not.

    ``gasUsed * scalar / 10^6 + constant``; since Jovian, whose receipts carry ``daFootprintGasScalar``,
    ``gasUsed * scalar * 100 + constant``. Raises ``ValueError``. Source: specs.optimism.io, Isthmus and Jovian, "Operator
    Fee"; op-geth, the fields of a receipt.
    """
    scalar, constant = (quantity(receipt.get(f"operatorFee{part}") or "0x0") for part in ("Scalar", "Constant"))
    if not scalar and not constant:
        return 0
    scaled = scalar * quantity(receipt["gasUsed"])
    return (scaled * 100 if receipt.get("daFootprintGasScalar") is not None else scaled // 10**6) + constant


def _scroll(rpc: Rpc, unsigned: Sequence[UnsignedTransaction]) -> L1Fee:
    signed = [one.with_signature(*_SIGNATURE).raw for one in unsigned]
    answers = rpc.read_all([_call(_SCROLL_ORACLE, _GET_L1_FEE + _bytes_argument(raw)) for raw in signed])
    words = [_first_word(answer) for answer in answers]
    known_wei = [word for word in words if word is not None]
    if len(known_wei) != len(words):
        raise _unusable(f"the L1GasPriceOracle at {_SCROLL_ORACLE}")
    return L1Fee(sum(known_wei), _HEADROOM * sum(known_wei))


def with_l1_gas(rpc: Rpc, actions: Sequence[Action], *, sender: str) -> tuple[tuple[Action, ...], int]:
    """Arbitrum: the actions with the gas for their bytes added (twice of it to the limit), and that gas. One batch or two.

    Raises ``RpcDown`` when NodeInterface gives no usable answer.
    """
    if not actions:
        return (), 0
    gas = [_first_word(answer) for answer in rpc.read_all([_component(_L1_COMPONENT, a, sender) for a in actions])]
    missing = [position for position, found in enumerate(gas) if found is None]
    if missing:
        answers = rpc.read_all([_component(_COMPONENTS, actions[position], sender) for position in missing])
        for position, answer in zip(missing, answers, strict=True):
            gas[position] = _second_word(answer)
    known = [found for found in gas if found is not None]
    if len(known) != len(gas):
        raise _unusable(f"NodeInterface at {_NODE_INTERFACE}")
    priced = [
        replace(a, gas_estimate=a.gas_estimate + extra, gas_limit=a.gas_limit + _HEADROOM * extra)
        for a, extra in zip(actions, known, strict=True)
    ]
    return tuple(priced), sum(known)


def _component(function: bytes, action: Action, sender: str) -> Request:
    to = bytes.fromhex(action.to[2:]) if action.to else b""
    arguments = _bytes_argument(action.data, to.rjust(32, b"\0") + _word(int(action.to is None)))
    return _call(_NODE_INTERFACE, function + arguments, **{"from": sender, "value": hex(action.value_wei)})


def _second_word(answer: Any) -> int | None:
    """``gasEstimateForL1`` of ``gasEstimateComponents``: behind the estimate of the whole transaction."""
    if isinstance(answer, RpcFault):
        return None
    try:
        return quantity("0x" + hex_bytes(answer)[32:64].hex())
    except ValueError:
        return None
