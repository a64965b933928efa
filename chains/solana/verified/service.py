"""A service that builds a program again and says whether it came out the same: verify.osec.io, and what speaks its protocol.

It is asked as the explorers of EVM chains are (``chains.evm.explorers.base``), so that the same course and the same journal rows
carry it: a ticket is on disk before it is polled, and the verdict is what `/status` shows, never the job's word.

Source: otter-sec/solana-verified-programs-api, its README and the shapes of its answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.evm.explorers.asking import Reply, Service
from chains.evm.explorers.base import ExplorerStopped, Submission, Ticket, TryLater, Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.errands import Source

__all__ = ["ProgramBuild", "VerifiedBuilds", "errand_of"]

_JSON = {"Content-Type": "application/json"}
_TICKET = re.compile(r"[A-Za-z0-9_-]{1,100}")
_BY_ITSELF = Verdict("unknown", "a program has no proxies")


@dataclass(frozen=True)
class ProgramBuild:
    """A program whose build was recorded by ``signer``; ``sha256`` is the bundle's (``build_hash``), which has to be what runs."""

    program: str
    signer: str
    sha256: str
    git_url: str
    commit: str

    @property
    def source(self) -> str:
        return f"{self.git_url}@{self.commit}"


def errand_of(title: str, build: ProgramBuild) -> Source:
    """What ``Publisher`` is given. The sources themselves are not handed in: the record on chain says where they are."""
    return Source(title, Submission(0, build.program, build.source, "", b"", b"", None))


@dataclass
class VerifiedBuilds:
    """One such service. ``builds`` by program: what is to be shown."""

    name: str
    url: str = field(repr=False)
    bucket: TokenBucket
    builds: Mapping[str, ProgramBuild]
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        self._service = Service(self.url.rstrip("/"), self.bucket, timeout_s=self.timeout_s)

    @property
    def label(self) -> str:
        return f"{self.name} ({self._service.label})"

    @property
    def links_proxies(self) -> bool:
        return False

    def look(self, address: str, expected: Submission | None = None) -> Verdict:
        """``exact``: these bytes, from this repository and commit; ``partial``: these bytes from somewhere else."""
        build = self.builds[address]
        body = self._body(self._service.ask("GET", f"/status/{build.program}"), want="is_verified")
        if body.get("is_verified") is not True:
            return Verdict("unknown", self._said(body) or "it does not show it as verified")
        chain, built = body.get("on_chain_hash"), body.get("executable_hash")
        if not chain == built == build.sha256:
            return Verdict("unknown", self._service.clean(f"what it shows is another build: {built}, on chain {chain}"))
        page = f"{self.url.rstrip('/')}/status/{build.program}"
        shown = str(body.get("repo_url"))
        if not _same_source(shown, build):
            return Verdict("partial", self._service.clean(f"the same bytes, built from {shown}"), page)
        return Verdict("exact", "", page)

    def submit(self, submission: Submission) -> Ticket | Verdict:
        build = self.builds[submission.address]
        asked = {"program_id": build.program, "signer": build.signer, "repository": "", "commit_hash": ""}
        reply = self._service.ask("POST", "/verify-with-signer", json.dumps(asked).encode(), _JSON)
        body = self._body(reply, want="request_id", posted=True)
        ticket = body.get("request_id")
        if isinstance(ticket, str) and _TICKET.fullmatch(ticket):
            return Ticket(ticket)
        raise TryLater(f"{self._service.label}: a ticket of another shape", maybe_taken=True)

    def poll(self, ticket: Ticket) -> Verdict:
        body = self._body(self._service.ask("GET", f"/job/{ticket.id}"), want="status")
        said = self._said(body)
        match body.get("status"):
            case "in_progress":
                return Verdict("pending", said or "it is being built")
            case "completed":
                return Verdict("exact", said)
            case "failed":
                return Verdict("failed", said or "the build failed, without a reason")
        return Verdict("unknown", said or "it does not know the job")

    def look_link(self, proxy: str, implementation: str) -> Verdict:
        return _BY_ITSELF

    def link(self, proxy: str, implementation: str) -> Ticket | Verdict:
        return _BY_ITSELF

    def poll_link(self, ticket: Ticket) -> Verdict:
        return _BY_ITSELF

    def _body(self, reply: Reply, *, want: str, posted: bool = False) -> Mapping[str, Any]:
        """The object of a reply that holds ``want``. Raises ``TryLater``, and ``ExplorerStopped`` where asking is of no use."""
        body = reply.value
        if not isinstance(body, dict):
            raise TryLater(f"{self._service.label}: an answer of another shape", maybe_taken=posted)
        if reply.status == 429:
            raise self._service.too_often()
        said = self._said(body) or f"HTTP {reply.status}, without a reason"
        if reply.status in {401, 403, 405}:
            raise ExplorerStopped(f"{self._service.label}: {said}")
        if reply.status != 200 or want not in body:
            # 404 too: the record may not have reached the node it reads.
            raise TryLater(f"{self._service.label}: {said}", maybe_taken=posted and reply.status == 200)
        return body

    def _said(self, body: Mapping[str, Any]) -> str:
        text = body.get("error") or body.get("message")
        return self._service.clean(text) if isinstance(text, str) else ""


def _same_source(shown: str, build: ProgramBuild) -> bool:
    """``repo/tree/COMMIT``, or in older answers ``repo/commit/COMMIT``."""
    repository = build.git_url.rstrip("/").removesuffix(".git")
    return shown in {f"{repository}/tree/{build.commit}", f"{repository}/commit/{build.commit}"}
