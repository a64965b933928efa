"""Before anything is written: may we, is the commit there, are its checks green."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.github.errors import GithubDenied
from pipeline.github.objects import Check
from pipeline.release.errors import NotReady
from pipeline.release.work import Work

__all__ = ["RequiredChecks", "Rights", "unmet"]


@dataclass(frozen=True)
class Rights:
    """The repository is there, can be written to, and holds the commit. Raises ``GithubDenied`` and ``NotReady``."""

    work: Work
    title: str = "checking rights on GitHub"

    def run(self) -> str:
        repository = self.work.repository
        about = repository.about()
        if about is None:
            raise GithubDenied(
                f"GitHub shows no repository {repository.name}",
                remedy="Check the name under [github], and that the token may see it.",
            )
        # The token of an App or a workflow is told nothing of rights here: it learns them by writing.
        if (about.get("permissions") or {}).get("push") is False:
            raise GithubDenied(
                f"the token may only read {repository.name}",
                remedy="Use one with write access to contents and deployments.",
            )
        reasons = []
        if about.get("archived") or about.get("disabled"):
            reasons.append((f"{repository.name} is archived or disabled", "Unarchive it on GitHub."))
        materials = self.work.materials
        reasons += [
            (f"GitHub does not have commit {commit[:12]}", "Push it: `git push`.")
            for commit in dict.fromkeys((materials.head, materials.commit))
            if not repository.has_commit(commit)
        ]
        if reasons:
            raise NotReady(reasons)
        return f"{repository.name}, commit {materials.commit[:12]}"

    def summary(self, result: str) -> str:
        return result


@dataclass(frozen=True)
class RequiredChecks:
    """Every required check is green on the commit. Raises ``NotReady`` naming those that are not."""

    work: Work
    title: str = "checking what CI says of the commit"

    def run(self) -> int:
        commit = self.work.materials.commit
        found = [check for check in self.work.repository.checks(commit) if not _of_this_run(check)]
        required = self.work.materials.project.spec.release.required_checks
        missing = unmet(found, required)
        if missing:
            raise NotReady(
                [(f"{what} on commit {commit[:12]}", "Wait for it, or repair it and deploy again.") for what in missing]
            )
        if not found and not required:
            self.work.ui.note("no check runs and no statuses on this commit; name some under [release] required-checks")
        return len(required or found)

    def summary(self, result: int) -> str:
        return f"{result} green"


def unmet(found: Sequence[Check], required: Sequence[str]) -> list[str]:
    """What is not green: of the required checks, or where none is named, of all. Two of one name have to be green both."""
    names = required or tuple(dict.fromkeys(check.name for check in found))
    said = []
    for name in names:
        states = [check.state for check in found if check.name == name]
        if not states:
            said.append(f"the check {name} never ran")
        said += [f"the check {name} is {state}, not success" for state in states if state != "success"]
    return said


def _of_this_run(check: Check) -> bool:
    """The job that runs us is a check on the commit too, and cannot be done before we are."""
    run = os.environ.get("GITHUB_RUN_ID", "")
    return bool(run) and f"/actions/runs/{run}/" in f"{check.details_url}/"
