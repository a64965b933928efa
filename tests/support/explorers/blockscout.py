"""A test explorer that speaks Blockscout's form of the Etherscan dialect: one chain, no key needed.

Source: docs.blockscout.com, RPC API, module contract; Blockscout's RPC contract controller. Its oddities: a failure has status
1, ``constructorArguements`` is not read, an answer without a result has its words in ``message``, sources are shown file by file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.explorers.compiling import Worker
from tests.support.explorers.desk import Desk, Held, desk
from tests.support.explorers.forms import FormError, address_in, answer, judge_as_etherscan, read_source
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.proxies import implementation_of
from tests.support.explorers.serving import Reply, Request, Service, json_reply, serve

__all__ = ["BlockscoutServer", "blockscout"]


@dataclass
class BlockscoutServer:
    """``key``: the only one that is let in; without it everybody is."""

    desk: Desk
    chain: IndexedChain
    key: str | None = None

    def read(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Request:
        key, address = fields.get("apikey") or None, address_in(fields)
        return Request(fields.get("action", ""), method, path, fields, body, key, self.chain.id, address)

    def too_often(self) -> Reply:
        return json_reply({"message": "Too many requests"}, 429)

    def in_queue(self) -> Reply:
        return answer("Pending in queue")

    def handle(self, request: Request) -> Reply:
        if self.key is not None and request.key != self.key:
            return _error("Invalid API Key")
        calls = {
            "verifysourcecode": self._verify,
            "checkverifystatus": self._check,
            "getsourcecode": self._source,
            "getabi": self._abi,
            "getcontractcreation": self._creation,
        }
        call = calls.get(request.call)
        if call is None or request.fields.get("module") != "contract":
            return json_reply({"status": "0", "message": "Unknown action", "result": None}, 400)
        return call(request)

    def _verify(self, request: Request) -> Reply:
        try:
            source = read_source(request, "constructorArguments")
        except FormError as error:
            return _error(str(error))
        address = request.fields["contractaddress"]
        if not self.desk.indexed(self.chain.id, address) or not self.chain.code(address):
            return _error("The address is not a smart contract")
        held = self.desk.look(self.chain.id, address)
        if held and held.kind == "exact":  # a partial match may be bettered
            return _error("Smart-contract already verified.")
        name = address.lower().removeprefix("0x") + "{n:08x}"
        job = self.desk.submit(name, self.chain.id, address, source)
        return answer(job.id) if job else self.in_queue()

    def _check(self, request: Request) -> Reply:
        job = self.desk.poll(request.fields.get("guid", ""))
        if job is None:
            return answer("Unknown UID")
        if not job.published:
            return answer("Pending in queue")
        return answer("Pass - Verified" if job.passed else "Fail - Unable to verify")

    def _source(self, request: Request) -> Reply:
        address = request.address or ""
        shown: dict[str, Any] = {"Address": address}
        if held := self.desk.look(self.chain.id, address):
            shown |= _shown(held)
        if behind := implementation_of(self.chain, address):
            shown |= {"IsProxy": "true", "ImplementationAddress": behind, "ImplementationAddresses": [behind]}
        return answer([shown])

    def _abi(self, request: Request) -> Reply:
        held = self.desk.look(self.chain.id, request.address or "")
        return answer(json.dumps(held.abi)) if held else _error("Contract source code not verified")

    def _creation(self, request: Request) -> Reply:
        made = self.chain.creation(request.address or "")
        if made is None:
            return _error("No contract creation info found")
        entry = {"contractAddress": request.address, "contractCreator": made.creator, "txHash": made.transaction}
        return answer([entry])


def _error(message: str) -> Reply:
    return json_reply({"message": message, "result": None, "status": "0"})


def _shown(held: Held) -> dict[str, Any]:
    document = held.source.standard_json
    settings = document.get("settings", {})
    optimizer = settings.get("optimizer", {})
    files = {path: entry.get("content", "") for path, entry in document["sources"].items()}
    return {
        "SourceCode": files.pop(held.source.path),
        "FileName": held.source.path,
        "AdditionalSources": [{"Filename": path, "SourceCode": text} for path, text in files.items()],
        "ABI": json.dumps(held.abi),
        "ContractName": held.source.name,
        "CompilerVersion": held.source.compiler,
        "OptimizationUsed": "true" if optimizer.get("enabled") else "false",
        "OptimizationRuns": optimizer.get("runs", 200),
        "EVMVersion": settings.get("evmVersion") or "default",
        "CompilerSettings": settings,
        "ConstructorArguments": held.arguments.hex(),
        "IsProxy": "false",
    }


@contextmanager
def blockscout(
    worker: Worker, chain: IndexedChain, *, rate_per_s: int | None = None, seed: int = 0
) -> Iterator[tuple[Service, BlockscoutServer]]:
    """A running Blockscout of one chain. Its API is at ``/api`` of the service's URL."""
    with desk({chain.id: chain}, lambda job: judge_as_etherscan(worker, job)) as staffed:
        server = BlockscoutServer(staffed, chain)
        with serve(server, rate_per_s=rate_per_s, seed=seed) as service:
            yield service, server
