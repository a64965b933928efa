"""A test explorer that speaks Etherscan's V2 API: one address, ``chainid`` says which chain.

Source: docs.etherscan.io, API endpoints, Contracts. Its words are those the service was seen to use.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.explorers.compiling import Worker
from tests.support.explorers.desk import Desk, Held, desk
from tests.support.explorers.forms import FormError, address_in, answer, judge_as_etherscan, read_source
from tests.support.explorers.indexing import Creation, IndexedChain
from tests.support.explorers.proxies import implementation_of
from tests.support.explorers.serving import Reply, Request, Service, serve

__all__ = ["KEY", "EtherscanServer", "etherscan"]

KEY = "canary-etherscan-key-71334"
_UNVERIFIED = "Contract source code not verified"
_WRONG_KEYS = 5
_BLOCKED_S = 30.0


@dataclass
class EtherscanServer:
    """``keys`` that are accepted; ``refused_chains`` are left out of the keys' plan; ``similar`` shows the source of another
    contract with the same code where there is none."""

    desk: Desk
    keys: tuple[str, ...] = (KEY,)
    refused_chains: tuple[int, ...] = ()
    similar: bool = False
    links: dict[str, tuple[int, str, str | None]] = field(default_factory=dict)
    linked: dict[tuple[int, str], str] = field(default_factory=dict)
    wrong_keys: list[float] = field(default_factory=list)

    def read(self, method: str, path: str, fields: Mapping[str, str], body: bytes) -> Request:
        chain_id = fields.get("chainid", "")
        return Request(
            fields.get("action", ""),
            method,
            path,
            fields,
            body,
            key=fields.get("apikey") or None,
            chain_id=int(chain_id) if chain_id.isdigit() else None,
            address=address_in(fields),
        )

    def too_often(self) -> Reply:
        return answer("Max calls per sec rate limit reached (3/sec)", status="0")

    def in_queue(self) -> Reply:
        return answer("Contract source code already submitted, pending in queue", status="0")

    def handle(self, request: Request) -> Reply:
        if refusal := self._refusal(request):
            return answer(refusal, status="0")
        calls = {
            "verifysourcecode": self._verify,
            "checkverifystatus": self._check,
            "getsourcecode": self._source,
            "getabi": self._abi,
            "getcontractcreation": self._creation,
            "verifyproxycontract": self._link,
            "checkproxyverification": self._check_link,
        }
        call = calls.get(request.call)
        if call is None or request.fields.get("module") != "contract":
            return answer("Error! Missing Or invalid Action name", status="0")
        return call(request, self.desk.chains[request.chain_id or 0])

    def _refusal(self, request: Request) -> str | None:
        now_s = time.monotonic()
        self.wrong_keys = [at_s for at_s in self.wrong_keys if at_s > now_s - _BLOCKED_S]
        if len(self.wrong_keys) > _WRONG_KEYS:
            return "Too many invalid api key attempts, please try again later"
        if request.key not in self.keys:
            self.wrong_keys.append(now_s)
            return "Invalid API Key (#err2)" if request.key else "Missing/Invalid API Key"
        if request.chain_id in self.refused_chains:
            return (
                "Free API access is not supported for this chain. Please upgrade your api plan for full chain coverage."
            )
        if request.chain_id not in self.desk.chains:
            return "Missing or unsupported chainid parameter (required for v2 api)"
        return None

    def _verify(self, request: Request, chain: IndexedChain) -> Reply:
        try:
            source = read_source(request, "constructorArguements", "constructorArguments")
        except FormError as error:
            return answer(str(error), status="0")
        address = request.fields["contractaddress"]
        if not self.desk.indexed(chain.id, address) or not chain.code(address):
            return answer(f"Unable to locate ContractCode at {address}", status="0")
        if self.desk.look(chain.id, address):
            return answer("Contract source code already verified", status="0")
        # Fifty letters and digits, as the real one's.
        job = self.desk.submit("g{n:049d}", chain.id, address, source)
        return answer(job.id) if job else self.in_queue()

    def _check(self, request: Request, chain: IndexedChain) -> Reply:
        job = self.desk.poll(request.fields.get("guid", ""))
        if job is None:
            return answer("Error: invalid guid", status="0")
        if not job.published:
            return answer("Pending in queue", status="0")
        if job.passed:
            return answer("Pass - Verified")
        return answer(f"Fail - Unable to verify. {job.ended}", status="0")

    def _source(self, request: Request, chain: IndexedChain) -> Reply:
        address = request.address or ""
        held, similar = self.desk.look(chain.id, address), ""
        if held is None and self.similar and (twin := self._twin(chain, address)):
            similar, held = twin
        behind = self.linked.get((chain.id, address.lower()), "")
        proxy = {"Proxy": "1" if behind else "0", "Implementation": behind}
        if held is None:
            return answer([{**_NOTHING, **proxy}])
        return answer([{**_shown(held), **proxy, "SimilarMatch": similar}])

    def _twin(self, chain: IndexedChain, address: str) -> tuple[str, Held] | None:
        code = chain.code(address)
        for (chain_id, other), held in self.desk.shown.items():
            if chain_id == chain.id and code and chain.code(other) == code:
                return other, held
        return None

    def _abi(self, request: Request, chain: IndexedChain) -> Reply:
        held = self.desk.look(chain.id, request.address or "")
        return answer(json.dumps(held.abi)) if held else answer(_UNVERIFIED, status="0")

    def _creation(self, request: Request, chain: IndexedChain) -> Reply:
        asked = request.fields.get("contractaddresses", "").split(",")[:5]
        made = [(a, chain.creation(a)) for a in asked if self.desk.indexed(chain.id, a)]
        found = [_made(address, creation) for address, creation in made if creation]
        return answer(found) if found else answer(None, status="0", message="No data found")

    def _link(self, request: Request, chain: IndexedChain) -> Reply:
        address = request.address or ""
        if not self.desk.indexed(chain.id, address) or not chain.code(address):
            return answer(f"Unable to locate ContractCode at {address}", status="0")
        guid = f"p{len(self.links) + 1:049d}"
        self.links[guid] = (chain.id, address, request.fields.get("expectedimplementation") or None)
        return answer(guid)

    def _check_link(self, request: Request, chain: IndexedChain) -> Reply:
        link = self.links.get(request.fields.get("guid", ""))
        if link is None:
            return answer("Error: invalid guid", status="0")
        _, proxy, expected = link
        behind = implementation_of(chain, proxy)
        if behind is None or (expected and behind.lower() != expected.lower()):
            return answer(
                "A corresponding implementation contract was unfortunately not detected for the proxy address.",
                status="0",
            )
        self.linked[chain.id, proxy.lower()] = behind
        return answer(
            f"The proxy's ({proxy}) implementation contract is found at {behind} and is successfully updated."
        )


_NOTHING = {
    "SourceCode": "",
    "ABI": _UNVERIFIED,
    "ContractName": "",
    "CompilerVersion": "",
    "CompilerType": "",
    "OptimizationUsed": "",
    "Runs": "",
    "ConstructorArguments": "",
    "EVMVersion": "Default",
    "Library": "",
    "ContractFileName": "",
    "LicenseType": "Unknown",
    "Proxy": "0",
    "Implementation": "",
    "SwarmSource": "",
    "SimilarMatch": "",
}


def _made(address: str, creation: Creation) -> dict[str, str]:
    return {
        "contractAddress": address.lower(),
        "contractCreator": creation.creator.lower(),
        "txHash": creation.transaction,
        "blockNumber": str(creation.block),
        "creationBytecode": "0x" + creation.init.hex(),
    }


def _shown(held: Held) -> dict[str, Any]:
    settings = held.source.standard_json.get("settings", {})
    optimizer = settings.get("optimizer", {})
    return {
        **_NOTHING,
        "SourceCode": "{" + json.dumps(held.source.standard_json) + "}",  # a second pair of braces marks standard JSON
        "ABI": json.dumps(held.abi),
        "ContractName": held.source.name,
        "CompilerVersion": held.source.compiler,
        "CompilerType": "solc-j",
        "OptimizationUsed": "1" if optimizer.get("enabled") else "0",
        "Runs": str(optimizer.get("runs", 200)),
        "ConstructorArguments": held.arguments.hex(),
        "EVMVersion": settings.get("evmVersion") or "Default",
        "ContractFileName": held.source.path,
    }


@contextmanager
def etherscan(
    worker: Worker, chains: Mapping[int, IndexedChain], *, rate_per_s: int | None = None, seed: int = 0
) -> Iterator[tuple[Service, EtherscanServer]]:
    """A running Etherscan of these chains. Its API is at ``/v2/api`` of the service's URL."""
    with desk(chains, lambda job: judge_as_etherscan(worker, job)) as staffed:
        server = EtherscanServer(staffed)
        with serve(server, rate_per_s=rate_per_s, seed=seed) as service:
            yield service, server
