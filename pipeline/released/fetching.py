"""A published release, downloaded: every asset once, held against the digest GitHub states."""

from __future__ import annotations

from pathlib import Path

from chains.base import Clock
from chains.canonical import sha256_hex
from pipeline.github.access import find_access
from pipeline.github.client import Client
from pipeline.github.errors import TokenMissing
from pipeline.github.place import Place, find_place
from pipeline.github.repository import Repository
from pipeline.manifest.release_spec import GithubSpec
from pipeline.released.errors import ReleaseMissing, ReleaseUnreadable
from pipeline.released.package import MOST_BYTES, MOST_FILES, Package
from pipeline.ui.base import Ui

__all__ = ["fetch_package", "open_repository"]


def open_repository(
    root: Path, spec: GithubSpec, remote: str, ui: Ui, clock: Clock, *, anonymous: bool = False
) -> Repository:
    """The repository a release is published in. ``anonymous``: without a token it is asked as anybody may."""
    place: Place = find_place(root, spec, remote)
    try:
        auth, found = find_access(root, spec, place)
    except TokenMissing:
        if not anonymous:
            raise
        auth, found = None, "anybody"
    ui.note(f"{place.repository} at {place.api_url}, as {found}")
    return Repository(Client(place.api_url, auth, clock=clock), place.repository)


def fetch_package(repository: Repository, tag: str, ui: Ui) -> Package:
    """Raises ``ReleaseMissing``, ``ReleaseUnreadable``, and what GitHub's client raises."""
    if repository.about() is None:
        raise ReleaseMissing(
            f"GitHub shows no repository {repository.name}",
            remedy="Check the name. A private one needs a token that may read it, in GITHUB_TOKEN.",
        )
    found = [release for release in repository.releases() if release.tag == tag and not release.draft]
    if not found:
        raise ReleaseMissing(
            f"{repository.name} has no published release {tag}",
            remedy=f"See {repository.name}'s releases. A draft is published by `ship release`.",
        )
    release = found[0]
    assets = repository.assets(release.id)
    if len(assets) > MOST_FILES or sum(asset.size for asset in assets) > MOST_BYTES:
        raise ReleaseUnreadable(
            f"{tag} has too many or too large files", remedy="It is not one of ship's. See it there."
        )
    files: dict[str, bytes] = {}
    wrong: dict[str, str] = {}
    for asset in assets:
        if asset.name in files:
            wrong[asset.name] = "it is there twice"
            continue
        ui.item(asset.name, "downloading", f"{asset.size:,} bytes")
        data = files[asset.name] = repository.download(asset, asset.size)
        if not asset.whole or len(data) != asset.size:
            wrong[asset.name] = f"{len(data):,} bytes came, GitHub says {asset.size:,}"
        elif asset.sha256 is not None and asset.sha256 != sha256_hex(data):
            wrong[asset.name] = f"its sha256 is {sha256_hex(data)[:12]}, GitHub says {asset.sha256[:12]}"
    at = repository.tag(tag)
    return Package(tag, f"{repository.name} on GitHub", files, at.commit if at else None, wrong)
