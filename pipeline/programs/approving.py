"""A plan for Solana before an approver: held against the sources and manifests at hand, as text, and read a second time."""

from __future__ import annotations

from pathlib import Path

from chains.canonical import digest
from chains.solana.units import SolanaUnits
from pipeline.approvals.approving import NotThisPlan, bundle_for, of_promotion
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.manifest.program_units import program_ids, solana_units
from pipeline.manifest.project import Project
from pipeline.manifest.resolved import resolved
from pipeline.manifest.target import Target, load_target
from pipeline.programs.errands.kind import errand_of
from pipeline.programs.plan import ProgramPlan, load_program_plan
from pipeline.programs.second_look import second_look
from pipeline.programs.session import idls_of
from pipeline.programs.text import render_program_plan
from pipeline.state.local import ProjectState
from pipeline.ui.base import Ui

__all__ = ["read_program_plan"]


def read_program_plan(project: Project, file: Path, ui: Ui) -> tuple[ProgramPlan, Target, str, list[str]]:
    """The plan, its target, the plan as text, and what the second reading says. Raises ``NotThisPlan`` and ``RenderersDisagree``."""
    plan = load_program_plan(file)
    project = of_promotion(project, plan)
    target = load_target(project, plan.target)
    _same_cluster(target, plan)
    without = errand_of(plan) is not None or plan.rollback is not None
    bundle = _kept(project, plan) if without else bundle_for(project, target, plan, ui)
    _own(project, target, plan, None if without else bundle)
    return plan, target, render_program_plan(plan), second_look(plan, bundle)


def _kept(project: Project, plan: ProgramPlan) -> Bundle:
    """That of an errand or a rollback: nothing of it is deployed, and it may be on another machine."""
    bundles = ProjectState(project.root).bundles
    try:
        return load_bundle(bundles, plan.bundle)
    except BundleMissing:
        return Bundle(bundles / plan.bundle, plan.bundle, {"artifacts": {}, "files": {}, "toolchain": {}})


def _same_cluster(target: Target, plan: ProgramPlan) -> None:
    """A local cluster's genesis is not pinned: the deployment holds it against the endpoint."""
    chain = plan.body.chain
    pinned = target.chain.genesis or chain["genesis_hash"]
    if target.chain.kind != "solana" or (target.chain.name, pinned) != (chain["name"], chain["genesis_hash"]):
        raise NotThisPlan(
            f"the plan is for {chain['name']} with genesis {chain['genesis_hash']}, {target.name} is {target.chain.name}"
            + (f" with {target.chain.genesis}" if target.chain.genesis else ""),
            remedy="Have a plan made for this target.",
        )


def _own(project: Project, target: Target, plan: ProgramPlan, bundle: Bundle | None) -> None:
    units = SolanaUnits()
    if bundle is not None:
        idls = {name: idl.body for name, idl in idls_of(bundle).items()}
        ids = program_ids(project, target, idls)
        units = solana_units(project, target, ids, deployer=plan.body.deployer, payer=plan.body.payer)
    if plan.inputs != digest(resolved(project, target, units)):
        raise NotThisPlan(
            "the plan was made from other manifests than those of this project",
            remedy="Check out the commit the plan names, or have a new plan made.",
        )
