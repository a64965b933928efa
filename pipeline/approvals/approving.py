"""``ship approve``: the plan shown, read a second time from its bytes, and its digest signed by one approver's key."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from chains.canonical import digest
from chains.errors import Refused, Where
from chains.evm.hashing import checksum
from pipeline.approvals.files import Approval, approvals_path, load_approvals, save_approvals
from pipeline.approvals.message import ApprovalMessage
from pipeline.approvals.second_look import second_look
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.resolved import resolved
from pipeline.manifest.signer_file import load_signer
from pipeline.manifest.target import Target, load_target
from pipeline.plan import Envelope, Plan, load_plan, plan_family
from pipeline.plan_text import render_plan
from pipeline.signing.context import PasswordSource
from pipeline.signing.opening import open_backend
from pipeline.signing.typed import typed_signature
from pipeline.state.local import ProjectState
from pipeline.step import Runner
from pipeline.steps.build import Build
from pipeline.ui.base import Ui

__all__ = ["ApproveOptions", "NotAnApprover", "NotThisPlan", "approve_plan", "bundle_for", "of_promotion"]


class NotAnApprover(Refused):
    """SHIP-A05: the key, or the name, is not one that may approve."""

    code = "SHIP-A05"


class NotThisPlan(Refused):
    """SHIP-A06: the plan does not follow from the sources and manifests at hand."""

    code = "SHIP-A06"


class ApprovalWithheld(Refused):
    """SHIP-A07: nobody said yes."""

    code = "SHIP-A07"


@dataclass(frozen=True)
class ApproveOptions:
    """``chain`` or ``signer_file`` name the key; without either it is the plan's target's."""

    plan: Path
    name: str | None
    chain: str | None
    signer_file: Path | None
    out: Path | None
    yes: bool
    password: PasswordSource


def approve_plan(root: Path, options: ApproveOptions, ui: Ui) -> tuple[Approval, Path]:
    """The new approval and the file it was added to. Raises a ``Refused`` before anything is signed."""
    project = load_project(root)
    if plan_family(options.plan) == "solana":
        from pipeline.programs.approving import read_program_plan  # start-up: Solana alone

        read: tuple[Envelope, Target, str, list[str]] = read_program_plan(project, options.plan, ui)
    else:
        read = _read(project, options.plan, ui)
    plan, target, shown, readings = read
    ui.block(shown)
    ui.block("\n  read again from the unsigned bytes alone, and found the same:\n" + "\n".join(readings))

    keyed = _keyed(project, target, options)
    _signs_approvals(keyed)
    backend = open_backend(keyed, project.root, options.password)
    name = _approver(target, plan, checksum(backend.address), options.name)
    if not options.yes and not target.chain.local and not ui.confirm(f"Approve this as {name}?"):
        raise ApprovalWithheld("the plan was not approved", remedy="Run again when it is right, or with --yes.")
    message = ApprovalMessage.of(plan, int(time.time()) + target.spec.policy.plan_valid_for_s)
    approval = Approval(name, checksum(backend.address), message, typed_signature(backend, message))
    path = options.out or approvals_path(options.plan)
    _add(path, approval)
    return approval, path


def _read(project: Project, file: Path, ui: Ui) -> tuple[Envelope, Target, str, list[str]]:
    """A plan for an EVM chain, held against these sources and manifests, as text, and read a second time."""
    plan = load_plan(file)
    project = of_promotion(project, plan)
    target = load_target(project, plan.target)
    _own(project, target, plan)
    readings = second_look(plan, bundle_for(project, target, plan, ui))
    return plan, target, render_plan(plan, target.chain.currency), readings


def of_promotion(project: Project, plan: Envelope) -> Project:
    """``project`` under the plan's version where that promotes a candidate: no file of the commit names the final one."""
    return replace(project, version=plan.version) if plan.promoted_from is not None else project


def _signs_approvals(keyed: Target) -> None:
    """An approval is EIP-712 typed data, whatever the plan is for: a signer known by its ed25519 key cannot make one."""
    spec = keyed.spec.signer
    if keyed.chain.kind == "solana" and (spec is None or spec.public_key is not None or spec.backend == "development"):
        raise NotAnApprover(
            f"the signer of {keyed.name} has an ed25519 key; approvals are signed with secp256k1 keys, as on EVM chains",
            where=keyed.layers.where(("signer",)),
            remedy="Give the approver's own key with --signer FILE: `ship signer new` makes one.",
        )


def _own(project: Project, target: Target, plan: Plan) -> None:
    if plan.inputs != digest(resolved(project, target)):
        raise NotThisPlan(
            "the plan was made from other manifests than those of this project",
            remedy="Check out the commit the plan names, or have a new plan made.",
        )
    known = (target.chain.chain_id, target.chain.genesis or plan.body.chain["genesis_hash"])
    if known != (plan.body.chain["id"], plan.body.chain["genesis_hash"]):
        raise NotThisPlan(
            f"the plan is for chain {plan.body.chain['id']} with genesis {plan.body.chain['genesis_hash']}, "
            f"{target.name} is chain {known[0]} with {known[1]}",
            remedy="Have a plan made for this target.",
        )


def bundle_for(project: Project, target: Target, plan: Envelope, ui: Ui) -> Bundle:
    """The plan's bundle: at hand, or built from these sources, which must then give the same bytes."""
    try:
        return load_bundle(ProjectState(project.root).bundles, plan.bundle)
    except BundleMissing:
        built = Runner(ui)(Build(project, (target,), ui)).bundle
    if built.digest != plan.bundle:
        raise NotThisPlan(
            f"these sources give bundle {built.digest[:12]}…, the plan was made with {plan.bundle[:12]}…",
            remedy="Check out the commit the plan names, or have a new plan made.",
        )
    return built


def _keyed(project: Project, target: Target, options: ApproveOptions) -> Target:
    """A target whose ``[signer]`` is the approver's; its chain and policy are the plan's target's."""
    if options.chain is not None:
        other = load_target(project, options.chain)
        return replace(target, spec=target.spec.model_copy(update={"signer": other.spec.signer}), layers=other.layers)
    if options.signer_file is None:
        return target
    signer, layers = load_signer(options.signer_file)
    return replace(target, spec=target.spec.model_copy(update={"signer": signer}), layers=layers)


def _approver(target: Target, plan: Envelope, address: str, name: str | None) -> str:
    policy = target.spec.policy
    listed = next((who for who, key in policy.approvers.items() if key == address), None)
    if listed is None or (name is not None and name != listed):
        owner = f"that of {listed}" if listed else "no approver's"
        raise NotAnApprover(
            f"the key {address} is {owner}" + (f", not {name}'s" if name else ""),
            where=target.layers.where(("policy", "approvers")),
            remedy=f"Approvers of {target.name}: {', '.join(policy.approvers) or 'none'}. Give the key with --signer FILE.",
        )
    if plan.family == "evm" and address == checksum(plan.body.deployer) and not policy.deployer_may_approve:
        raise NotAnApprover(
            f"{listed}'s key also signs the transactions of this plan",
            where=target.layers.where(("policy", "approvers", listed)),
            remedy="Approve with another key, or set `deployer-may-approve = true` under [policy].",
        )
    return listed


def _add(path: Path, approval: Approval) -> None:
    """Add it, in the place of an earlier one by the same person. Approvals of another plan are never mixed in."""
    kept = load_approvals(path) if path.exists() else []
    if any(other.message.plan != approval.message.plan for other in kept):
        raise NotThisPlan(
            "the file holds approvals of another plan",
            where=Where(str(path)),
            remedy="Remove it, or write to another file with --out.",
        )
    save_approvals(path, [*(other for other in kept if other.approver != approval.approver), approval])
