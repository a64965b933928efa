"""Putting CreateX on a chain that lacks it, by the presigned transaction that gives it its address everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from chains.base import Clock
from chains.errors import NeedsPerson, Refused, Resumable
from chains.evm.address import keccak256
from chains.evm.createx import (
    CREATEX,
    CREATEX_CODE_HASH,
    PRESIGNED_COST_WEI,
    PRESIGNED_SIGNER,
    presigned_transaction,
)
from chains.evm.fees import ether
from chains.evm.node import Node
from chains.rpc import Rpc, RpcFault

__all__ = ["CreateXState", "deploy_createx", "install_createx_locally", "look_for_createx"]

State = Literal["there", "missing", "unfunded"]


class PresignedUnusable(Refused):
    """SHIP-E63: the presigned transaction cannot put CreateX on this chain."""

    code = "SHIP-E63"


class CreateXStrange(NeedsPerson):
    """SHIP-E64: something that is not CreateX lies at its address."""

    code = "SHIP-E64"


class CreateXPending(Resumable):
    """SHIP-E65: the presigned transaction is not mined yet."""

    code = "SHIP-E65"


@dataclass(frozen=True)
class CreateXState:
    """``missing_wei`` is what the presigned transaction's signer needs before it can be sent."""

    state: State
    missing_wei: int = 0


def look_for_createx(rpc: Rpc) -> CreateXState:
    """Whether CreateX is there, and if not, what its presigned transaction still needs.

    Raises ``CreateXStrange`` and ``PresignedUnusable``.
    """
    node = Node(rpc)
    # The nonce before the code: mined between the two, it must not look like a nonce spent on something else.
    nonce, balance_wei, _ = node.account(PRESIGNED_SIGNER)
    code = node.code(CREATEX)
    if code:
        if "0x" + keccak256(code).hex() != CREATEX_CODE_HASH:
            raise CreateXStrange(
                f"the code at {CREATEX} is not CreateX's",
                done="Nothing was sent.",
                remedy="Do not use it on this chain.",
            )
        return CreateXState("there")
    if nonce:
        raise PresignedUnusable(
            f"{PRESIGNED_SIGNER}, the signer of CreateX's presigned transaction, has used its only nonce on this chain "
            "without CreateX being there",
            remedy="CreateX cannot come to its usual address on this chain any more: leave out `create3` and `sender-guard`.",
        )
    missing_wei = max(PRESIGNED_COST_WEI - balance_wei, 0)
    return CreateXState("unfunded" if missing_wei else "missing", missing_wei)


def deploy_createx(rpc: Rpc, clock: Clock, *, currency: str, wait_s: float, poll_s: float) -> bool:
    """Send the presigned transaction and wait until CreateX is there; whether anything had to be sent.

    Safe to repeat: the bytes are always the same. Raises ``PresignedUnusable`` (also while its signer cannot pay),
    ``CreateXStrange`` and ``CreateXPending``.
    """
    state = look_for_createx(rpc)
    if state.state == "there":
        return False
    if state.state == "unfunded":
        raise PresignedUnusable(
            f"{PRESIGNED_SIGNER}, the signer of CreateX's presigned transaction, needs {ether(state.missing_wei, currency)} "
            "more on this chain",
            remedy=f"Send it exactly that from any wallet, then run again. The transaction uses at most "
            f"{ether(PRESIGNED_COST_WEI, currency)}; what is left over can never be moved.",
        )
    deadline_s = clock.monotonic_s() + wait_s
    said = ""
    while True:
        hints = rpc.send_all([("eth_sendRawTransaction", ["0x" + presigned_transaction().hex()])])
        said = hints[-1] if hints else said
        if look_for_createx(rpc).state == "there":
            return True
        if clock.monotonic_s() > deadline_s:
            raise CreateXPending(
                f"CreateX is not there after {wait_s:g} s{f' (the node says: {said})' if said else ''}",
                done="The presigned transaction was sent; it can only ever be mined once.",
                remedy="Run the same command again. A node that refuses transactions from before EIP-155 never takes it: "
                "use another endpoint.",
            )
        clock.sleep_s(poll_s)


def install_createx_locally(rpc: Rpc, clock: Clock) -> None:
    """On a chain of our own (anvil): pay for the presigned transaction out of nothing, and send it."""
    state = look_for_createx(rpc)
    if state.state == "there":
        return
    answer = rpc.read_all([("anvil_setBalance", [PRESIGNED_SIGNER, hex(PRESIGNED_COST_WEI)])])[0]
    if isinstance(answer, RpcFault):
        raise PresignedUnusable(
            f"the local chain is not anvil: {answer}", remedy="Deploy CreateX with `ship createx` first."
        )
    deploy_createx(rpc, clock, currency="ether", wait_s=20.0, poll_s=0.02)
