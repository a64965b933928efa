"""Whether the deployer really gave everything away: a release with ``[handover]`` is not complete before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.errors import NeedsPerson, Resumable
from chains.evm.handover import tell
from chains.evm.node import Node
from chains.evm.rights import rights_of
from pipeline.plan import Plan
from pipeline.session import Session

__all__ = ["DeployerHoldsRights", "HandoverOutstanding", "rights_left"]


class HandoverOutstanding(Resumable):
    """SHIP-V03: ownership was offered, and not accepted yet."""

    code = "SHIP-V03"


class DeployerHoldsRights(NeedsPerson):
    """SHIP-V04: the deployer still holds rights the release was to hand over."""

    code = "SHIP-V04"


def _unnamed(_address: str) -> Sequence[Mapping[str, Any]] | None:
    return None


def rights_left(session: Session, plan: Plan) -> None:
    """Raises one of this module's errors, naming each right the deployer has left in any live unit."""
    to = plan.body.handover
    if to is None:
        return
    node, deployer = Node(session.chain.rpc), plan.body.deployer
    left = rights_of(node, session.live().values(), deployer, heir=to, since=session.births())
    if not left:
        session.ui.item("handover", "passed", f"{deployer} holds no right any more")
        return
    offered = [right for right in left if right.two_step and right.heir == to]
    done = "The contracts are deployed and proven; the release is not recorded."
    if len(offered) == len(left):
        raise HandoverOutstanding(
            f"{to} has to accept what was offered to it; until then {deployer} is still {tell(left, _unnamed)}",
            done=done,
            remedy=f"Have {to} call acceptOwnership() (acceptDefaultAdminTransfer() for a default admin), then run again.",
        )
    raise DeployerHoldsRights(
        f"the deployer {deployer} still holds: {tell([r for r in left if r not in offered], _unnamed)}",
        done=done,
        remedy="`ship deploy --replan` plans what is left to hand over; what cannot be handed over needs a call of its own.",
    )
