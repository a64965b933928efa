"""The step of ``ship plan --out DIR``: the plan's review pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused
from chains.evm.node import Head
from chains.rpc import Rpc, RpcDown, RpcFault
from chains.tools import find_tool
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.review.agreeing import RenderersDisagree
from pipeline.review.documents import Documents, Source, make_documents
from pipeline.review.pack import write_pack
from pipeline.session import Session

__all__ = ["MakePack", "UnexplainedSlots", "block_at"]


class UnexplainedSlots(Refused):
    """SHIP-Y02: the plan changes storage that no known variable explains."""

    code = "SHIP-Y02"


def block_at(rpc: Rpc, number: int) -> Head | None:
    """The block's header; ``None`` where the chain has none of that number. Raises ``RpcDown``."""
    try:
        block = rpc.read("eth_getBlockByNumber", [hex(number), False])
        return None if block is None else Head.from_rpc(block)
    except (RpcFault, ValueError, KeyError, TypeError) as error:
        raise RpcDown(f"the node does not give block {number}: {error}", remedy="Use another endpoint.") from error


@dataclass(frozen=True)
class MakePack:
    """Writes the pack into ``folder``, marked where something is wrong with it, and then refuses.

    Raises ``UnexplainedSlots``, ``RenderersDisagree``, ``ReviewFailed``, ``FolderTaken``.
    """

    session: Session
    bundle: Bundle
    plan: Plan
    folder: Path
    title: str = "writing the review pack"

    def run(self) -> Documents:
        session = self.session
        source = Source(session.chain.rpc, find_tool("anvil", session.project.root), session.clock)
        head = block_at(source.rpc, self.plan.body.observed["block_number"])
        if head is None:
            raise RpcDown("the plan's block is gone", remedy="Run again.", done="Nothing was sent.")
        allow = session.project.spec.review.allow_slots
        documents = make_documents(self.plan, self.bundle, source, head, allow)
        write_pack(self.folder, self.plan, self.bundle, documents, allow)
        done = f"Nothing was sent. The pack is in {self.folder}, with what is wrong marked in plan.md."
        if documents.disagree:
            raise RenderersDisagree(
                f"the plan and its bytes disagree: {'; '.join(documents.disagree)}",
                remedy="Sign nothing. This is a bug, or somebody changed the plan.",
                done=done,
            )
        if documents.unexplained:
            names = ", ".join(f'"{slot}"' for slot in documents.unexplained)
            count = len(documents.unexplained)
            raise UnexplainedSlots(
                f"{count} storage slot{'s change' if count > 1 else ' changes'} that no known variable explains: {names}",
                remedy="Find out what writes there. If that is right, allow it in ship.toml: [review] allow-slots.",
                done=done,
            )
        return documents

    def summary(self, result: Documents) -> str:
        slots = [slot for account in result.state["accounts"] for slot in account["slots"]]
        allowed = sum(slot["known"] == "allowed" for slot in slots)
        told = f", {allowed} of them allowed by name" if allowed else ", all explained"
        return f"{self.folder}: {len(slots)} storage slots{told}, {len(result.events['events'])} events"
