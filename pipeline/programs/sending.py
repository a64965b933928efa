"""Signing and deploying on Solana: the accepted plan, through the journal, onto the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chains.errors import NeedsPerson, Refused, ShipError
from chains.solana.carrying import Carrier
from chains.solana.lifecycle import fold
from pipeline.bundle import Bundle
from pipeline.programs.guard import MessageGuard
from pipeline.programs.keys import open_keys
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.proposals import export_proposal
from pipeline.programs.session import ProgramSession, idls_of
from pipeline.programs.store import bytes_source
from pipeline.signing.context import PasswordSource
from pipeline.steps.deploy import StoppedPartWay

__all__ = ["SendPrograms"]


@dataclass
class SendPrograms:
    """Carries the plan out. ``sent`` tells how many transactions this run handed on, however far it came.

    ``confirm`` holds the address of each program that is to become immutable, typed again.
    """

    session: ProgramSession
    plan: ProgramPlan
    bundle: Bundle | None
    password: PasswordSource
    confirm: Mapping[str, str] = field(default_factory=dict)
    sent: int = 0
    title: str = "signing and deploying"

    def run(self) -> int:
        session, plan = self.session, self.plan
        assert session.journal is not None
        bytes_of = bytes_source(session, plan)
        idls = idls_of(self.bundle) if self.bundle is not None else {}
        by_address = {
            unit.after["address"]: idls[unit.name]
            for unit in plan.body.units
            if unit.name in idls and "address" in unit.after
        }
        guard = MessageGuard.of(session, plan, bytes_of, by_address)
        guard.foresee()
        keys = open_keys(session, plan, guard, self.password)
        for action in plan.body.actions:
            if "squads" in action.details:
                export_proposal(session, plan, action, bytes_of(action))
        carrier = Carrier(
            session.cluster,
            session.journal,
            session.clock,
            session.ui,
            session.settings,
            plan.body,
            plan.digest,
            keys,
            bytes_of,
            self.confirm,
        )
        try:
            carrier.run()
        except (Refused, NeedsPerson) as error:
            raise self._part_way(error) from error
        finally:
            self.sent = carrier.sent
        return self.sent

    def _part_way(self, error: ShipError) -> ShipError:
        """A refusal after something was sent is no longer "nothing sent": the run stopped and can be resumed."""
        assert self.session.journal is not None
        rows = self.session.journal.rows
        states = [fold(rows, self.plan.digest, action.id) for action in self.plan.body.actions]
        begun = sum(bool(state.attempts or state.waves) for state in states)
        if not begun:
            return error
        final = sum(state.final is not None for state in states)
        done = f"{final} of {len(states)} actions are final; what was signed is in the journal."
        if isinstance(error, NeedsPerson):
            return type(error)(error.cause, done=done, remedy=error.remedy, where=error.where)
        return StoppedPartWay(f"{error.code}: {error.cause}", done=done, remedy=error.remedy, where=error.where)

    def summary(self, result: int) -> str:
        actions = len(self.plan.body.actions)
        return f"{result:,} transaction{'s' if result != 1 else ''} sent, {actions} action{'s' if actions != 1 else ''} final"
