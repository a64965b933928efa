"""The project's Foundry scripts, for planning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chains.tools import find_tool
from pipeline.building import open_built_workspace
from pipeline.bundle import Bundle
from pipeline.making import recipe
from pipeline.session import Session

if TYPE_CHECKING:
    from chains.evm.scripting import ForgeScripts

__all__ = ["scripts_of"]


def scripts_of(session: Session, bundle: Bundle, deployer: str) -> ForgeScripts | None:
    """What runs the target's scripts; ``None`` when it has none."""
    if not session.target.units.spec.scripts:
        return None
    from chains.evm.scripting import ForgeScripts  # start-up: only targets with scripts need it

    return ForgeScripts(
        workspace=open_built_workspace(recipe(session.project, (session.target,))),
        artifacts=[bundle.artifact(source) for source in bundle.sources],
        rpc=session.chain.rpc,
        anvil=find_tool("anvil", session.project.root),
        sender=deployer,
        chain_id=session.chain.identity.id,
        clock=session.clock,
        progress=session.ui,
    )
