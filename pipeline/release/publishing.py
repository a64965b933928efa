"""Publishing, the last write to a release; and what is said where it happened before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.github.objects import Release
from pipeline.release.assets import CHECKSUMS, parse_checksums
from pipeline.release.ensuring import ensure
from pipeline.release.errors import AlreadyDifferent, AssetWrong, NotSeen
from pipeline.release.signature import SIGNATURE
from pipeline.release.tagging import confirmed_tag
from pipeline.release.uploading import missing_or_wrong
from pipeline.release.work import Work

__all__ = ["Comparing", "Publishing", "make_latest"]

_MOST_CHECKSUMS_BYTES = 1 << 20


def make_latest(tag: str, published: list[str]) -> Literal["true", "false"]:
    """GitHub's ``make_latest``: only a final version above every other published one is the latest."""
    from semver import Version

    version = Version.parse(tag.removeprefix("v"))
    others = [v.removeprefix("v") for v in published if v != tag and Version.is_valid(v.removeprefix("v"))]
    final = [v for v in map(Version.parse, others) if not v.prerelease]
    return "false" if version.prerelease or any(other > version for other in final) else "true"


@dataclass(frozen=True)
class Publishing:
    """Reads everything back once more, then publishes. Raises ``AssetWrong`` and ``TagElsewhere``; then nothing is public."""

    work: Work
    draft: Release | None
    title: str = "publishing"

    def run(self) -> Release | None:
        work = self.work
        m = work.materials
        public = [release.tag for release in work.repository.releases() if not release.draft]
        latest = make_latest(m.tag, public)
        words = "as a prerelease" if m.prerelease else "as the latest" if latest == "true" else "not as the latest"
        if work.dry or self.draft is None:
            work.did("publish", "would", words)
            return None
        draft = self.draft
        if confirmed_tag(work) is None:
            raise NotSeen(f"the tag {m.tag} is not on GitHub any more", remedy="Run the same command again.")
        wrong = missing_or_wrong(work, draft, work.files)
        if wrong:
            raise AssetWrong(f"not published: {'; '.join(wrong)}", remedy="Run the same command again.")

        def look() -> Release | None:
            found = work.repository.release(draft.id)
            return found if found is not None and not found.draft else None

        changes = {"draft": False, "prerelease": m.prerelease, "make_latest": latest, "tag_name": m.tag}
        release, made = ensure(
            look, lambda: work.repository.edit_release(draft.id, changes), "the publication", work.clock
        )
        work.did("publish", "made" if made else "there", f"{words}, {release.url}")
        return release

    def summary(self, result: Release | None) -> str:
        return result.url if result else "would publish"


@dataclass(frozen=True)
class Comparing:
    """A published release against this one. It is never touched. Raises ``AlreadyDifferent`` with what differs."""

    work: Work
    release: Release
    title: str = "comparing with the published release"

    def run(self) -> Release:
        work, m = self.work, self.work.materials
        tag = confirmed_tag(work)
        differing = [] if tag else [f"the tag {m.tag} is gone"]
        if self.release.prerelease != m.prerelease:
            differing.append(f"it is {'a prerelease' if self.release.prerelease else 'no prerelease'}")
        there = {asset.name: asset for asset in work.repository.assets(self.release.id)}
        # checksums.txt is read for what it says: a report kept on one machine only is in it or not.
        asked = [f for f in work.files if f.name != CHECKSUMS and not (f.optional and f.name not in there)]
        differing += missing_or_wrong(work, self.release, asked)
        if CHECKSUMS in there:
            stated = parse_checksums(work.repository.download(there[CHECKSUMS], _MOST_CHECKSUMS_BYTES))
            differing += [
                f"{CHECKSUMS} has another digest of {f.name}"
                for f in asked
                if f.name != SIGNATURE and stated.get(f.name) != f.sha256
            ]
        else:
            differing.append(f"{CHECKSUMS} is missing")
        if differing:
            raise AlreadyDifferent(
                f"{m.tag} is published, and differs from this release: {'; '.join(differing)}",
                remedy="Release this as a new version. If the published one is wrong, say so there and supersede it.",
            )
        work.did("publish", "there", f"already released, {self.release.url}")
        return self.release

    def summary(self, result: Release) -> str:
        return f"already released: {result.url}"
