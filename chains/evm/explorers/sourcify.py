"""Sourcify's API, version 2.

Source: docs.sourcify.dev, API; the server's OpenAPI document (argotorg/sourcify, services/server). Its matches are words of
its own: ``exact_match`` includes the metadata hash, ``match`` does not, and the true source later replaces the second by
the first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from chains.evm.explorers.asking import Reply, Service
from chains.evm.explorers.base import ExplorerStopped, Submission, Ticket, TryLater, Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.jsontext import read_json

__all__ = ["Sourcify"]

_JSON = {"Content-Type": "application/json"}
_TICKET = re.compile(r"[A-Za-z0-9_-]{1,100}")
# A job that ends so says nothing of the source: the service could not read the chain, or failed itself.
_NOT_THE_SOURCE = {
    "contract_not_deployed",
    "cannot_fetch_bytecode",
    "internal_error",
    "rpc_error",
    "job_not_found",
}
# More sources do not mend these.
_NOT_THE_INPUT = {"unsupported_language", "invalid_parameter", "invalid_json", "unsupported_compiler_version"}


@dataclass
class Sourcify:
    """One Sourcify server for one chain. It has no key, and finds implementations of proxies by itself."""

    name: str
    url: str = field(repr=False)
    chain_id: int
    bucket: TokenBucket
    page: str | None = None
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
        reply = self._service.ask("GET", f"/v2/contract/{self.chain_id}/{address}?fields=compilation")
        body = self._body(reply)
        match = body.get("match")
        if match is None and (reply.status == 404 or (reply.status == 200 and "match" in body)):
            return Verdict("unknown", "its source is not shown")
        if reply.status != 200:
            raise TryLater(self._said(body, reply))
        if match not in {"exact_match", "match"}:
            raise TryLater(f"{self._service.label}: an answer of another shape")
        found = [] if match == "exact_match" else ["it shows a match without the metadata"]
        found += _differences(body.get("compilation"), expected)
        reason, page = self._service.clean("; ".join(found)), self._page(address)
        return Verdict("exact" if match == "exact_match" else "partial", reason, page)

    def submit(self, submission: Submission) -> Ticket | Verdict:
        try:
            standard_json = read_json(submission.standard_json)
        except ValueError:
            return Verdict("failed", "the compiler's input is not JSON")
        body = {
            "stdJsonInput": standard_json,
            "compilerVersion": submission.compiler.removeprefix("v"),
            "contractIdentifier": submission.contract,
        }
        if submission.creation_transaction:
            body["creationTransactionHash"] = submission.creation_transaction
        path = f"/v2/verify/{self.chain_id}/{submission.address}"
        reply = self._service.ask("POST", path, json.dumps(body, separators=(",", ":")).encode(), _JSON)
        answer = self._body(reply)
        ticket = answer.get("verificationId")
        if reply.status in {200, 202} and isinstance(ticket, str) and _TICKET.fullmatch(ticket):
            return Ticket(ticket)
        code, said = _code(answer), self._said(answer, reply)
        if code == "already_verified":
            return Verdict("already", said)
        if code == "duplicate_verification_request":
            return Verdict("pending", said)
        if reply.status in {400, 409, 413}:
            return Verdict("failed", said)
        raise TryLater(said, maybe_taken=reply.status in {200, 202})

    def poll(self, ticket: Ticket) -> Verdict:
        reply = self._service.ask("GET", f"/v2/verify/{quote(ticket.id, safe='')}")
        body = self._body(reply)
        if _code(body) == "job_not_found":
            return Verdict("unknown", self._said(body, reply))
        done, error, contract = body.get("isJobCompleted"), body.get("error"), body.get("contract")
        if reply.status != 200 or not isinstance(done, bool):
            raise TryLater(self._said(body, reply))
        if not done:
            return Verdict("pending", "it is being compiled")
        if isinstance(error, Mapping):
            return self._failed(error, reply)
        match = contract.get("match") if isinstance(contract, Mapping) else None
        if match in {"exact_match", "match"}:
            return Verdict("exact" if match == "exact_match" else "partial")
        return Verdict("unknown", "the job ended without a match and without an error")

    def look_link(self, proxy: str, implementation: str) -> Verdict:
        return Verdict("unknown", "it finds implementations by itself")

    def link(self, proxy: str, implementation: str) -> Ticket | Verdict:
        return Verdict("unknown", "it finds implementations by itself")

    def poll_link(self, ticket: Ticket) -> Verdict:
        return Verdict("unknown", "it finds implementations by itself")

    def _failed(self, error: Mapping[str, Any], reply: Reply) -> Verdict:
        """What a job that ended with an error means. A child of a factory, sent a second time, ends as already verified."""
        code, said = _code(error), self._said(error, reply)
        if code == "already_verified":
            return Verdict("already", said)
        if code in _NOT_THE_SOURCE:
            return Verdict("unknown", said)
        return Verdict("failed", said, mismatch=code not in _NOT_THE_INPUT)

    def _body(self, reply: Reply) -> Mapping[str, Any]:
        """The object of a reply. Raises ``TryLater`` and ``ExplorerStopped`` for what is said about the asking."""
        if not isinstance(reply.value, dict):
            raise TryLater(f"{self._service.label}: an answer of another shape", maybe_taken=True)
        code = _code(reply.value)
        if code == "unsupported_chain":
            raise ExplorerStopped(self._said(reply.value, reply))
        if reply.status == 429 and code != "duplicate_verification_request":
            raise self._service.too_often()
        return reply.value

    def _said(self, body: Mapping[str, Any], reply: Reply) -> str:
        code, message = _code(body), body.get("message")
        parts = [code, message if isinstance(message, str) else ""]
        text = ": ".join(p for p in parts if p)
        return self._service.clean(text) if text else f"{self._service.label}: HTTP {reply.status}, without a reason"

    def _page(self, address: str) -> str | None:
        return self.page.replace("{address}", address) if self.page else None


def _code(body: Mapping[str, Any]) -> str:
    code = body.get("customCode")
    return code if isinstance(code, str) else ""


def _differences(compilation: Any, expected: Submission | None) -> list[str]:
    if not isinstance(compilation, Mapping) or expected is None:
        return []
    found = []
    shown, compiler = compilation.get("fullyQualifiedName"), compilation.get("compilerVersion")
    if isinstance(shown, str) and shown != expected.contract:
        found.append(f"it shows {shown}, not {expected.contract}")
    if isinstance(compiler, str) and compiler.removeprefix("v") != expected.compiler.removeprefix("v"):
        found.append(f"it shows the compiler {compiler}, not {expected.compiler}")
    return found
