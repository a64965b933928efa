"""What a family of chains gives to rollbacks, and which family a target is of: a new one is one row in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from chains.evm.actions import Action, PlannedCheck
from chains.evm.live import LiveUnit
from pipeline.plan import Plan
from pipeline.rollback.history import Course
from pipeline.rollback.model import Way
from pipeline.session import Session

__all__ = ["Family", "family_of"]


class Family(Protocol):
    """One kind of chain. Both read and simulate only."""

    def way(
        self,
        session: Session,
        before: Mapping[str, LiveUnit],
        after: Mapping[str, LiveUnit],
        *,
        deployer: str,
        checks: Sequence[PlannedCheck],
        actions: Sequence[Action] = (),
        release: Plan | None = None,
    ) -> Way:
        """From ``after`` back to ``before``, rehearsed behind ``actions`` (those of ``release``, which is not sent yet)."""
        ...

    def plan(self, session: Session, course: Course, way: Way, *, deployer: str) -> Plan:
        """The plan that goes that way, simulated and priced; what is to be accepted stands in its ``rollback``."""
        ...


def _evm() -> Family:
    from pipeline.rollback.evm import EvmFamily  # each family with its own chain's code

    return EvmFamily()


FAMILIES: Mapping[str, Callable[[], Family]] = {"evm": _evm}


def family_of(session: Session) -> Family:
    """The family of the session's target."""
    return FAMILIES[session.target.chain.kind]()
