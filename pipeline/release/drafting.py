"""The draft: ours is adopted, a stranger's is named and left alone."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.github.errors import GithubRejected
from pipeline.github.objects import Release
from pipeline.release.ensuring import ensure
from pipeline.release.errors import ForeignDraft
from pipeline.release.notes import is_ours
from pipeline.release.work import Work

__all__ = ["Drafting"]


@dataclass(frozen=True)
class Drafting:
    """Gives the draft; nothing in a dry run that would have to make one."""

    work: Work
    title: str = "drafting the release"

    def run(self) -> Release | None:
        work = self.work
        foreign = [r for r in work.releases() if r.draft and not is_ours(r.body, work.materials)]
        for draft in foreign:
            work.ui.note(f"GitHub has another draft of {work.tag}, not ours and left alone: {draft.url}")
        if work.dry:
            return self._looked_at()
        try:
            draft, made = ensure(self._own, self._make, f"the draft of {work.tag}", work.clock)
        except GithubRejected as error:
            if foreign and error.status == 422:
                raise ForeignDraft(
                    f"GitHub has a draft of {work.tag} that is not ours and takes no second: {foreign[0].url}",
                    remedy="Publish, rename or delete it there; ship does not touch what it did not write.",
                ) from None
            raise
        self._drop_doubles(draft)
        draft, changed = self._brought_up_to_date(draft)
        work.did("draft", "made" if made else "there", f"{draft.url}{', brought up to date' if changed else ''}")
        return draft

    def _looked_at(self) -> Release | None:
        draft = self._own()
        if draft is None:
            self.work.did("draft", "would", self.work.materials.title)
        else:
            self.work.did("draft", "there" if self._right(draft) else "would", draft.url)
        return draft

    def _all_own(self) -> list[Release]:
        return [r for r in self.work.releases() if r.draft and is_ours(r.body, self.work.materials)]

    def _own(self) -> Release | None:
        return next(iter(self._all_own()), None)

    def _make(self) -> None:
        m = self.work.materials
        self.work.repository.make_draft(m.tag, m.commit, m.title, self.work.notes, prerelease=m.prerelease)

    def _drop_doubles(self, draft: Release) -> None:
        """A draft shown late can have been made twice. The oldest stays; only what bears our mark is deleted."""
        for double in (other for other in self._all_own() if other.id != draft.id):
            self._drop(double)

    def _drop(self, double: Release) -> None:
        repository = self.work.repository
        ensure(
            lambda: True if repository.release(double.id) is None else None,
            lambda: repository.delete_release(double.id),
            "the deletion of a draft made twice",
            self.work.clock,
        )

    def _right(self, release: Release) -> bool:
        m = self.work.materials
        return (release.title, release.body.rstrip(), release.prerelease) == (
            m.title,
            self.work.notes.rstrip(),
            m.prerelease,
        )

    def _brought_up_to_date(self, draft: Release) -> tuple[Release, bool]:
        m, repository = self.work.materials, self.work.repository

        def look() -> Release | None:
            found = repository.release(draft.id)
            return found if found is not None and self._right(found) else None

        changes = {
            "name": m.title,
            "body": self.work.notes,
            "prerelease": m.prerelease,
            "target_commitish": m.commit,
        }
        return ensure(look, lambda: repository.edit_release(draft.id, changes), "the draft's text", self.work.clock)

    def summary(self, result: Release | None) -> str:
        return result.url if result else f"would draft {self.work.materials.title}"
