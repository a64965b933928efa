"""A plan without a deployment: for ``ship plan``."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Refused
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.plan import Plan
from pipeline.session import open_session
from pipeline.step import Runner
from pipeline.steps.build import Build
from pipeline.steps.plan import Planning
from pipeline.steps.preflight import Preflight
from pipeline.steps.safety import Safety, touches_proxies
from pipeline.ui.base import Ui

__all__ = ["UnfinishedPlan", "plan_project"]


class UnfinishedPlan(Refused):
    """SHIP-P05: an accepted plan is still unfinished."""

    code = "SHIP-P05"


def plan_project(root: Path, target_name: str, ui: Ui, *, pack: Path | None = None) -> tuple[Plan, str]:
    """The plan for the target as it is now, and the chain's currency. Reads only.

    ``pack``: the folder its review pack is written to.
    """
    if pack is not None:
        from pipeline.review.pack import refuse_taken  # for packs alone

        refuse_taken(pack)
    project = load_project(root)
    target = load_target(project, target_name)
    run = Runner(ui)
    with open_session(project, target, ui, purpose=f"ship plan --chain {target.name}", write=False) as session:
        ready = run(Preflight(session))
        if ready.unfinished:
            raise UnfinishedPlan(
                f"plan {ready.unfinished[:12]} of an earlier run is unfinished on {target.name}",
                remedy=f"`ship deploy --chain {target.name}` carries it on, `--replan` gives it up.",
            )
        bundle = run(Build(project, (target,), ui)).bundle
        plan = run(Planning(session, bundle, ready))
        if touches_proxies(session, plan):
            run(Safety(session, bundle, plan))
        if pack is not None:
            from pipeline.review.making import MakePack

            run(MakePack(session, bundle, plan, pack))
        return plan, session.chain.identity.currency
