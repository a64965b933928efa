"""The annotated tag, on the commit that was deployed. By GitHub's API; by git where it is to be signed or is there locally."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.github.objects import Tag
from pipeline.release.ensuring import ensure
from pipeline.release.errors import TagElsewhere
from pipeline.release.work import Deed, Work

__all__ = ["Tagging", "confirmed_tag"]


def confirmed_tag(work: Work) -> Tag | None:
    """The tag on GitHub, if there is one. Raises ``TagElsewhere`` where it, or the local one, is of another commit."""
    commit = work.materials.commit
    tag = work.repository.tag(work.tag)
    local = work.git.tag_commit(work.tag)
    for where, found in (("on GitHub", tag.commit if tag else None), ("here", local)):
        if found not in {None, commit}:
            raise TagElsewhere(
                f"the tag {work.tag} {where} is commit {str(found)[:12]}; this release is commit {commit[:12]}",
                remedy="A tag is never moved: raise the version and deploy it, or check out the tagged commit.",
            )
    return tag


@dataclass(frozen=True)
class Tagging:
    work: Work
    title: str = "tagging"

    def run(self) -> Deed:
        work = self.work
        tag = confirmed_tag(work)
        if work.dry:
            if tag is not None:
                return work.did(f"tag {work.tag}", "there", f"on {self._commit}")
            return work.did(f"tag {work.tag}", "would", f"annotated{', signed' * self._signs}, on {self._commit}")
        found, made = ensure(lambda: confirmed_tag(work), self._make, f"the tag {work.tag}", work.clock)
        kind = "annotated" if found.annotated else "not annotated"
        return work.did(f"tag {work.tag}", "made" if made else "there", f"{kind}, on {self._commit}")

    @property
    def _commit(self) -> str:
        return self.work.materials.commit[:12]

    @property
    def _signs(self) -> bool:
        return self.work.materials.project.spec.release.sign_tag or self.work.git.signs_tags()

    def _make(self) -> None:
        work, spec = self.work, self.work.materials.project.spec.release
        local = work.git.tag_commit(work.tag)
        if local is None and not self._signs:
            work.repository.make_tag(work.tag, work.materials.commit, work.materials.title)
            return
        if local is None:
            work.git.make_tag(work.tag, work.materials.commit, work.materials.title, sign=True)
        work.git.push_tag(work.tag, spec.remote)

    def summary(self, result: Deed) -> str:
        return f"{self.work.tag} {result.state}, {result.detail}"
