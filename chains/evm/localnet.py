"""The embedded local chain: anvil on a free loopback port, its state kept in a folder between runs.

The process outlives a killed run on purpose: the next run finds it through ``localnet.json`` and goes on. It is only
ever signalled by the pid recorded there, after the port answered as that very chain.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Clock, SystemClock
from chains.errors import Refused, Resumable
from chains.evm.node import quantity
from chains.files import write_atomic
from chains.rpc import Endpoint, RpcUnknown

__all__ = ["LOCAL_CHAIN_ID", "Localnet", "LocalnetFailed", "running", "start", "stop"]

LOCAL_CHAIN_ID = 31337
_START_S = 20.0
_STOP_S = 20.0


class LocalnetFailed(Resumable):
    """SHIP-L10: anvil did not start or stop."""

    code = "SHIP-L10"


class LocalnetForeign(Refused):
    """SHIP-L11: something else answers where the local chain was."""

    code = "SHIP-L11"


@dataclass(frozen=True)
class Localnet:
    """A running anvil: its URL, pid and the folder of its state."""

    url: str
    pid: int
    folder: Path


def _note(folder: Path) -> Path:
    return folder / "localnet.json"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _answers(url: str, chain_id: int) -> bool:
    try:
        answer = Endpoint(url, timeout_s=2.0).batch([("eth_chainId", [])])[0]
        return quantity(answer) == chain_id
    except (RpcUnknown, ValueError):
        return False


def running(folder: Path, chain_id: int = LOCAL_CHAIN_ID) -> Localnet | None:
    """The local chain of ``folder`` if it runs and answers."""
    try:
        note = json.loads(_note(folder).read_text())
        net = Localnet(str(note["url"]), int(note["pid"]), folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return net if _alive(net.pid) and _answers(net.url, chain_id) else None


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
    found = running(folder, chain_id)
    if found:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "anvil.log"
    command = [str(anvil), "--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id)]
    command += ["--state", str(folder / "state.json"), "--state-interval", "5", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline_s = clock.monotonic_s() + _START_S
    while clock.monotonic_s() < deadline_s:
        match = re.search(rb"Listening on (127\.0\.0\.1:\d+)", log.read_bytes())
        if match:
            url = f"http://{match[1].decode()}"
            write_atomic(_note(folder), json.dumps({"url": url, "pid": process.pid}).encode())
            if _answers(url, chain_id):
                return Localnet(url, process.pid, folder)
        if process.poll() is not None:
            break
        clock.sleep_s(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()
    tail = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise LocalnetFailed(
        f"anvil did not start: {' | '.join(tail) or 'no output'}",
        remedy="Run `ship doctor`. If its state file is damaged, `ship localnet reset` begins a new local chain.",
    )


def stop(net: Localnet, clock: Clock | None = None) -> None:
    """Ask anvil to write its state and end. Raises ``LocalnetFailed`` if it does not."""
    clock = clock or SystemClock()
    try:
        os.kill(net.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass  # it ended by itself, which is what was wanted
    deadline_s = clock.monotonic_s() + _STOP_S
    while clock.monotonic_s() < deadline_s:
        try:
            os.waitpid(net.pid, os.WNOHANG)
        except ChildProcessError:
            pass  # started by an earlier run: not ours to reap
        if not _alive(net.pid):
            _note(net.folder).unlink(missing_ok=True)
            return
        clock.sleep_s(0.02)
    raise LocalnetFailed(
        f"anvil (process {net.pid}) does not end", remedy=f"End it by hand: kill {net.pid}, then run again."
    )
