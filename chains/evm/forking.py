"""A private copy of a chain: an anvil fork, on which a plan's actions are tried by whoever they belong to."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from chains.base import Clock
from chains.errors import Resumable
from chains.evm.actions import Action
from chains.evm.loopback import loopback
from chains.evm.node import quantity
from chains.rpc import Endpoint, Rpc
from chains.tools import base_environment

__all__ = ["ForkFailed", "apply_actions", "forked"]

_START_S = 30.0
_RICH_WEI = hex(10**24)
_ROOM = 5 * 10**7


class ForkFailed(Resumable):
    """SHIP-E37: a private copy of the chain could not be made, or the plan does not run on it."""

    code = "SHIP-E37"


@contextlib.contextmanager
def forked(rpc: Rpc, anvil: Path, clock: Clock) -> Iterator[Rpc]:
    """A fork of the chain at its latest block, ended afterwards. Raises ``ForkFailed``."""
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(loopback(rpc))
        log = stack.enter_context(tempfile.NamedTemporaryFile(prefix="ship-fork-", suffix=".log"))
        # Its storage cache is by chain id and block number, which local chains have in common.
        command = [str(anvil), "--fork-url", source, "--host", "127.0.0.1", "--port", "0", "--no-storage-caching"]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=base_environment(), start_new_session=True
        )
        stack.callback(_end, process)
        yield Rpc([Endpoint(_url(process, Path(log.name), clock), timeout_s=120.0)], clock=clock)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _url(process: subprocess.Popen[bytes], log: Path, clock: Clock) -> str:
    deadline_s = clock.monotonic_s() + _START_S
    while process.poll() is None and clock.monotonic_s() < deadline_s:
        match = re.search(r"Listening on 127\.0\.0\.1:(\d+)", log.read_text(errors="replace"))
        if match:
            return f"http://127.0.0.1:{match[1]}"
        clock.sleep_s(0.02)
    lines = log.read_text(errors="replace").strip().splitlines()
    raise ForkFailed(
        f"anvil did not fork the chain: {lines[-1] if lines else 'no output'}",
        done="Nothing was sent.",
        remedy="Run `ship doctor`; the endpoint must serve the state of its latest block.",
    )


def apply_actions(fork: Rpc, actions: Sequence[Action], sender: str) -> None:
    """Send the actions on the fork as ``sender``, delays passing in between. Raises ``ForkFailed`` when one fails."""
    fork.read("anvil_impersonateAccount", [sender])
    fork.read("anvil_setBalance", [sender, _RICH_WEI])
    for action in actions:
        if action.ready:
            fork.read("evm_increaseTime", [hex(action.ready.delay_s + 1)])
        transaction = {
            "from": sender,
            "value": hex(action.value_wei),
            "input": "0x" + action.data.hex(),
            "gas": hex(_gas(fork)),
        }
        if action.to:
            transaction["to"] = action.to
        sent = fork.read("eth_sendTransaction", [transaction])
        receipt = fork.read("eth_getTransactionReceipt", [sent])
        while receipt is None:
            fork.clock.sleep_s(0.02)
            receipt = fork.read("eth_getTransactionReceipt", [sent])
        if quantity(receipt["status"]) != 1:
            raise ForkFailed(
                f"{action.id} ({action.title}) fails on a private copy of the chain",
                done="Nothing was sent.",
                remedy="Correct what comes before the script.",
            )


def _gas(fork: Rpc) -> int:
    return min(quantity(fork.read("eth_getBlockByNumber", ["latest", False])["gasLimit"]) * 9 // 10, _ROOM)
