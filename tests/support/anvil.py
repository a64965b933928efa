"""A real anvil for a test: started on a free port, ended with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chains.rpc import Endpoint, RpcFault

ROOT = Path(__file__).parents[2]
KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The first development account's key, public knowledge."""
DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def tool(name: str) -> Path:
    """A program of the toolchain; in CI a missing one is a failure, elsewhere a skip."""
    folders = [Path(os.environ["SHIP_TOOLS"])] if os.environ.get("SHIP_TOOLS") else []
    folders.append(ROOT / ".tools")
    candidates = [folder / part / name for folder in folders for part in ("bin", "")]
    found = next((c for c in candidates if c.is_file()), None) or (Path(w) if (w := shutil.which(name)) else None)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is missing: run scripts/bootstrap")
    if found is None:
        pytest.skip(f"{name} is missing: run scripts/bootstrap")
    return found


class Anvil:
    """A running anvil and the calls tests make to it directly, past any proxy."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process
        self._endpoint = Endpoint(url)

    def call(self, method: str, *params: Any) -> Any:
        answer = self._endpoint.batch([(method, list(params))])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def nonce(self, account: str = DEPLOYER) -> int:
        return int(self.call("eth_getTransactionCount", account, "latest"), 16)

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self.call("eth_getCode", address, "latest")[2:])

    def number(self) -> int:
        return int(self.call("eth_blockNumber"), 16)

    def send(self, **fields: str) -> dict[str, Any]:
        """Send from an unlocked account; the receipt, which can be late even with automine."""
        transaction = self.call("eth_sendTransaction", fields)
        deadline = time.monotonic() + 10
        while (receipt := self.call("eth_getTransactionReceipt", transaction)) is None:
            assert time.monotonic() < deadline, "not mined"
            time.sleep(0.005)
        return dict(receipt)

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", hex(blocks))


@contextmanager
def anvil(*arguments: str) -> Iterator[Anvil]:
    """anvil with automine unless ``arguments`` say otherwise."""
    process = subprocess.Popen(
        [tool("anvil"), "--host", "127.0.0.1", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    output = process.stdout
    assert output
    drain = threading.Thread(target=lambda: deque(output, maxlen=0))  # a full pipe would stop the node
    try:
        url = next((line.split()[2].decode() for line in output if line.startswith(b"Listening on ")), "")
        assert url, "anvil did not start"
        drain.start()
        yield Anvil(f"http://{url}", process)
    finally:
        process.kill()
        if drain.is_alive():
            drain.join()
        output.close()
        process.wait()
