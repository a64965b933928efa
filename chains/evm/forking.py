"""A plan's actions carried out on a private copy of a chain, by whoever they belong to."""

from __future__ import annotations

from collections.abc import Sequence

from chains.errors import Resumable
from chains.evm.actions import Action
from chains.evm.node import quantity
from chains.rpc import Rpc

__all__ = ["ForkFailed", "apply_actions"]

_RICH_WEI = hex(10**24)
_ROOM = 5 * 10**7


class ForkFailed(Resumable):
    """SHIP-E67: a private copy of the chain could not be made, or the plan does not run on it."""

    code = "SHIP-E67"


def apply_actions(fork: Rpc, actions: Sequence[Action], sender: str) -> None:
    """Send the actions on the fork as ``sender`` (or as the authority that executes one), delays passing in between.

    Raises ``ForkFailed`` when one fails.
    """
    fork.read("anvil_setBalance", [sender, _RICH_WEI])
    for action in actions:
        if action.ready:
            fork.read("evm_increaseTime", [hex(action.ready.delay_s + 1)])
        by = action.by or sender
        transaction = {
            "from": by,
            "value": hex(action.value_wei),
            "input": "0x" + action.data.hex(),
            "gas": hex(_gas(fork)),
        }
        if by != sender:
            fork.read("anvil_setBalance", [by, _RICH_WEI])
        if action.to:
            transaction["to"] = action.to
        sent = fork.read("eth_sendTransaction", [transaction])
        receipt = fork.read("eth_getTransactionReceipt", [sent])
        while receipt is None:
            fork.clock.sleep_s(0.02)
            receipt = fork.read("eth_getTransactionReceipt", [sent])
        if quantity(receipt["status"]) != 1:
            raise ForkFailed(
                f"{action.id} ({action.title}) fails on a private copy of the chain",
                done="Nothing was sent.",
                remedy="Correct what comes before the script.",
            )


def _gas(fork: Rpc) -> int:
    return min(quantity(fork.read("eth_getBlockByNumber", ["latest", False])["gasLimit"]) * 9 // 10, _ROOM)
