"""Both renderers of a plan side by side: they must agree before anybody may approve."""

from __future__ import annotations

from chains.errors import Refused
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.second_reader.comparing import difference, lines
from pipeline.second_reader.contracts import Contracts
from pipeline.second_reader.proposals import proposal_difference
from pipeline.second_reader.reading import read_transaction
from pipeline.second_reader.transaction import read_unsigned

__all__ = ["RenderersDisagree", "second_look"]


class RenderersDisagree(Refused):
    """SHIP-A08: what the plan shows of a transaction is not what its bytes say."""

    code = "SHIP-A08"


def second_look(plan: Plan, bundle: Bundle) -> list[str]:
    """What the bytes of every transaction say, as lines. Raises ``RenderersDisagree`` naming action and field."""
    contracts = Contracts(tuple(bundle.artifact(source) for source in bundle.sources))
    body = plan.body
    shown = plan.to_json()["body"]
    text: list[str] = []
    for action, written in zip(body.actions, shown["actions"], strict=True):
        fees = Fees(int(body.estimate.get("max_fee_per_gas_wei") or 0), 0)
        unsigned = UnsignedTransaction(
            body.chain["id"], action.nonce, action.to, action.value_wei, action.data, action.gas_limit, fees
        )
        sender = action.by or body.deployer
        try:
            reading = read_transaction(read_unsigned(unsigned.payload()), sender.lower(), contracts)
            field = difference(written, reading)
        except ValueError as error:
            raise _disagree(action.id, f"its bytes cannot be read a second time ({error})") from error
        if field is not None:
            raise _disagree(action.id, f"`{field}` is not what its unsigned bytes say")
        text += lines(reading)
    for proposal in shown.get("proposals", ()):
        field = proposal_difference(proposal, shown["actions"], int(body.chain["id"]), contracts)
        if field is not None:
            raise _disagree(proposal["id"], f"`{field}` is not what its calls come to")
    return text


def _disagree(what: str, why: str) -> RenderersDisagree:
    return RenderersDisagree(
        f"{what}: {why}",
        remedy="Do not approve this plan. Have a new one made from the sources; if this comes again, report it.",
    )
