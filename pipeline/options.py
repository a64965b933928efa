"""What ``ship deploy`` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.publishing.buckets import Buckets

if TYPE_CHECKING:
    from pipeline.bundle import Bundle
    from pipeline.manifest.project import Project
    from pipeline.manifest.target import Target
    from pipeline.plan import Envelope
    from pipeline.signing.context import PasswordSource

__all__ = ["AnyPlan", "Candidate", "DeployOptions"]

AnyPlan = TypeVar("AnyPlan", bound="Envelope")


@dataclass(frozen=True)
class Candidate:
    """A release candidate that is promoted to ``version``: the bytes to deploy in place of a build, ``commit`` they were built
    from, and the results of ``gates`` over them."""

    tag: str
    version: str
    commit: str
    bundle: Bundle
    gates: tuple[dict[str, object], ...]

    def final(self, plan: AnyPlan) -> AnyPlan:
        """``plan``, of these bytes, as the promotion's: of the candidate's commit, whatever was committed since."""
        return replace(plan, commit=self.commit, dirty=False, promoted_from=self.tag)


@dataclass(frozen=True)
class DeployOptions:
    """``saved`` is a plan file to be held to, ``approvals`` the file of its approvals; ``replan`` gives up what an
    unfinished plan has not yet sent.

    ``together`` are all targets of the run, which are built for at once. With ``serve_port`` forge sends the scripts'
    transactions through a server at that port (``pipeline.rpc_signer``). ``buckets`` are the allowances at explorers, shared by
    all targets of the run. ``candidate``: its bytes are deployed, and nothing is built.
    """

    yes: bool
    password: PasswordSource
    saved: Path | None = None
    approvals: Path | None = None
    replan: bool = False
    serve_port: int | None = None
    together: tuple[Target, ...] = ()
    buckets: Buckets = field(default_factory=Buckets)
    candidate: Candidate | None = None

    def versioned(self, project: Project) -> Project:
        """``project`` as it is released: a promotion's version is the final one, which no file of the commit names."""
        return replace(project, version=self.candidate.version) if self.candidate is not None else project
