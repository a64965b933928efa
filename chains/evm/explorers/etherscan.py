"""Etherscan's V2 API, and its dialect as Blockscout and Etherscan-like explorers speak it.

Source: docs.etherscan.io, API endpoints, Contracts; Blockscout's RPC API, module ``contract``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import urlencode

from chains.evm.explorers.asking import Service
from chains.evm.explorers.base import ExplorerStopped, Submission, Ticket, TryLater, Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.etherscan_words import is_ticket, may_lack_sources, meaning, words
from chains.evm.explorers.shown import differences, is_verified, similar_to

__all__ = ["Etherscan"]

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_OF_THE_KEY = "the API key is not accepted"


@dataclass
class Etherscan:
    """One explorer for one chain.

    ``chain_in_query`` for Etherscan's V2 API, where one address serves all chains. ``links_proxies`` where it must be told
    of implementations (Blockscout finds them by itself). ``page`` is a page for people, with ``{address}`` in it.
    """

    name: str
    url: str = field(repr=False)
    chain_id: int
    bucket: TokenBucket
    api_key: str | None = field(default=None, repr=False)
    chain_in_query: bool = True
    links_proxies: bool = True
    page: str | None = None
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        self._service = Service(self.url, self.bucket, self.api_key, self.timeout_s)

    @property
    def label(self) -> str:
        return f"{self.name} ({self._service.label})"

    def look(self, address: str, expected: Submission | None = None) -> Verdict:
        shown = self._shown(address)
        if shown is None or not is_verified(shown):
            return Verdict("unknown", "its source is not shown")
        page = self._page(address)
        if similar := similar_to(shown):
            return Verdict(
                "partial", self._service.clean(f"it shows the source of {similar}, whose code is similar"), page
            )
        if expected is None:
            return Verdict("partial", "it does not tell whether the metadata matches too", page)
        found = differences(shown, expected)
        return Verdict("partial" if found else "exact", self._service.clean("; ".join(found)), page)

    def submit(self, submission: Submission) -> Ticket | Verdict:
        arguments = submission.arguments.hex()
        form = {
            "module": "contract",
            "action": "verifysourcecode",
            "codeformat": "solidity-standard-json-input",
            "sourceCode": submission.standard_json.decode("utf-8"),
            "contractaddress": submission.address,
            "contractname": submission.contract,
            "compilerversion": submission.compiler,
            "constructorArguements": arguments,  # Etherscan's spelling
            "constructorArguments": arguments,  # the only one Blockscout reads
            "licenseType": str(submission.license_number),
        }
        return self._ticket(form)

    def poll(self, ticket: Ticket) -> Verdict:
        return self._poll("checkverifystatus", ticket)

    def look_link(self, proxy: str, implementation: str) -> Verdict:
        shown = self._shown(proxy) or {}
        behind = shown.get("Implementation") or shown.get("ImplementationAddress")
        if not isinstance(behind, str) or not behind:
            return Verdict("unknown", "it shows no implementation")
        if behind.lower() == implementation.lower():
            return Verdict("exact", "", self._page(proxy))
        return Verdict("unknown", self._service.clean(f"it shows the implementation {behind}"))

    def link(self, proxy: str, implementation: str) -> Ticket | Verdict:
        form = {
            "module": "contract",
            "action": "verifyproxycontract",
            "address": proxy,
            "expectedimplementation": implementation,
        }
        return self._ticket(form)

    def poll_link(self, ticket: Ticket) -> Verdict:
        return self._poll("checkproxyverification", ticket)

    def _shown(self, address: str) -> Mapping[str, Any] | None:
        """The first entry of ``getsourcecode``; ``None`` when the service says that there is none."""
        value = self._get({"module": "contract", "action": "getsourcecode", "address": address})
        result = value.get("result")
        if isinstance(result, list) and result and isinstance(result[0], Mapping):
            return result[0]
        text = words(value)
        if text is None:
            if result in (None, [], ""):
                return None
            raise TryLater(f"{self._service.label}: an answer of another shape")
        self._raise_if_no_answer(text)
        if meaning(text) in {"other", "not indexed"}:
            return None
        raise TryLater(self._service.clean(text))

    def _ticket(self, form: Mapping[str, str]) -> Ticket | Verdict:
        """Hand in ``form``. Only a word that says so is taken for a refusal: a reply we cannot read is no answer."""
        value = self._post(form)
        text = words(value)
        if text is None:
            raise TryLater(f"{self._service.label}: an answer of another shape", maybe_taken=True)
        self._raise_if_no_answer(text)
        meant, said = meaning(text), self._service.clean(text)
        if meant == "not indexed":
            raise TryLater(said)
        if meant == "later":
            raise TryLater(said, maybe_taken=True)
        if meant == "already":
            return Verdict("already", said)
        if meant == "pending":
            return Verdict("pending", said)
        if meant == "other" and is_ticket(text.strip()):
            return Ticket(text.strip())
        return Verdict("failed", said, mismatch=may_lack_sources(text))

    def _poll(self, action: str, ticket: Ticket) -> Verdict:
        value = self._get({"module": "contract", "action": action, "guid": ticket.id})
        text = words(value)
        if text is None:
            raise TryLater(f"{self._service.label}: an answer of another shape")
        self._raise_if_no_answer(text)
        meant, said = meaning(text), self._service.clean(text)
        if meant == "pending":
            return Verdict("pending", said)
        if meant in {"passed", "already"}:
            return Verdict("already" if meant == "already" else "exact", said)
        if meant == "no ticket":
            return Verdict("unknown", said)
        # Of a job that is said not to find its contract nobody knows whether it is over; one bare word says nothing.
        if meant in {"later", "not indexed"} or is_ticket(text.strip()):
            raise TryLater(said)
        return Verdict("failed", said, mismatch=may_lack_sources(text))

    def _raise_if_no_answer(self, text: str) -> None:
        """Raise for what is said about the asking, and not about what was asked."""
        meant = meaning(text)
        if meant == "too often":
            raise self._service.too_often()
        if meant == "key":
            self._refused(text)
        if meant == "stopped":
            raise ExplorerStopped(self._service.clean(text))

    def _refused(self, text: str) -> NoReturn:
        """Over five uses of a wrong key in 30 s block the caller: nobody who shares the key asks any more."""
        reason = f"{self._service.label}: {_OF_THE_KEY}: {self._service.clean(text)}"
        self.bucket.stop(reason)
        raise ExplorerStopped(reason)

    def _get(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        return self._answer("GET", {**self._chain(), **query, **self._key()}, None)

    def _post(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        return self._answer("POST", self._chain(), urlencode({**form, **self._key()}).encode())

    def _answer(self, method: str, query: Mapping[str, str], body: bytes | None) -> Mapping[str, Any]:
        path = self._service.joint + urlencode(query) if query else ""
        reply = self._service.ask(method, path, body, _FORM if body is not None else None)
        if not isinstance(reply.value, dict):
            raise TryLater(f"{self._service.label}: an answer of another shape", maybe_taken=True)
        if words(reply.value) is None and reply.status == 429:
            raise self._service.too_often()
        return reply.value

    def _chain(self) -> dict[str, str]:
        return {"chainid": str(self.chain_id)} if self.chain_in_query else {}

    def _key(self) -> dict[str, str]:
        return {"apikey": self.api_key} if self.api_key else {}

    def _page(self, address: str) -> str | None:
        return self.page.replace("{address}", address) if self.page else None
