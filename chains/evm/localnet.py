"""The embedded local chain: anvil on a free loopback port, its state kept in a folder between runs.

It outlives a run that is killed, and the next one finds it (``chains.held``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Clock, SystemClock
from chains.errors import Resumable
from chains.evm.node import quantity
from chains.files import write_atomic
from chains.held import HeldProcess
from chains.rpc import Endpoint, RpcFault, RpcUnknown

__all__ = ["LOCAL_CHAIN_ID", "Localnet", "LocalnetFailed", "running", "start", "stop"]

LOCAL_CHAIN_ID = 31337
_START_S = 20.0
_STOP_S = 20.0


class LocalnetFailed(Resumable):
    """SHIP-L10: anvil did not start or stop."""

    code = "SHIP-L10"


@dataclass(frozen=True)
class Localnet:
    """A running anvil: its URL, pid and the folder of its state."""

    url: str
    pid: int
    folder: Path


def _process(folder: Path) -> HeldProcess:
    return HeldProcess(folder, "anvil")


def _answers(url: str, chain_id: int | None) -> bool:
    try:
        answer = Endpoint(url, timeout_s=2.0).batch([("eth_chainId", [])])[0]
        return quantity(answer) == chain_id or chain_id is None
    except (RpcUnknown, ValueError):
        return False


def running(folder: Path, chain_id: int | None = LOCAL_CHAIN_ID) -> Localnet | None:
    """The local chain of ``folder`` if it runs and answers; ``None`` as id: whatever it serves."""
    if not _process(folder).held:
        return None
    try:
        pid = int((folder / "anvil.pid").read_text())
        match = re.search(rb"Listening on (127\.0\.0\.1:\d+)", (folder / "anvil.log").read_bytes())
    except (OSError, ValueError):
        return None
    url = f"http://{match[1].decode()}" if match else ""
    return Localnet(url, pid, folder) if url and _answers(url, chain_id) else None


def _genesis_time_s(folder: Path) -> int:
    """The genesis block's timestamp: the same at every start, or anvil would begin with another genesis block."""
    path = folder / "genesis-time"
    if not path.exists():
        write_atomic(path, str(int(time.time())).encode())
    return int(path.read_text())


def _set_clock(net: Localnet) -> None:
    """A given genesis time also sets anvil's clock back to it; put it right."""
    answer = Endpoint(net.url, timeout_s=5.0).batch([("evm_setTime", [int(time.time())])])[0]
    if isinstance(answer, RpcFault):
        raise LocalnetFailed(f"anvil does not take the time: {answer}", remedy="Run `ship localnet reset`.")


def start(
    folder: Path,
    anvil: Path,
    *,
    chain_id: int = LOCAL_CHAIN_ID,
    arguments: Sequence[str] = (),
    clock: Clock | None = None,
) -> Localnet:
    """Start anvil, or give the one that runs already. Raises ``LocalnetFailed``."""
    clock = clock or SystemClock()
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(anvil), "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id)]
    command += ["--state", str(folder / "state.json"), "--state-interval", "5", *arguments]
    command += ["--timestamp", str(_genesis_time_s(folder))]
    process = None if _process(folder).held else _process(folder).launch(command)
    deadline_s = clock.monotonic_s() + _START_S
    while clock.monotonic_s() < deadline_s:
        net = running(folder, chain_id)
        if net is not None:
            if process is not None:
                _set_clock(net)
            return net
        if process is not None and process.poll() is not None:
            break
        clock.sleep_s(0.02)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    tail = (folder / "anvil.log").read_text(errors="replace").strip().splitlines()[-3:]
    raise LocalnetFailed(
        f"anvil did not start: {' | '.join(tail) or 'no output'}",
        remedy="Run `ship doctor`. If its state file is damaged, `ship localnet reset` begins a new local chain.",
    )


def stop(net: Localnet, clock: Clock | None = None) -> None:
    """Ask anvil to write its state and end. Raises ``LocalnetFailed`` if it does not."""
    if not _process(net.folder).end(net.pid, clock or SystemClock(), _STOP_S):
        raise LocalnetFailed(
            f"anvil (process {net.pid}) does not end", remedy=f"End it by hand: kill {net.pid}, then run again."
        )
