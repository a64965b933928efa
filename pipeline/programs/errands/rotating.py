"""``ship signer rotate`` on a Solana target: every program's upgrade authority, moved from [signer] to [next-authority].

SetAuthorityChecked alone: the new key signs each move too, so that no program is given to a key nobody holds (fault 32).
"""

from __future__ import annotations

from pathlib import Path

from solders.pubkey import Pubkey

from chains.errors import Refused, Where
from chains.solana.layouts import parse_program_data, program_data_address
from chains.solana.live import LiveProgram
from chains.solana.release import SolanaAction
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.plan import save_plan
from pipeline.programs.errands.buffers import list_buffers
from pipeline.programs.errands.planning import bundle_of, errand_fee, errand_plan
from pipeline.programs.errands.running import CarriedOut, ErrandOptions, carry_out, planned_or_saved, unfinished_errand
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.preparing import ProgramPreflight, ProgramReady
from pipeline.programs.session import ProgramSession, open_program_session
from pipeline.signing.opening import signer_public_key
from pipeline.step import Runner
from pipeline.ui.base import Ui

__all__ = ["NoNextAuthority", "NothingToRotate", "next_authority", "rotate_authority", "save_authority_rotation"]


class NothingToRotate(Refused):
    """SHIP-Q81: the signer is the upgrade authority of nothing that is recorded."""

    code = "SHIP-Q81"


class NoNextAuthority(Refused):
    """SHIP-Q82: the key that is to get the programs is not one that can sign here."""

    code = "SHIP-Q82"


def next_authority(target: Target, root: Path, to: str | None) -> str:
    """The public key under [next-authority]; ``to`` is what was asked for, and has to be it. Raises ``NoNextAuthority``."""
    if target.spec.next_authority is None:
        raise NoNextAuthority(
            f"{target.name} has no [next-authority]: on Solana the new key signs the move as well, so that an address is "
            "not enough",
            where=Where(target.file),
            remedy="Describe the new key under [next-authority], with the keys of [signer].",
        )
    found = signer_public_key(target, root, "next-authority")
    if to is not None and to != found:
        raise NoNextAuthority(
            f"--to names {to}, [next-authority] is {found}",
            where=target.layers.where(("next-authority",)),
            remedy="Leave --to out, or describe that key under [next-authority].",
        )
    return found


def rotate_authority(project: Project, target: Target, to: str | None, options: ErrandOptions, ui: Ui) -> CarriedOut:
    """Move every program, or go on with it. Raises this module's errors and those of the steps."""
    purpose = f"ship signer rotate --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=True) as session:
        run = Runner(ui)
        ready = run(ProgramPreflight(session))
        plan = unfinished_errand(session, ready, "rotation")
        if plan is None:
            new, bundle = next_authority(target, project.root, to), bundle_of(session)
            plan = planned_or_saved(session, run, bundle, options, lambda: _plan(session, ready, bundle, new))
        return carry_out(session, plan, run, options)


def save_authority_rotation(project: Project, target: Target, to: str | None, out: Path, ui: Ui) -> ProgramPlan:
    """Plan the rotation and save it, for approvers. Sends nothing."""
    purpose = f"ship signer rotate --chain {target.name} --out"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        ready = Runner(ui)(ProgramPreflight(session))
        plan = _plan(session, ready, bundle_of(session), next_authority(target, project.root, to))
        save_plan(out, plan)
        ui.block(session.render(plan))
    return plan


def _plan(session: ProgramSession, ready: ProgramReady, bundle: Bundle, new: str) -> ProgramPlan:
    old, live = ready.deployer, session.live()
    if new == old:
        raise NoNextAuthority(
            f"[next-authority] and [signer] are the same key, {old}",
            where=session.target.layers.where(("next-authority",)),
            remedy="There is nothing to move: name another key under [next-authority].",
        )
    keys = {name: str(program_data_address(Pubkey.from_string(unit.program))) for name, unit in live.items()}
    found = session.cluster.accounts(list(keys.values()), "confirmed") if keys else {}
    actions, warnings = [], []
    for name, unit in live.items():
        account = found[keys[name]]
        holder = str(parse_program_data(account).authority or "nobody") if account and account.data else "nobody"
        if holder == old:
            actions.append(_move(session, ready, name, unit, new))
        else:
            warnings.append(f"{name} is not moved: its upgrade authority is {holder}")
    if not actions:
        raise NothingToRotate(
            f"{old} is the upgrade authority of nothing recorded on {session.target.name}"
            + (f" ({'; '.join(warnings)})" if warnings else ""),
            remedy="There is nothing to move: make the new key the [signer] and deploy with it.",
        )
    warnings += [
        f"the staged bytes in {buffer.address} stay {old}'s: going back to them is no longer one transaction. "
        f"`ship solana buffers --close {buffer.address}` before this returns their rent"
        for buffer in list_buffers(session, [old])
        if buffer.what == "staged"
    ]
    return errand_plan(session, ready, bundle, actions, handover=new, warnings=warnings)


def _move(session: ProgramSession, ready: ProgramReady, name: str, unit: LiveProgram, new: str) -> SolanaAction:
    old = ready.deployer
    return SolanaAction(
        id=f"{name}.authority",
        kind="authority",
        unit=name,
        title=f"move the upgrade authority of {name} ({unit.program}); the new key signs too",
        transactions=1,
        fee_lamports=errand_fee(session, ready.payer, len({ready.payer, old, new})),
        details={"program": unit.program, "from": old, "to": new},
    )
