"""ship's local Solana node for a test, and what tests do to it directly, past any proxy."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.rpc import Endpoint, RpcFault
from chains.solana.localnet import NodeSettings, SolanaLocalnet, start, stop
from chains.solana.node_environment import found_python
from tests.support.missing import missing

__all__ = ["COUNTER", "ROOT", "SolanaNode", "solana_node", "until"]

ROOT = Path(__file__).parents[2]
COUNTER = ROOT / "examples" / "counter"
TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
MEMO = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
_PROGRAM_DATA_HEAD = 45


def until(true: Callable[[], object], what: str, wait_s: float = 20.0) -> None:
    """Wait for it to come true."""
    deadline = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < deadline, f"not within {wait_s} s: {what}"
        time.sleep(0.005)


@dataclass
class SolanaNode:
    """A running node. ``advance`` makes blocks: with ``slot_ms=0`` nothing else does."""

    net: SolanaLocalnet

    @property
    def url(self) -> str:
        return self.net.url

    def call(self, method: str, *params: Any) -> Any:
        answer = Endpoint(self.url).batch([(method, list(params))])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def advance(self, blocks: int = 1) -> int:
        return int(self.call("ship_advance", blocks))

    def funded(self, sol: int = 100) -> Keypair:
        """A new key with lamports that are final."""
        key = Keypair()
        self.call("requestAirdrop", str(key.pubkey()), sol * 10**9)
        self.advance(33)
        return key

    def account(self, key: Pubkey | str, commitment: str = "processed") -> dict[str, Any] | None:
        """With ``data`` as bytes."""
        config = {"encoding": "base64", "commitment": commitment}
        found = self.call("getAccountInfo", str(key), config)["value"]
        return None if found is None else {**found, "data": base64.b64decode(found["data"][0])}

    def status(self, signature: object) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.call("getSignatureStatuses", [str(signature)])["value"][0]
        return found

    def blockhash(self, commitment: str = "processed") -> str:
        return str(self.call("getLatestBlockhash", {"commitment": commitment})["value"]["blockhash"])

    def built_in_elf(self, program: str = TOKEN_2022) -> bytes:
        """A real program's ELF, out of the accounts every cluster of this kind begins with."""
        account = self.account(program)
        assert account
        if account["owner"].startswith("BPFLoaderUpgradeab1e"):
            account = self.account(Pubkey.from_bytes(account["data"][4:36]))
            assert account
            return bytes(account["data"][_PROGRAM_DATA_HEAD:])
        return bytes(account["data"])


@contextmanager
def solana_node(folder: Path, *, slot_ms: int = 0, **settings: Any) -> Iterator[SolanaNode]:
    """One that keeps its chain in ``folder``; slots end only when asked to, unless ``slot_ms`` says otherwise."""
    if found_python(ROOT) is None:
        missing("the local Solana node's environment is missing: run scripts/services/litesvm")
    net = start(folder, ROOT, settings=NodeSettings(slot_ms=slot_ms, admin=True, **settings), kind="localnode")
    try:
        yield SolanaNode(net)
    finally:
        stop(net)
