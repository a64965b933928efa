"""``ship createx``: CreateX on a target's chain, by its presigned transaction."""

from __future__ import annotations

from pathlib import Path

from chains.evm.createx_deploying import deploy_createx, install_createx_locally
from pipeline.manifest.families import evm_target
from pipeline.manifest.project import load_project
from pipeline.reaching import is_embedded
from pipeline.session import open_session
from pipeline.ui.base import Ui

__all__ = ["put_createx"]


def put_createx(root: Path, name: str, ui: Ui) -> bool:
    """See that CreateX is on the target's chain; whether its presigned transaction had to be sent.

    Raises what ``chains.evm.createx_deploying.deploy_createx`` raises.
    """
    project = load_project(root)
    target = evm_target(
        project,
        name,
        "CreateX is a contract of EVM chains",
        "A program's address is its own key's, the same on every cluster: nothing is needed for it.",
    )
    with open_session(project, target, ui, purpose=f"ship createx --chain {name}", write=True) as session:
        session.confirm_chain()
        chain = session.chain
        if is_embedded(target):
            install_createx_locally(chain.rpc, session.clock)
            return True
        pace_s = max(0.25, chain.identity.block_time_s / 4)
        return deploy_createx(
            chain.rpc, session.clock, currency=chain.identity.currency, wait_s=chain.policy.wait_s, poll_s=pace_s
        )
