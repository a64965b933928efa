"""Signatures a second of every backend of the conformance suite, on this machine, one after the other.

    scripts/bench --signers

Emulators and protocol servers run here, so this is what ship and its client libraries take; a cloud adds its round trip.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from chains.errors import ShipError  # noqa: E402 - found only from here
from pipeline.manifest.redaction import redact  # noqa: E402
from pipeline.signing.base import checked_signature  # noqa: E402
from pipeline.signing.ed25519 import CheckedMessages  # noqa: E402
from pipeline.signing.opening import BACKENDS  # noqa: E402
from tests.support.signer_case import Service  # noqa: E402
from tests.support.signers import SIGNERS, context, open_evm  # noqa: E402

SECONDS = 3.0


def timed(call: Callable[[bytes], object]) -> tuple[int, float]:
    """``(signatures a second, median milliseconds)``; the first one, which connects, is left out."""
    call(b"\1" * 32)
    taken_s: list[float] = []
    end_s = time.perf_counter() + SECONDS
    while (began_s := time.perf_counter()) < end_s:
        call(began_s.hex().encode().ljust(32, b"\0")[:32])
        taken_s.append(time.perf_counter() - began_s)
    return round(len(taken_s) / sum(taken_s)), statistics.median(taken_s) * 1000


def measured(name: str, service: Service, folder: Path) -> None:
    if service.evm is not None:
        began_s = time.perf_counter()
        backend = open_evm(folder, service.evm().table)
        opened_ms = (time.perf_counter() - began_s) * 1000
        rate, median_ms = timed(lambda digest: checked_signature(backend, digest))
        print(f"{name:10} secp256k1  {rate:6} /s  {median_ms:7.1f} ms  opened twice in {opened_ms:6.0f} ms")
    if service.ed25519 is not None:
        key = import_module(BACKENDS[name]).open_ed25519(context(folder, service.ed25519().table))
        rate, median_ms = timed(CheckedMessages(key).sign_message)
        print(f"{name:10} ed25519    {rate:6} /s  {median_ms:7.1f} ms")


def main() -> int:
    for name, start in SIGNERS.items():
        with tempfile.TemporaryDirectory() as folder, start(Path(folder)) as service:
            before = dict(os.environ)
            os.environ.update(service.environment)
            try:
                measured(name, service, Path(folder))
            except ShipError as error:
                print(f"{name:10} {redact(error.cause)}")
                return 1
            finally:
                os.environ.clear()
                os.environ.update(before)
    return 0


if __name__ == "__main__":
    sys.exit(main())
