"""Calls and creations that measure themselves, for nodes with nothing but ``eth_call`` and state overrides.

The sender is given code for the length of one ``eth_call``: it makes the call or the creation of its input, and returns
the gas that took, whether it succeeded, and what came back. Gas tells which path was taken where an answer does not,
as when a failure is caught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chains.evm.actions import Action
from chains.evm.gas import creation_call_gas, creation_gas, intrinsic_gas
from chains.evm.node import hex_bytes
from chains.evm.scene import SimulationUnsupported
from chains.rpc import Request, RpcFault

__all__ = [
    "CALLER",
    "CREATOR",
    "ENOUGH_WEI",
    "Measured",
    "Overrides",
    "measured",
    "measured_call",
    "measured_creation",
    "transaction_gas",
]

Overrides = dict[str, dict[str, str]]
"""By lower-case address."""

ENOUGH_WEI = 10**30
_ANY_CALLER = "0x00000000000000000000000000000000000000aa"
_ALL = b"\xff" * 32
_COLD_ACCESS = 2_600  # EIP-2929: the recipient of a transaction is warm, that of a call from our code is not

_AROUND = 20  # what the opcodes of CREATOR before CREATE take, apart from the copying

CALLER = "0x603436038060346000375a600060008360003460203560601c600035f15a82036000526020523d600060403e3d6040016000f3"
"""Input: 32 bytes of gas, 20 of a recipient, calldata. Returns gas used, success, what came back."""
CREATOR = (
    "0x3660006000375a36600034f05a820360005280602052806027573d600060403e3d6040016000f35b803b8060006040843c6040016000f3"
)
"""Input: init code. Returns gas used, the address or zero, the code there or what came back."""
_BRIEFLY = "0x3660006000375a36600034f05a82036000526020526040" + "6000f3"
"""As ``CREATOR`` without the last: of a tight limit CREATE leaves a 64th behind, which has to do for what follows."""


@dataclass(frozen=True)
class Measured:
    """``head`` is the address of a creation, else whether a call succeeded; ``data`` the code, or what came back."""

    gas: int
    head: int
    data: bytes


def measured(answer: Any, what: str) -> Measured:
    """Raises ``SimulationUnsupported`` where the node gives no such answer."""
    try:
        data = b"" if isinstance(answer, RpcFault) else hex_bytes(answer)
    except ValueError:
        data = b""
    if len(data) < 64:
        why = str(answer) if isinstance(answer, RpcFault) else "it has another form"
        raise SimulationUnsupported(f"the node gives no answer to {what}: {why}")
    return Measured(int.from_bytes(data[:32], "big"), int.from_bytes(data[32:64], "big"), data[64:])


def measured_call(
    sender: str, to: str, data: bytes, block: str, overrides: Overrides, *, value_wei: int = 0, gas: int | None = None
) -> Request:
    """A call by ``sender``; ``gas`` is what reaches the recipient, else all there is."""
    given = (_ALL if gas is None else gas.to_bytes(32, "big")) + bytes.fromhex(to[2:]) + data
    own = {**overrides.get(sender.lower(), {}), "code": CALLER, "balance": hex(ENOUGH_WEI)}
    call = {"from": sender, "to": sender, "value": hex(value_wei), "input": "0x" + given.hex()}
    return ("eth_call", [call, block, {**overrides, sender.lower(): own}])


def measured_creation(
    action: Action, sender: str, block: str, overrides: Overrides, *, limit: int | None = None
) -> Request:
    """The creation ``action``, at its own address; with ``limit``, that of the transaction, its code is not given."""
    # As in ``node_simulation``: the call itself takes a nonce, and with nonce 0 somebody else has to make it.
    caller, nonce = (sender, action.nonce - 1) if action.nonce else (_ANY_CALLER, 0)
    own = {
        **overrides.get(sender.lower(), {}),
        "code": CREATOR if limit is None else _BRIEFLY,
        "nonce": hex(nonce),
        "balance": hex(ENOUGH_WEI),
    }
    call = {"from": caller, "to": sender, "value": hex(action.value_wei), "input": "0x" + action.data.hex()}
    if limit is not None:
        call["gas"] = hex(creation_call_gas(action, limit, _AROUND))
    return ("eth_call", [call, block, {_ANY_CALLER: {"balance": hex(ENOUGH_WEI)}, **overrides, sender.lower(): own}])


def transaction_gas(action: Action, taken: int) -> int:
    """What the transaction uses, at the most, when its call or creation took ``taken``."""
    if action.to is None:
        return intrinsic_gas(action) - creation_gas(action) + taken
    return intrinsic_gas(action) + max(taken - _COLD_ACCESS, 0)
