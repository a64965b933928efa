"""What lies at a salted address before the plan put anything there: the same contract, or something else.

A CREATE2 address holds the salt and the whole init code, so code there was made by exactly this init code. A CREATE3
address holds the salt alone: runtime code, re-execution and the creating transaction have to say that it is the same.
"""

from __future__ import annotations

from collections.abc import Callable

from chains.errors import NeedsPerson
from chains.evm.actions import Action
from chains.evm.address import keccak256
from chains.evm.artifacts import Artifact
from chains.evm.createx import CREATEX
from chains.evm.node import Node, data_or_nothing
from chains.evm.verify.bytecode import rerun, runtime_problem

__all__ = ["OtherCodeThere", "already_there", "other_than_planned"]

_CREATED_TOPIC = "0x" + keccak256(b"ContractCreation(address)").hex()


class OtherCodeThere(NeedsPerson):
    """SHIP-E62: something else already lies where a contract of the plan is to go."""

    code = "SHIP-E62"


def already_there(node: Node, artifact: Artifact, action: Action) -> bool:
    """Whether the contract of a salted creation is on the chain. Raises ``OtherCodeThere`` if another one is."""
    assert action.address
    code = node.code(action.address)
    if not code:
        return False
    problem = other_than_planned(node, action, code, lambda action, code: runtime_problem(artifact, action, code))
    if problem is not None:
        raise OtherCodeThere(
            f"{action.id} is to go to {action.address}, where there is code already: {problem}",
            done="Nothing was sent.",
            remedy="Find out what it is. If it is not wanted, give the unit another salt.",
        )
    return True


def other_than_planned(
    node: Node, action: Action, code: bytes, prove: Callable[[Action, bytes], str | None]
) -> str | None:
    """What shows that ``code`` at a salted creation's address is not what ``action`` would put there.

    ``prove`` holds runtime code against the bundle, as ``runtime_problem`` does.
    """
    problem = prove(action, code)
    if problem is None and action.kind == "create3":
        problem = _other_arguments(node, action, code)
    return problem


def _other_arguments(node: Node, action: Action, code: bytes) -> str | None:
    """What says that the contract was made with other arguments, which its runtime code need not show."""
    made_by = _creating_input(node, str(action.address))
    if made_by is not None:
        return (
            None if made_by == action.data else "it was made by another transaction than this plan's, with other input"
        )
    again = node.rpc.read_all([("eth_call", rerun(action, str(action.made_by)))])[0]
    if not isinstance(again, str):
        return "and the node can neither name the transaction that made it nor run its constructor again"
    return None if data_or_nothing(again) == code else "its constructor gives other code with this plan's arguments"


def _creating_input(node: Node, address: str) -> bytes | None:
    """The input of the transaction in which CreateX made ``address``; ``None`` where the node does not look that far."""
    wanted = {
        "address": CREATEX,
        "fromBlock": "0x0",
        "toBlock": "latest",
        "topics": [_CREATED_TOPIC, "0x" + address[2:].lower().rjust(64, "0")],
    }
    logs = node.rpc.read_all([("eth_getLogs", [wanted])])[0]
    if not isinstance(logs, list) or len(logs) != 1 or not isinstance(logs[0], dict):
        return None
    transaction = node.rpc.read_all([("eth_getTransactionByHash", [logs[0].get("transactionHash")])])[0]
    if not isinstance(transaction, dict) or str(transaction.get("to")).lower() != CREATEX.lower():
        return None
    return data_or_nothing(transaction.get("input"))
