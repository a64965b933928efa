"""A test explorer that speaks Sourcify's v2 API, and matches with Sourcify's own library.

Source: docs.sourcify.dev, API v2 (its OpenAPI document).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from chains.evm.address import checksum
from tests.support.explorers.compiling import Refusal, Worker
from tests.support.explorers.desk import Desk, Held, Job, desk
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.matching import Mismatch, Source
from tests.support.explorers.serving import Reply, Request, Service, json_reply, serve

__all__ = ["SourcifyServer", "sourcify"]

_SUBMIT = re.compile(r"/v2/verify/(\d+)/(0x[0-9a-fA-F]{40})/?")
_JOB = re.compile(r"/v2/verify/([0-9a-f-]{36})/?")
_CONTRACT = re.compile(r"/v2/contract/(\d+)/(0x[0-9a-fA-F]{40})/?")
_WORDS = {"exact": "exact_match", "partial": "match", None: None}
_LEVELS: dict[str | None, Literal["exact", "partial"] | None] = {"exact_match": "exact", "match": "partial", None: None}


class _BadRequest(Exception):
    pass


@dataclass
class SourcifyServer:
    """Calls are ``submit``, ``job`` and ``contract``. ``finds_creation``: it looks the creation up when it is not told."""

    desk: Desk
    finds_creation: bool = True

    def read(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Request:
        submit, contract = _SUBMIT.fullmatch(path), _CONTRACT.fullmatch(path)
        if (found := submit or contract) and (method == "POST") == bool(submit):
            call = "submit" if submit else "contract"
            return Request(call, method, path, fields, body, None, int(found[1]), found[2])
        return Request("job" if _JOB.fullmatch(path) else "", method, path, fields, body)

    def too_often(self) -> Reply:
        return json_reply({"error": "You are sending too many verification requests, please slow down"}, 429)

    def in_queue(self) -> Reply:
        return _error(429, "duplicate_verification_request", "The contract is already being verified")

    def handle(self, request: Request) -> Reply:
        if request.call == "job":
            return self._job(request)
        if request.call == "contract":
            return self._contract(request)
        if request.call == "submit":
            return self._submit(request)
        return _error(404, "route_not_found", "The requested resource was not found")

    def _submit(self, request: Request) -> Reply:
        chain_id, address = request.chain_id or 0, request.address or ""
        if chain_id not in self.desk.chains:
            return _error(400, "unsupported_chain", f"The chain with chainId {chain_id} is not supported")
        try:
            source, creation = _read(request.body)
        except _BadRequest as error:
            return _error(400, "invalid_parameter", str(error))
        except ValueError:
            return _error(400, "invalid_json", "Malformed JSON in request body")
        held = self.desk.look(chain_id, address)
        if held and held.runtime == held.creation == "exact":
            message = (
                f"Contract {address} is already verified on chain {chain_id} with runtimeMatch and creationMatch both"
            )
            return _error(409, "already_verified", f"{message} exact_match")
        job = self.desk.submit("00000000-0000-4000-8000-{n:012x}", chain_id, address, source, creation)
        return json_reply({"verificationId": job.id}, 202) if job else self.in_queue()

    def _job(self, request: Request) -> Reply:
        job = self.desk.poll(request.path.strip("/").rpartition("/")[2])
        if job is None:
            return _error(404, "job_not_found", "No verification job found")
        answer: dict[str, Any] = {"isJobCompleted": job.published, "verificationId": job.id}
        contract: dict[str, Any] = {**_NO_MATCH, "chainId": str(job.chain.id), "address": job.address}
        if job.published and isinstance(job.ended, Held):
            contract |= _match(job.ended)
        elif job.published and isinstance(job.ended, Mismatch):
            answer["error"] = {"customCode": job.ended.code, "message": str(job.ended), "errorId": "0"}
        return json_reply({**answer, "contract": contract})

    def _contract(self, request: Request) -> Reply:
        chain_id, address = request.chain_id or 0, checksum(request.address or "")
        if chain_id not in self.desk.chains:
            return _error(400, "unsupported_chain", f"The chain with chainId {chain_id} is not supported")
        held = self.desk.look(chain_id, address)
        found: dict[str, Any] = {**_NO_MATCH, "chainId": str(chain_id), "address": address}
        if held is None:
            return json_reply(found, 404)
        every = {
            "abi": held.abi,
            "sources": held.source.standard_json["sources"],
            "stdJsonInput": held.source.standard_json,
            "compilation": {
                "language": "Solidity",
                "compiler": "solc",
                "compilerVersion": held.source.compiler.removeprefix("v"),
                "compilerSettings": held.source.standard_json.get("settings", {}),
                "name": held.source.name,
                "fullyQualifiedName": held.source.contract,
            },
        }
        wanted = request.fields.get("fields", "").split(",")
        if unknown := [name for name in wanted if name and name != "all" and name.partition(".")[0] not in every]:
            return _error(400, "invalid_parameter", f"Field selector {unknown[0]} is not a valid field")
        chosen = every if "all" in wanted else {n: every[n] for n in {w.partition(".")[0] for w in wanted} if n}
        return json_reply({**found, **_match(held), **chosen})


_NO_MATCH = {"match": None, "creationMatch": None, "runtimeMatch": None}


def _match(held: Held) -> dict[str, Any]:
    words = {"creationMatch": _WORDS[held.creation], "runtimeMatch": _WORDS[held.runtime]}
    return {"match": _WORDS[held.kind], **words, "verifiedAt": "2026-01-01T00:00:00Z", "matchId": "1"}


def _error(status: int, code: str, message: str) -> Reply:
    return json_reply({"customCode": code, "message": message, "errorId": "0"}, status)


def _read(body: bytes) -> tuple[Source, str | None]:
    document = json.loads(body)
    if not isinstance(document, dict):
        raise _BadRequest("request/body must be object")
    standard_json, compiler = document.get("stdJsonInput"), document.get("compilerVersion")
    contract, creation = document.get("contractIdentifier"), document.get("creationTransactionHash")
    if not isinstance(standard_json, dict) or not standard_json.get("sources") or "language" not in standard_json:
        raise _BadRequest("Standard JSON input must contain a language and sources")
    if not isinstance(contract, str) or ":" not in contract:
        raise _BadRequest(
            "The contractIdentifier must consist of the file path and the contract name separated by a ':'"
        )
    if not isinstance(compiler, str) or not re.fullmatch(r"v?\d+\.\d+\.\d+\+commit\.[0-9a-f]{8}", compiler):
        raise _BadRequest("Invalid compilerVersion: the long version with the commit is needed")
    if creation is not None and not re.fullmatch("0x[0-9a-fA-F]{64}", str(creation)):
        raise _BadRequest("Invalid creationTransactionHash")
    return Source(contract, compiler, standard_json, b""), creation


def _judge(worker: Worker, server: SourcifyServer, job: Job) -> Held:
    if not job.indexed:
        message = f"Chain #{job.chain.id} does not have a contract deployed at {job.address}."
        raise Mismatch(message, "contract_not_deployed")
    made = job.chain.creation(job.address)
    creation = job.creation or (made.transaction if made and server.finds_creation else None)
    source, address = job.source, checksum(job.address)
    try:
        runtime, created = worker.match(
            (job.chain.id, job.chain.url),
            address,
            (source.path, source.name),
            source.compiler,
            source.standard_json,
            creation,
        )
        output = worker.compile(source.compiler, source.standard_json)
    except Refusal as refused:
        raise Mismatch(refused.message, refused.code) from None
    levels = (_LEVELS[runtime], _LEVELS[created])
    abi = output["contracts"][source.path][source.name]["abi"]
    held = Held(source, "exact" if "exact" in levels else "partial", b"", abi, *levels)
    before = server.desk.shown.get((job.chain.id, job.address.lower()))
    if before and held.exactness <= before.exactness:
        message = f"The contract {address} on chainId {job.chain.id} is already verified"
        raise Mismatch(message, "already_verified")
    return held


@contextmanager
def sourcify(
    worker: Worker, chains: Mapping[int, IndexedChain], *, rate_per_s: int | None = None, seed: int = 0
) -> Iterator[tuple[Service, SourcifyServer]]:
    """A running Sourcify of these chains."""
    worker.need_library()
    servers: list[SourcifyServer] = []
    with desk(chains, lambda job: _judge(worker, servers[0], job)) as staffed:
        server = SourcifyServer(staffed)
        servers.append(server)
        with serve(server, rate_per_s=rate_per_s, seed=seed) as service:
            yield service, server
