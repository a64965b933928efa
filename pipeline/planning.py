"""A plan without a deployment: for ``ship plan``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chains.errors import Refused
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import Target, load_target
from pipeline.options import Candidate
from pipeline.plan import Envelope
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


class NoPack(Refused):
    """SHIP-P09: there is no review pack for this family of chains."""

    code = "SHIP-P09"


def plan_project(
    root: Path, target_name: str, ui: Ui, *, pack: Path | None = None, candidate: Candidate | None = None
) -> tuple[Envelope, str]:
    """The plan for the target as it is now, and that plan as text. Reads only.

    ``pack``: the folder its review pack is written to. ``candidate``: planned as its promotion, with its bytes.
    """
    if pack is not None:
        from pipeline.review.pack import refuse_taken  # for packs alone

        refuse_taken(pack)
    project = load_project(root)
    if candidate is not None:
        project = replace(project, version=candidate.version)
    target = load_target(project, target_name)
    if target.chain.kind == "solana":
        return _programs(project, target, ui, pack, candidate)
    run = Runner(ui)
    with open_session(project, target, ui, purpose=f"ship plan --chain {target.name}", write=False) as session:
        ready = run(Preflight(session))
        if ready.unfinished:
            raise _unfinished(target, ready.unfinished)
        bundle = candidate.bundle if candidate is not None else run(Build(project, (target,), ui)).bundle
        plan = run(Planning(session, bundle, ready, candidate=candidate))
        if touches_proxies(session, plan):
            run(Safety(session, bundle, plan))
        if pack is not None:
            from pipeline.review.making import MakePack

            run(MakePack(session, bundle, plan, pack))
        return plan, session.render(plan)


def _unfinished(target: Target, digest: str) -> UnfinishedPlan:
    return UnfinishedPlan(
        f"plan {digest[:12]} of an earlier run is unfinished on {target.name}",
        remedy=f"`ship deploy --chain {target.name}` carries it on, `--replan` gives it up.",
    )


def _programs(
    project: Project, target: Target, ui: Ui, pack: Path | None, candidate: Candidate | None
) -> tuple[Envelope, str]:
    from pipeline.programs.preparing import ProgramPlanning, ProgramPreflight  # start-up: Solana targets alone
    from pipeline.programs.session import open_program_session

    if pack is not None:
        raise NoPack(
            f"{target.name} is a Solana target: review packs explain storage and events of EVM chains",
            remedy=f"`ship plan --chain {target.name} --json` has every instruction whole.",
        )
    run = Runner(ui)
    purpose = f"ship plan --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        ready = run(ProgramPreflight(session))
        if ready.unfinished:
            raise _unfinished(target, ready.unfinished)
        bundle = candidate.bundle if candidate is not None else run(Build(project, (target,), ui)).bundle
        plan = run(ProgramPlanning(session, bundle, ready, candidate=candidate))
        session.second_look(plan, bundle)
        return plan, session.render(plan)
