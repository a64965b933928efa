"""The node as a program: ``python -I -c … FOLDER [--port N] [--slot-ms N] …`` (see ``chains/solana/localnet.py``)."""

from __future__ import annotations

import argparse
import asyncio
import signal
from importlib.metadata import version
from pathlib import Path

__all__ = ["main"]

_SOLDERS = "0.29."


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="localnode", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the chain is kept")
    parser.add_argument("--port", type=int, default=0, help="of HTTP; WebSocket is one higher; 0: any that is free")
    parser.add_argument("--slot-ms", type=int, default=400, help="0: slots end only when asked to (with --admin)")
    parser.add_argument("--confirmed-lag", type=int, default=1, help="blocks")
    parser.add_argument("--finalized-lag", type=int, default=32, help="blocks")
    parser.add_argument("--admin", action="store_true", help="answer the ship_* methods, which tests use")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    from .bank import Bank, Settings
    from .server import serve

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    bank = Bank(arguments.folder, Settings(arguments.slot_ms, arguments.confirmed_lag, arguments.finalized_lag))

    def ready(port: int) -> None:
        print(f"Listening on 127.0.0.1:{port}", flush=True)  # noqa: T201 - how whoever started it learns the port

    try:
        await serve(bank, arguments.port, stop, with_admin=arguments.admin, ready=ready)
    finally:
        bank.close()


def main() -> None:
    """Run until SIGTERM."""
    found = version("solders")
    if not found.startswith(_SOLDERS):
        raise SystemExit(f"solders {found} is installed here; this node needs {_SOLDERS}x")
    asyncio.run(_run(_arguments()))
