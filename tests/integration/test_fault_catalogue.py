"""The rest of the fault catalogue, on the real engine; where the other numbers are proven stands in the table.

    1–9, 11, 14–18, 22, 24   test_sender_faults.py       10, 13                   test_pool.py, test_sender_faults.py
    12, 19, 23               test_chain.py               20                       test_planner.py, test_taken.py
    21, 51, 57, 67, 72       here                        49–53                    tests/unit/test_journal.py, and here
    54, 56                   tests/unit/test_lock.py     68, 70, 71, 72           tests/unit/test_rpc.py
    69                       tests/unit/manifest/        all at once, by seed     tests/soak

55 (a stale ETag of shared S3 state) waits for that state to be built.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import pipeline.journal
from chains.base import SystemClock
from chains.evm.sending.errors import ActionReverted, StillPending
from chains.rpc import Endpoint, Rpc, RpcDown, RpcUnknown
from pipeline.journal import JournalUnwritable
from tests.support import fault_proxy as fp
from tests.support.anvil import Anvil, anvil
from tests.support.contracts import SENTRY, tagged
from tests.support.deployment import Rig
from tests.support.fault_proxy import SEND, FaultProxy

ACTIONS = 6
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def rig(node: Anvil, proxy: FaultProxy, tmp_path: Path) -> Rig:
    return Rig(node, proxy, tmp_path / "journal.jsonl").usual()


def test_21_an_initialization_that_was_run_by_somebody_else_halts_for_a_person(
    node: Anvil, proxy: FaultProxy, tmp_path: Path
) -> None:
    rig = Rig(node, proxy, tmp_path / "j")
    place = rig.workshop.create("Sentry", tagged(SENTRY, 1))
    rig.workshop.call("initialize", place)
    rig.seal()
    watch = proxy.before_send
    assert watch

    def front_run(digest: str) -> None:
        watch(digest)
        if len(proxy.sent) == 2:
            node.send(**{"from": OTHER, "to": place})

    proxy.before_send = front_run
    with pytest.raises(ActionReverted) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert rig.kinds("initialize")[-1] == "tx.reverted"


@pytest.mark.parametrize("at", range(2, 4 * ACTIONS, 5))
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("no space", id="49 no space"),
        pytest.param("short", id="50 short write"),
        pytest.param("fsync", id="51 fsync error"),
    ],
)
def test_a_row_that_is_not_durable_stops_before_the_send(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: str, at: int
) -> None:
    real_write, real_sync = os.pwrite, os.fsync
    count = 0

    def write(descriptor: int, data: bytes, offset: int) -> int:
        nonlocal count
        count += 1
        if count == at and fault == "no space":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data[:7] if count == at and fault == "short" else data, offset)

    def sync(descriptor: int) -> None:
        if count == at and fault == "fsync":
            raise OSError(errno.EIO, "Input/output error")
        real_sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", write)
        patch.setattr(os, "fsync", sync)
        with pytest.raises(JournalUnwritable) as caught:
            rig.run(window=1)
    assert caught.value.exit_code == 3
    rig.oracles()


@pytest.mark.parametrize("day_s", [-86_400, 86_400])
def test_57_a_wall_clock_a_day_off_changes_nothing_but_the_dates(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, day_s: int
) -> None:
    class Off(dt.datetime):
        rows = 0

        @classmethod
        def now(cls, tz: Any = None) -> dt.datetime:
            cls.rows += 1
            return dt.datetime.now(tz) + dt.timedelta(seconds=day_s if cls.rows % 3 else 0)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.journal, "datetime", Off)
        rig.run(window=2)
    rig.oracles(signatures=ACTIONS)


def test_57_a_machine_that_slept_for_a_day_in_mid_run_goes_on_or_stops_resumably(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.proxy.add(fp.result(None, *fp.RECEIPTS, times=6))
    real = SystemClock.monotonic_s
    calls = 0

    def slept(clock: SystemClock) -> float:
        nonlocal calls
        calls += 1
        return real(clock) + (86_400 if calls > 60 else 0)

    with monkeypatch.context() as patch:
        patch.setattr(SystemClock, "monotonic_s", slept)
        with contextlib.suppress(StillPending, RpcDown):  # both of them: exit 3
            rig.run(window=1)
    rig.oracles()


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[tuple[str, list[bytes]]]:
    """An HTTPS server whose certificate nobody vouches for, and what it was sent."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            body = b'{"jsonrpc":"2.0","id":1,"result":"0x1"}'
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    class Quiet(HTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}/v2/SECRETKEY", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_67_a_certificate_nobody_vouches_for_is_refused(untrusted: tuple[str, list[bytes]]) -> None:
    url, got = untrusted
    with pytest.raises(RpcUnknown) as caught:
        Endpoint(url, timeout_s=5).batch([("eth_chainId", [])])
    assert "SECRETKEY" not in str(caught.value)
    with pytest.raises(RpcDown) as down:
        Rpc([Endpoint(url, timeout_s=5)], patience_s=0.3).read("eth_chainId", [])
    assert "SECRETKEY" not in down.value.cause
    assert got == [], "nothing was said before the certificate was checked"


def test_70_a_slow_drip_in_mid_run_is_cut_off(rig: Rig) -> None:
    def drip(proxy: FaultProxy, call: dict[str, Any]) -> dict[str, Any]:
        time.sleep(1.0)
        raise fp.Drop

    rig.proxy.add(fp.Rule("stalls", (SEND,), drip, times=2))
    rig.run(timeout_s=0.5, stuck_after_s=30.0)
    rig.oracles(signatures=ACTIONS)


def test_72_control_characters_of_a_node_never_reach_the_terminal(rig: Rig) -> None:
    rig.proxy.add(fp.rpc_error(-32000, "\x1b[2J\x07done: 6 transactions\r\n\u202egnp.exe", SEND, times=None))
    with pytest.raises(StillPending) as caught:
        rig.run(wait_s=0.5)
    assert "done: 6 transactions" in caught.value.cause, "it is shown"
    assert caught.value.cause.isprintable()
    rig.oracles(signatures=ACTIONS)
