"""The embedded local Solana cluster: one node on free loopback ports, its chain kept in a folder between runs.

``solana-test-validator`` or ``surfpool`` where one is on PATH, else ship's own node on LiteSVM (``localnode``). It outlives a run that
is killed, and the next one finds it (``chains.held``).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from chains.base import Clock, SystemClock
from chains.errors import Refused, Resumable
from chains.files import write_atomic
from chains.held import HeldProcess
from chains.rpc import Endpoint, RpcUnknown
from chains.solana.node_environment import node_python
from chains.tools import base_environment

__all__ = ["NodeKindGone", "NodeSettings", "SolanaLocalnet", "SolanaLocalnetFailed", "running", "start", "stop"]

_START_S = 60.0
_STOP_S = 20.0
_VALIDATORS = ("solana-test-validator", "surfpool")
_OWN = "localnode"
# The package's own folder goes last, so that nothing of ship's shadows what the environment holds.
_RUN = "import sys; sys.path.append(sys.argv.pop(1)); from localnode.main import main; main()"


class SolanaLocalnetFailed(Resumable):
    """SHIP-L14: the local Solana cluster did not start or stop."""

    code = "SHIP-L14"


class NodeKindGone(Refused):
    """SHIP-L15: the chain was begun by a node that is not on this machine any more."""

    code = "SHIP-L15"


@dataclass(frozen=True)
class NodeSettings:
    """How ship's own node keeps time; a validator has its own mind. ``slot_ms=0`` with ``admin``: slots end when asked to."""

    slot_ms: int = 100
    confirmed_lag: int = 1
    finalized_lag: int = 32
    admin: bool = False

    def arguments(self) -> list[str]:
        lags = ["--confirmed-lag", str(self.confirmed_lag), "--finalized-lag", str(self.finalized_lag)]
        return ["--slot-ms", str(self.slot_ms), *lags, *(["--admin"] if self.admin else [])]


@dataclass(frozen=True)
class SolanaLocalnet:
    """A running cluster: its URL over HTTP, pid and folder. WebSocket is one port higher."""

    url: str
    pid: int
    folder: Path
    kind: str

    @property
    def websocket_url(self) -> str:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return f"ws://{host}:{int(port) + 1}"


def _process(folder: Path) -> HeldProcess:
    return HeldProcess(folder, "node")


def _healthy(url: str) -> bool:
    try:
        return Endpoint(url, timeout_s=2.0).batch([("getHealth", [])])[0] == "ok"
    except RpcUnknown:
        return False


def running(folder: Path) -> SolanaLocalnet | None:
    """The cluster of ``folder`` if it runs and is healthy."""
    if not _process(folder).held:
        return None
    try:
        pid = int((folder / "node.pid").read_text())
        kind = (folder / "node.kind").read_text()
        port = (folder / "node.port").read_text()
        if not port:  # ship's own node takes free ports by itself, and says which
            match = re.search(r"Listening on 127\.0\.0\.1:(\d+)", (folder / "node.log").read_text(errors="replace"))
            port = match[1] if match else ""
    except (OSError, ValueError):
        return None
    url = f"http://127.0.0.1:{port}"
    return SolanaLocalnet(url, pid, folder, kind) if port and _healthy(url) else None


def _free_ports() -> int:
    """The first of two neighbouring free ports."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


def _kind(folder: Path) -> str:
    """What runs this chain: what began it, else a validator from PATH, else ship's own. Raises ``NodeKindGone``."""
    kept = folder / "node.kind"
    on_path = [name for name in _VALIDATORS if shutil.which(name)]
    if not kept.exists():
        return on_path[0] if on_path else _OWN
    kind = kept.read_text()
    if kind != _OWN and kind not in on_path:
        raise NodeKindGone(
            f"this local chain was begun by {kind}, which is not on PATH",
            remedy=f"Put {kind} back on PATH, or begin a new local chain with `ship localnet reset`.",
        )
    return kind


def command(kind: str, folder: Path, root: Path, port: int, settings: NodeSettings) -> list[str]:
    """The program and its arguments; ``port`` is for the validators, which have to be told one."""
    if kind == "solana-test-validator":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            faucet = probe.getsockname()[1]
        where = ["--ledger", str(folder / "ledger"), "--bind-address", "127.0.0.1"]
        return [kind, *where, "--rpc-port", str(port), "--faucet-port", str(faucet), "--quiet"]
    if kind == "surfpool":
        where = ["--host", "127.0.0.1", "--port", str(port), "--ws-port", str(port + 1)]
        return [kind, "start", "--no-tui", "--offline", "--no-deploy", *where, "--db", str(folder / "surfpool.sqlite")]
    package = str(Path(__file__).parent)
    return [str(node_python(root)), "-I", "-c", _RUN, package, str(folder), *settings.arguments()]


def start(
    folder: Path,
    root: Path,
    *,
    settings: NodeSettings | None = None,
    clock: Clock | None = None,
    kind: str | None = None,
) -> SolanaLocalnet:
    """Start the cluster kept in ``folder`` for the project at ``root``, or give the one that runs already.

    ``kind`` names the node rather than having it chosen. Raises ``SolanaLocalnetFailed``, ``NodeKindGone`` and ``NodeEnvironmentFailed``.
    """
    clock = clock or SystemClock()
    folder.mkdir(parents=True, exist_ok=True)
    process = None
    if not _process(folder).held:
        kind = kind or _kind(folder)
        port = 0 if kind == _OWN else _free_ports()
        arguments = command(kind, folder, root, port, settings or NodeSettings())
        write_atomic(folder / "node.kind", kind.encode())
        write_atomic(folder / "node.port", str(port or "").encode())
        process = _process(folder).launch(arguments, base_environment())
    deadline_s = clock.monotonic_s() + _START_S
    while clock.monotonic_s() < deadline_s:
        net = running(folder)
        if net is not None:
            if process is not None:
                process.returncode = 0  # it is to outlive us, and Popen is not to complain of that
            return net
        if process is not None and process.poll() is not None:
            break
        clock.sleep_s(0.02)
    if process is not None and process.poll() is None:
        process.kill()
        process.wait()
    tail = (folder / "node.log").read_text(errors="replace").strip().splitlines()[-3:]
    raise SolanaLocalnetFailed(
        f"the local Solana cluster did not start: {' | '.join(tail) or 'no output'}",
        remedy="Run again. If its files are damaged, `ship localnet reset` begins a new local chain.",
    )


def stop(net: SolanaLocalnet, clock: Clock | None = None) -> None:
    """Ask the node to write its state and end. Raises ``SolanaLocalnetFailed`` if it does not."""
    if _process(net.folder).end(net.pid, clock or SystemClock(), _STOP_S):
        return
    raise SolanaLocalnetFailed(
        f"the local Solana node (process {net.pid}) does not end",
        remedy=f"End it by hand: kill {net.pid}, then run again.",
    )
