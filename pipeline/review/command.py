"""What ``ship review`` runs: the chain of an endpoint, or of a project's target."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from chains.base import SystemClock
from chains.errors import Refused
from chains.evm.node import check_identity
from chains.rpc import Endpoint, Rpc, RpcDown, RpcUnknown
from chains.tools import find_tool
from pipeline.manifest.families import evm_target
from pipeline.manifest.project import load_project
from pipeline.manifest.secrets import resolve_endpoint
from pipeline.plan import Plan
from pipeline.review.documents import Source
from pipeline.review.pack import read_pack
from pipeline.review.reviewing import Review, review_pack
from pipeline.session import open_session
from pipeline.ui.base import Ui

__all__ = ["ChainOrRpc", "review"]


class ChainOrRpc(Refused):
    """SHIP-Y07: a review needs one chain to look at."""

    code = "SHIP-Y07"


def review(folder: Path, root: Path, ui: Ui, *, target: str | None, rpc: str | None, bundle: Path | None) -> Review:
    """Review the pack in ``folder`` against the endpoint ``rpc``, or the chain of a target of the project at ``root``."""
    if target is not None and rpc is not None:
        raise ChainOrRpc("--chain and --rpc exclude each other", remedy="Name one chain to look at.")
    pack = read_pack(folder)
    if rpc is None and target is None and not (root / "ship.toml").is_file():
        raise ChainOrRpc(
            "there is no chain to look at: no project here, and no --rpc",
            remedy="Name your own endpoint: --rpc https://…, or --rpc env:NAME where the URL holds a key.",
        )
    with ExitStack() as stack:

        def source(plan: Plan) -> Source:
            if rpc is not None:
                return _endpoint(plan, rpc, root)
            project = load_project(root)
            why = "review packs explain storage and events of EVM chains"
            named = evm_target(
                project, target or pack.target, why, "`ship approve` reads a plan for Solana a second time."
            )
            session = stack.enter_context(open_session(project, named, ui, purpose="ship review", write=False))
            session.confirm_chain()
            for endpoint in session.chain.rpc.endpoints:
                _check(plan, endpoint)
            return Source(session.chain.rpc, find_tool("anvil", root), session.clock)

        return review_pack(pack, source, bundle)


def _endpoint(plan: Plan, url: str, root: Path) -> Source:
    clock = SystemClock()
    endpoint = Endpoint(resolve_endpoint(url, root))
    _check(plan, endpoint)
    return Source(Rpc([endpoint], clock=clock), find_tool("anvil", root), clock)


def _check(plan: Plan, endpoint: Endpoint) -> None:
    """Raises ``WrongChain`` for another chain than the plan's."""
    try:
        check_identity(endpoint, int(plan.body.chain["id"]), plan.body.chain["genesis_hash"])
    except RpcUnknown as error:
        raise RpcDown(str(error), done="Nothing was sent.", remedy="Use another endpoint.") from error
