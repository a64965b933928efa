"""A release to one target, whatever family its chain is of."""

from __future__ import annotations

from chains.base import Clock
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.options import DeployOptions
from pipeline.outcome import Outcome
from pipeline.reaching import Reached
from pipeline.ui.base import Ui

__all__ = ["release"]


def release(
    project: Project,
    target: Target,
    options: DeployOptions,
    ui: Ui,
    outcome: Outcome,
    *,
    clock: Clock | None = None,
    reached: Reached | None = None,
) -> None:
    """Release ``project`` to ``target``. ``outcome`` is filled in as far as the run comes; errors are raised."""
    # Each family's pipeline is imported only where a target is of it (design §12).
    if target.chain.kind == "solana":
        from pipeline.programs.run import deploy_programs

        deploy_programs(project, target, options, ui, outcome, clock=clock)
    else:
        from pipeline.run import deploy

        deploy(project, target, options, ui, outcome, clock=clock, reached=reached)
