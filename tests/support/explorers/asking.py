"""The least client of each protocol, for tests of the servers by themselves: no retries, no judgement."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import urllib3

from tests.support.explorers.etherscan import KEY
from tests.support.explorers.specimens import Specimen

__all__ = ["Dialogue", "SourcifyDialogue"]

_PATIENCE_S = 60.0


def _wait(ask: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while not done(answer := ask()):
        assert time.monotonic() < deadline, answer
        time.sleep(0.01)
    return answer


class Dialogue:
    """With an explorer of the Etherscan dialect at ``url``; ``chain_id`` where it has to be told."""

    def __init__(self, url: str, chain_id: int | None = None, key: str | None = KEY) -> None:
        self.url = url
        self._query = f"?chainid={chain_id}" if chain_id else ""
        self._key = {"apikey": key} if key else {}
        self.pool = urllib3.PoolManager(retries=False, maxsize=8)

    def ask(self, action: str, **fields: str) -> dict[str, Any]:
        form = {"module": "contract", "action": action, **self._key, **fields}
        answer = self.pool.request("POST", self.url + self._query, fields=form, encode_multipart=False, timeout=20)
        assert answer.status == 200, answer.data
        return dict(answer.json())

    def submit(self, specimen: Specimen, spelling: str = "constructorArguments") -> dict[str, Any]:
        fields = {
            "codeformat": "solidity-standard-json-input",
            "sourceCode": json.dumps(specimen.standard_json),
            "contractaddress": specimen.address,
            "contractname": specimen.contract,
            "compilerversion": specimen.compiler,
            spelling: specimen.arguments.hex(),
        }
        return self.ask("verifysourcecode", **fields)

    def verify(self, specimen: Specimen, spelling: str = "constructorArguments") -> dict[str, Any]:
        """Hand in, and ask until there is a result."""
        handed = self.submit(specimen, spelling)
        assert handed["status"] == "1", handed
        return self.settle(handed["result"])

    def settle(self, guid: str) -> dict[str, Any]:
        return dict(
            _wait(lambda: self.ask("checkverifystatus", guid=guid), lambda a: a["result"] != "Pending in queue")
        )

    def shown(self, address: str) -> dict[str, Any]:
        return dict(self.ask("getsourcecode", address=address)["result"][0])


class SourcifyDialogue:
    """Every answer is ``(HTTP status, JSON)``."""

    def __init__(self, url: str, chain_id: int) -> None:
        self.url = url
        self.chain_id = chain_id
        self.pool = urllib3.PoolManager(retries=False, maxsize=8)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self.pool.request(method, self.url + path, json=body, timeout=20)
        return answer.status, answer.json()

    def submit(self, specimen: Specimen, creation: str | None = None) -> tuple[int, Any]:
        body = {
            "stdJsonInput": dict(specimen.standard_json),
            "compilerVersion": specimen.compiler,
            "contractIdentifier": specimen.contract,
        } | ({"creationTransactionHash": creation} if creation else {})
        return self.ask("POST", f"/v2/verify/{self.chain_id}/{specimen.address}", body)

    def verify(self, specimen: Specimen, creation: str | None = None) -> Any:
        """Hand in, and ask until the job is done; the job."""
        status, handed = self.submit(specimen, creation)
        assert status == 202, handed
        return self.settle(handed["verificationId"])

    def settle(self, number: str) -> Any:
        return _wait(lambda: self.ask("GET", f"/v2/verify/{number}")[1], lambda job: job["isJobCompleted"])

    def shown(self, address: str, fields: str = "") -> tuple[int, Any]:
        query = f"?fields={fields}" if fields else ""
        return self.ask("GET", f"/v2/contract/{self.chain_id}/{address}{query}")
