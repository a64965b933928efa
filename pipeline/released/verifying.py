"""``ship verify-release``: a release, re-proven by somebody who has nothing of the project but what it published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Clock, SystemClock
from chains.chain_data import chain_facts
from chains.errors import Refused
from pipeline.manifest.release_spec import GithubSpec
from pipeline.records.findings import Finding, RecordFindings, State, exit_code
from pipeline.release.assets import CHECKSUMS
from pipeline.release.signature import SIGNATURE, release_signer
from pipeline.released.chain import chain_findings
from pipeline.released.contents import Contents, read_contents
from pipeline.released.fetching import fetch_package, open_repository
from pipeline.released.package import Package, folder_package, sums
from pipeline.ui.base import Ui

__all__ = ["Asked", "VerifiedRelease", "verify_release"]


class RpcUnclear(Refused):
    """SHIP-R42: ``--rpc`` does not say which target an endpoint is for."""

    code = "SHIP-R42"


@dataclass(frozen=True)
class Asked:
    """``rpc`` holds TARGET=URL texts; ``signer`` is the address whose signature the release has to carry."""

    tag: str
    folder: Path | None = None
    github: GithubSpec | None = None
    remote: str = "origin"
    rpc: tuple[str, ...] = ()
    signer: str | None = None


@dataclass(frozen=True)
class VerifiedRelease:
    """``files`` are the findings about the release itself, ``records`` those of each record."""

    tag: str
    origin: str
    commit: str | None
    signer: str | None
    release: RecordFindings
    records: Sequence[RecordFindings]

    @property
    def exit_code(self) -> int:
        return exit_code([self.release, *self.records])

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/verified-release",
            "tag": self.tag,
            "origin": self.origin,
            "commit": self.commit,
            "signer": self.signer,
            "proven": self.exit_code == 0,
            "release": [finding.to_json() for finding in self.release.findings],
            "records": [record.to_json() for record in self.records],
        }


def verify_release(root: Path, asked: Asked, ui: Ui, clock: Clock | None = None) -> VerifiedRelease:
    """What is wrong is a finding. Raises ``ReleaseMissing``, ``RpcUnclear``, and what GitHub's client raises."""
    clock = clock or SystemClock()
    tag = f"v{asked.tag.removeprefix('v')}"
    endpoints = dict(_endpoint(text) for text in asked.rpc)
    if asked.folder is not None:
        package = folder_package(asked.folder, tag)
    else:
        repository = open_repository(root, asked.github or GithubSpec(), asked.remote, ui, clock, anonymous=True)
        package = fetch_package(repository, tag, ui)
    with tempfile.TemporaryDirectory(prefix="ship-release-") as folder:
        contents = read_contents(package, Path(folder))
        signer, signed = _signature(package, asked.signer)
        own = [*sums(package), *contents.findings, signed]
        records = [
            RecordFindings(r.name, tag, r.target, tuple(_chain(r.record, contents, endpoints, clock)))
            for r in contents.records
        ]
    release = RecordFindings("release", tag, "", tuple(own))
    return VerifiedRelease(tag, package.origin, contents.commit, signer, release, records)


def _endpoint(text: str) -> tuple[str, str]:
    target, equals, url = text.partition("=")
    if not equals or not target or "://" not in url:
        raise RpcUnclear("an endpoint is written TARGET=URL", remedy="As --rpc base=https://mainnet.base.org.")
    return target, url


def _chain(
    record: Mapping[str, Any], contents: Contents, endpoints: Mapping[str, str], clock: Clock
) -> Iterator[Finding]:
    target = str(record["target"])
    url = endpoints.get(target) or _public(record)
    if url is None:
        yield Finding(
            "chain", "endpoint", "unanswered", f"none is known for {target}: name one with --rpc {target}=URL"
        )
        return
    yield from chain_findings(record, contents.bundles.get(str(record["bundle"])), [url], clock, still=False)


def _public(record: Mapping[str, Any]) -> str | None:
    """The chain's public endpoint: by name, and of that very chain id."""
    try:
        facts = chain_facts(str(record["chain"]["name"]))
    except KeyError:
        return None
    return facts.rpc_url if facts.chain_id == record["chain"]["id"] and not facts.local else None


def _signature(package: Package, pinned: str | None) -> tuple[str | None, Finding]:
    """Who signed, and what that is worth: without a pinned address anybody can sign what they changed."""
    data, checksums = package.files.get(SIGNATURE), package.files.get(CHECKSUMS, b"")
    if data is None:
        state: State = "missing" if pinned else "note"
        return None, Finding("signatures", SIGNATURE, state, "the release is not signed")
    try:
        signer = release_signer(data, package.tag, checksums)
    except ValueError as error:
        return None, Finding("signatures", SIGNATURE, "failed", str(error))
    if pinned is None:
        detail = f"signed by {signer}; name the address you expect with --signer"
        return signer, Finding("signatures", SIGNATURE, "note", detail)
    if signer.lower() != pinned.lower():
        return signer, Finding("signatures", SIGNATURE, "failed", f"signed by {signer}, not by {pinned}")
    return signer, Finding("signatures", SIGNATURE, "ok", f"signed by {signer}")
