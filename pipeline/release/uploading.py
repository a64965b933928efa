"""The assets of our draft: each once, with the digest of its bytes. What is wrong is replaced, while it is a draft."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chains.canonical import sha256_hex
from pipeline.github.objects import Asset, Release
from pipeline.release.assets import File
from pipeline.release.ensuring import ensure
from pipeline.release.errors import AssetWrong
from pipeline.release.work import Work

__all__ = ["Uploading", "holds", "missing_or_wrong"]


def holds(work: Work, asset: Asset, file: File) -> bool:
    """Whether GitHub holds exactly these bytes: by the digest it states, else by the bytes it gives back."""
    if not asset.whole or asset.size != len(file.data):
        return False
    return (asset.sha256 or sha256_hex(work.repository.download(asset, len(file.data)))) == file.sha256


def missing_or_wrong(work: Work, release: Release, files: Iterable[File]) -> list[str]:
    """What differs between a release as GitHub shows it now and these files, in words."""
    assets = work.repository.assets(release.id)
    found = []
    for file in files:
        own = [asset for asset in assets if asset.name == file.name]
        if not own:
            found.append(f"{file.name} is missing")
        elif len(own) > 1:
            found.append(f"{file.name} is there {len(own)} times")
        elif not holds(work, own[0], file):
            found.append(f"{file.name} has other bytes")
    return found


@dataclass(frozen=True)
class Uploading:
    work: Work
    release: Release | None
    title: str = "uploading assets"

    def run(self) -> int:
        work = self.work
        assets = work.repository.assets(self.release.id) if self.release else []
        known = {file.name for file in work.files}
        for stranger in (asset for asset in assets if asset.name not in known):
            work.ui.note(f"the draft has an asset that is not ours, left alone: {stranger.name}")
        return sum(self._one(file, [asset for asset in assets if asset.name == file.name]) for file in work.files)

    def _one(self, file: File, there: list[Asset]) -> bool:
        """Whether it was sent in this run."""
        work = self.work
        right = next((asset for asset in there if holds(work, asset, file)), None)
        wrong = [asset for asset in there if asset is not right]
        detail = f"{len(file.data):,} bytes, sha256 {file.sha256[:12]}"
        if work.dry or self.release is None:
            work.did(file.name, "there" if right and not wrong else "would", detail)
            return False
        for asset in wrong:
            self._delete(self.release, asset)
        if right is None:
            self._send(self.release, file)
        work.did(file.name, "there" if right else "made", detail)
        return right is None

    def _send(self, release: Release, file: File) -> None:
        """A second attempt where the first left an asset cut short; then a person's next run is the third."""
        repository = self.work.repository

        def look() -> Asset | None:
            return next((asset for asset in repository.assets(release.id) if asset.name == file.name), None)

        for _ in range(2):
            asset, _made = ensure(
                look,
                lambda: repository.upload(release, file.name, file.content_type, file.data),
                f"the asset {file.name}",
                self.work.clock,
            )
            if holds(self.work, asset, file):
                return
            self._delete(release, asset)
        raise AssetWrong(
            f"GitHub does not keep {file.name} as it was sent: the digest differs", remedy="Run the same command again."
        )

    def _delete(self, release: Release, asset: Asset) -> None:
        repository = self.work.repository

        def gone() -> bool | None:
            return True if all(other.id != asset.id for other in repository.assets(release.id)) else None

        ensure(gone, lambda: repository.delete_asset(asset.id), f"the deletion of {asset.name}", self.work.clock)

    def summary(self, result: int) -> str:
        total = len(self.work.files)
        return f"{total} would be there" if self.work.dry else f"{total} there, {result} sent now"
