"""Checking: the project's own post-deploy reads, and the raw slots of its proxies."""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import NeedsPerson
from chains.evm.observing import CheckResult
from pipeline.plan import Plan
from pipeline.session import Session
from pipeline.steps.handover import rights_left

__all__ = ["Check", "CheckFailed"]


class CheckFailed(NeedsPerson):
    """SHIP-V02: a post-deploy check does not hold."""

    code = "SHIP-V02"


@dataclass(frozen=True)
class Check:
    """A failed check stops the release: no record is written."""

    session: Session
    plan: Plan
    title: str = "checking the deployment"

    def run(self) -> list[CheckResult]:
        results = self.session.chain.check(self.plan.body.checks)
        results += self.session.chain.check_slots(self.session.live().values())
        for result in results:
            self.session.ui.item(
                result.name, "passed" if result.passed else "failed", f"{result.call} = {result.found}"
            )
        failed = [f"{r.name}: {r.call} gives {r.found}" for r in results if not r.passed]
        if failed:
            raise CheckFailed(
                f"{len(failed)} of {len(results)} checks do not hold: {'; '.join(failed)}",
                done="The contracts are deployed and proven; the release is not recorded.",
                remedy="Find out why. Correct the check, or plan the change that makes it hold with `--replan`.",
            )
        rights_left(self.session, self.plan)
        return results

    def summary(self, result: list[CheckResult]) -> str:
        return f"{len(result)} hold"
