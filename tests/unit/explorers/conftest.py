"""A service that answers as a test says, and what it is asked about."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import pytest

from chains.base import SystemClock
from chains.evm.explorers.base import Submission
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.etherscan import Etherscan
from chains.evm.explorers.sourcify import Sourcify
from tests.support.scripted_http import ScriptedServer, scripted_server

KEY = "CANARYKEY0123456789"
STANDARD = {
    "language": "Solidity",
    "sources": {"src/Box.sol": {"content": "contract Box {}"}},
    "settings": {"optimizer": {"enabled": True, "runs": 200}, "evmVersion": "cancun"},
}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as scripted:
        yield scripted


@pytest.fixture
def submission() -> Submission:
    return Submission(
        chain_id=8453,
        address="0x5FbDB2315678afecb367f032d93F642f64180aa3",
        contract="src/Box.sol:Box",
        compiler="v0.8.37+commit.f401782d",
        standard_json=json.dumps(STANDARD).encode(),
        arguments=bytes.fromhex("00" * 31 + "2a"),
        creation_transaction="0x" + "11" * 32,
        license_number=3,
    )


def bucket(rate_per_s: float = 1_000.0) -> TokenBucket:
    return TokenBucket(rate_per_s, SystemClock())


@pytest.fixture
def etherscan(server: ScriptedServer) -> Callable[..., Etherscan]:
    def make(**fields: object) -> Etherscan:
        defaults: dict[str, object] = {
            "name": "etherscan",
            "url": f"{server.url}/v2/api",
            "chain_id": 8453,
            "bucket": bucket(),
            "api_key": KEY,
            "page": "https://explorer.example/address/{address}#code",
            "timeout_s": 5.0,
        }
        return Etherscan(**{**defaults, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def sourcify(server: ScriptedServer) -> Sourcify:
    return Sourcify("sourcify", f"{server.url}/", 8453, bucket(), timeout_s=5.0)


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
