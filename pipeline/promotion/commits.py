"""One commit: the records', both tags', and this checkout's."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.git import current_commit
from pipeline.github.repository import Repository
from pipeline.manifest.project import Project
from pipeline.promotion.errors import CandidateElsewhere
from pipeline.release.git_work import GitWork

__all__ = ["SameCommit"]


@dataclass(frozen=True)
class SameCommit:
    """Manifests, scripts and gates come from this checkout: it has to be the candidate's commit, or to add records only."""

    project: Project
    tag: str
    final_tag: str
    commit: str
    repository: Repository | None
    title: str = "checking the commit"

    def run(self) -> str:
        git = GitWork(self.project.root)
        for name in (self.tag, self.final_tag):
            on_github = self.repository.tag(name) if self.repository is not None else None
            self._refuse_moved(name, "on GitHub", on_github.commit if on_github else None)
            self._refuse_moved(name, "here", git.tag_commit(name))
        head = current_commit(self.project.root)
        if head.id is None or head.dirty:
            raise CandidateElsewhere(
                "the working tree has uncommitted changes" if head.dirty else "the project is in no git repository",
                remedy=f"Commit or remove them, or use a fresh checkout of {self.tag}.",
            )
        if head.id != self.commit and not git.same_project(self.commit, head.id):
            raise CandidateElsewhere(
                f"{self.tag} is commit {self.commit[:12]}, and HEAD ({head.id[:12]}) has other sources",
                remedy=f"Check out {self.tag}; commits that only add records may follow it.",
            )
        return head.id

    def _refuse_moved(self, name: str, where: str, found: str | None) -> None:
        if found not in {None, self.commit}:
            raise CandidateElsewhere(
                f"the tag {name} {where} is commit {str(found)[:12]}, the candidate was built from {self.commit[:12]}",
                remedy="A tag is never moved: find out who moved it, and make a new candidate from the commit you mean.",
            )

    def summary(self, result: str) -> str:
        return f"{self.commit[:12]}" if result == self.commit else f"{self.commit[:12]}, records added since"
