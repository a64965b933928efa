"""``ship solana finalize``: a program that nobody can upgrade again, ever. Asked for twice: the plan, and the address once more."""

from __future__ import annotations

import difflib

from solders.pubkey import Pubkey

from chains.errors import Refused, Where
from chains.solana.errands import NotConfirmedTwice
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import parse_program_data, program_data_address
from chains.solana.live import LiveProgram
from chains.solana.release import SolanaAction
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.programs.errands.planning import bundle_of, errand_fee, errand_plan
from pipeline.programs.errands.running import CarriedOut, ErrandOptions, carry_out, planned_or_saved, unfinished_errand
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.preparing import ProgramPreflight, ProgramReady
from pipeline.programs.session import ProgramSession, open_program_session
from pipeline.step import Runner
from pipeline.ui.base import Ui

__all__ = ["AlreadyImmutable", "UnknownProgram", "finalize_program", "program_address"]


class UnknownProgram(Refused):
    """SHIP-Q83: no program of this name is recorded on the target."""

    code = "SHIP-Q83"


class AlreadyImmutable(Refused):
    """SHIP-Q84: the program is immutable."""

    code = "SHIP-Q84"


def program_address(project: Project, target: Target, name: str, ui: Ui) -> str:
    """Where the recorded program lies, to be typed again by whoever decides. Reads the journal alone."""
    with open_program_session(project, target, ui, purpose="ship solana finalize", write=False) as session:
        return _live(session, name).program


def finalize_program(project: Project, target: Target, name: str, options: ErrandOptions, ui: Ui) -> CarriedOut:
    """Make it immutable, or go on with it. Raises ``NotConfirmedTwice`` before anything is planned."""
    purpose = f"ship solana finalize --chain {target.name} --program {name}"
    with open_program_session(project, target, ui, purpose=purpose, write=True) as session:
        run = Runner(ui)
        unit = _live(session, name)
        if options.confirm.get(unit.program) != unit.program:
            raise NotConfirmedTwice(
                f"{name} ({unit.program}) would become immutable for ever, and its address was not given a second time",
                remedy=f"Type it at the prompt, or give --confirm {unit.program}.",
            )
        ready = run(ProgramPreflight(session))
        plan = unfinished_errand(session, ready, "finalize")
        if plan is None:
            bundle = bundle_of(session)
            plan = planned_or_saved(
                session,
                run,
                bundle,
                options,
                lambda: errand_plan(session, ready, bundle, [_action(session, ready, unit)]),
            )
        _same(plan, name)
        return carry_out(session, plan, run, options)


def _same(plan: ProgramPlan, name: str) -> None:
    begun = plan.body.actions[0].unit
    if begun != name:
        raise UnknownProgram(
            f"making {begun} immutable is under way, not {name}", remedy=f"Finish it first: `--program {begun}`."
        )


def _live(session: ProgramSession, name: str) -> LiveProgram:
    live = session.live()
    if name not in live:
        near = difflib.get_close_matches(name, live, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UnknownProgram(
            f"no program called {name} is recorded on {session.target.name}.{hint}",
            where=Where(str(session.state.journal)),
            remedy=f"Recorded are: {', '.join(live) or 'none'}.",
        )
    return live[name]


def _action(session: ProgramSession, ready: ProgramReady, unit: LiveProgram) -> SolanaAction:
    key = str(program_data_address(Pubkey.from_string(unit.program)))
    account = session.cluster.accounts([key], "confirmed")[key]
    holder = parse_program_data(account).authority if account is not None and account.data else None
    if holder is None:
        raise AlreadyImmutable(f"{unit.name} ({unit.program}) is immutable", remedy="There is nothing to do.")
    if str(holder) != ready.deployer:
        raise AuthorityMismatch(
            f"the upgrade authority of {unit.program} is {holder}, the target's signer is {ready.deployer}",
            remedy="Only the key that holds it can give it up.",
        )
    return SolanaAction(
        id=f"{unit.name}.finalize",
        kind="finalize",
        unit=unit.name,
        title=f"make {unit.name} ({unit.program}) immutable FOR EVER: no upgrade, no rollback, no key can undo it",
        transactions=1,
        fee_lamports=errand_fee(session, ready.payer, len({ready.payer, ready.deployer})),
        details={"program": unit.program, "from": ready.deployer, "to": None},
    )
