"""A vault's proposal as a file, before anything of it is sent: what the members are to agree to, whole and in words."""

from __future__ import annotations

from pathlib import Path

from chains.canonical import pretty
from chains.files import write_atomic
from chains.solana.release import SolanaAction, job_of
from chains.solana.squads.exporting import describe, export
from chains.solana.squads.releasing import wanted_of
from chains.solana.squads.vaults import read_multisig
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession

__all__ = ["export_proposal", "proposal_path"]


def proposal_path(session: ProgramSession, plan: ProgramPlan, action: SolanaAction) -> Path:
    return session.state.folder / "proposals" / f"squads-{action.id}-{plan.digest[:16]}.json"


def export_proposal(session: ProgramSession, plan: ProgramPlan, action: SolanaAction, elf: bytes) -> None:
    """Write it once, and say it. Raises ``NotAVault``, ``MessageTooLarge``."""
    path = proposal_path(session, plan, action)
    if path.exists():
        return
    job = job_of(action, plan.body, plan.digest, elf)
    wanted = wanted_of(action, job)
    multisig = read_multisig(session.cluster, wanted.multisig)
    write_atomic(path, pretty(export(wanted, multisig, job)))
    session.ui.block("\n".join(f"  {line}" for line in describe(wanted, multisig, job)))
    session.ui.note(f"the proposal is in {path.relative_to(session.project.root)}")
