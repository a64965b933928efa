"""``ship solana buffers``: the buffers shown, and some of them closed, so that their rent comes back to the payer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import Refused
from chains.solana.release import SolanaAction
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.programs.errands.buffers import FoundBuffer, list_buffers
from pipeline.programs.errands.planning import bundle_of, errand_fee, errand_plan
from pipeline.programs.errands.running import CarriedOut, ErrandOptions, carry_out, planned_or_saved, unfinished_errand
from pipeline.programs.keys import deployer_and_payer
from pipeline.programs.preparing import ProgramPreflight, ProgramReady, chain_of
from pipeline.programs.session import ProgramSession, open_program_session
from pipeline.programs.text import sol
from pipeline.step import Runner
from pipeline.ui.base import Ui
from pipeline.ui.table import Row, table

__all__ = ["BufferInUse", "Buffers", "NoSuchBuffer", "close_buffers", "render_buffers", "show_buffers"]


class BufferInUse(Refused):
    """SHIP-Q85: a buffer of the unfinished plan is not closed under it."""

    code = "SHIP-Q85"


class NoSuchBuffer(Refused):
    """SHIP-Q86: a buffer that was named is none of the signer's or the payer's."""

    code = "SHIP-Q86"


@dataclass(frozen=True)
class Buffers:
    """What is there, and what this run closed of it; ``record`` where anything was."""

    target: str
    chain: Mapping[str, Any]
    buffers: Sequence[FoundBuffer]
    closed: Sequence[FoundBuffer] = ()
    sent: int = 0
    record: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/buffers",
            "target": self.target,
            "chain": dict(self.chain),
            "buffers": [buffer.to_json() for buffer in self.buffers],
            "closed": [buffer.address for buffer in self.closed],
            "returned_lamports": str(sum(buffer.lamports for buffer in self.closed)),
            "sent": self.sent,
            "record": self.record,
        }


def show_buffers(project: Project, target: Target, ui: Ui) -> Buffers:
    """Reads only."""
    purpose = f"ship solana buffers --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=False) as session:
        session.confirm_chain()
        keys = deployer_and_payer(target, project.root)
        return Buffers(target.name, chain_of(session), list_buffers(session, keys))


def close_buffers(
    project: Project, target: Target, named: Sequence[str], options: ErrandOptions, ui: Ui, *, orphans: bool
) -> Buffers:
    """Close what was ``named`` and, with ``orphans``, every orphan. Raises ``BufferInUse`` and ``NoSuchBuffer``."""
    purpose = f"ship solana buffers --chain {target.name}"
    with open_program_session(project, target, ui, purpose=purpose, write=True) as session:
        run = Runner(ui)
        ready = run(ProgramPreflight(session))
        found = list_buffers(session, [ready.deployer, ready.payer])
        _none_in_use(target, found, named)
        plan = unfinished_errand(session, ready, "close")
        if plan is None:
            chosen = _chosen(target, found, named, orphans=orphans)
            if not chosen:
                return Buffers(target.name, chain_of(session), found)
            bundle = bundle_of(session)
            actions = [_action(session, ready, buffer) for buffer in chosen]
            plan = planned_or_saved(session, run, bundle, options, lambda: errand_plan(session, ready, bundle, actions))
        done = carry_out(session, plan, run, options)
        return _closed(session, found, done)


def _none_in_use(target: Target, found: Sequence[FoundBuffer], named: Sequence[str]) -> None:
    for buffer in found:
        if buffer.address in named and buffer.what == "unfinished":
            raise BufferInUse(
                f"{buffer.address} is {buffer.about}: the plan goes on with it",
                remedy=f"Finish the plan, or give it up with `ship deploy --chain {target.name} --replan`: then it is an orphan.",
            )


def _chosen(target: Target, found: Sequence[FoundBuffer], named: Sequence[str], *, orphans: bool) -> list[FoundBuffer]:
    by_address = {buffer.address: buffer for buffer in found}
    for address in named:
        if address not in by_address:
            raise NoSuchBuffer(
                f"{address} is no buffer whose authority is the signer or the payer of {target.name}",
                remedy=f"`ship solana buffers --chain {target.name}` lists those that are.",
            )
    return [b for b in found if b.address in named or (orphans and b.what == "orphan")]


def _action(session: ProgramSession, ready: ProgramReady, buffer: FoundBuffer) -> SolanaAction:
    return SolanaAction(
        id=f"close {buffer.address}",
        kind="close",
        unit=buffer.unit or "buffers",
        title=f"close the buffer {buffer.address} ({buffer.what}: {buffer.about}): {sol(buffer.lamports)} come back",
        transactions=1,
        fee_lamports=errand_fee(session, ready.payer, len({ready.payer, buffer.authority})),
        details={"buffer": buffer.address, "authority": buffer.authority, "lamports": buffer.lamports},
    )


def _closed(session: ProgramSession, before: Sequence[FoundBuffer], done: CarriedOut) -> Buffers:
    """A run that goes on with an earlier one finds some of its buffers gone already: the plan says what they held."""
    known = {buffer.address: buffer for buffer in before}
    closed = [
        known.get(a.details["buffer"])
        or FoundBuffer(
            a.details["buffer"], a.details["lamports"], a.details["authority"], 0, None, "orphan", "", a.unit
        )
        for a in done.plan.body.actions
    ]
    gone = {buffer.address for buffer in closed}
    left = [buffer for buffer in before if buffer.address not in gone]
    return Buffers(session.target.name, chain_of(session), left, closed, done.sent, str(done.record))


def render_buffers(shown: Buffers) -> list[str]:
    """One line a buffer, and what they hold together."""
    lines = [f"closed  {buffer.address}  {sol(buffer.lamports)} came back to the payer" for buffer in shown.closed]
    if shown.record:
        lines += [f"record  {shown.record}", ""]
    if not shown.buffers:
        return [*lines, f"No buffer on {shown.target} belongs to the signer or the payer."]
    rows: list[Row] = [
        (
            buffer.what,
            buffer.address,
            sol(buffer.lamports),
            f"sha256 {buffer.sha256[:16]}" if buffer.sha256 else "nothing written",
            f"{buffer.since[:16].replace('T', ' ')} UTC" if buffer.since else "age not known",
            buffer.about,
        )
        for buffer in shown.buffers
    ]
    total = sol(sum(buffer.lamports for buffer in shown.buffers))
    return [*lines, *table(rows), "", f"{len(rows)} buffer{'s' * (len(rows) != 1)} on {shown.target}, {total} in them"]
