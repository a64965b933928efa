"""``gcp-kms`` through Google's own client, against a protocol server with real keys. It is not the service."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from chains.errors import ShipError
from pipeline.signing import gcp_client
from pipeline.signing.base import SignatureRejected, checked_signature
from pipeline.signing.context import SignerNoAnswer, SignerUnavailable
from pipeline.signing.crc32c import crc32c
from pipeline.signing.opening import signer_address
from tests.support.gcp_kms_server import GcpServer, gcp_server
from tests.support.signers import open_evm, target
from tests.support.tls import certificate

DIGEST = b"\x05" * 32


@pytest.fixture(scope="module")
def running() -> Iterator[GcpServer]:
    with gcp_server() as server:
        yield server


@pytest.fixture
def server(running: GcpServer) -> GcpServer:
    running.change, running.fault, running.protection = lambda answer: answer, lambda method: None, 2
    return running


def table(server: GcpServer, key: str) -> dict[str, str]:
    return {"backend": "gcp-kms", "key": key, "url": f"http://127.0.0.1:{server.port}"}


@pytest.mark.parametrize(
    ("data", "checksum"), [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)]
)
def test_crc32c_is_castagnolis(data: bytes, checksum: int) -> None:
    """The vectors of RFC 3720 §B.4, and the usual check value."""
    assert crc32c(data) == checksum


@pytest.mark.parametrize(("level", "assurance"), [(1, "service"), (2, "hardware"), (3, "service"), (4, "service")])
def test_the_protection_level_is_what_keeps_the_key(
    server: GcpServer, tmp_path: Path, level: int, assurance: str
) -> None:
    server.protection = level
    assert open_evm(tmp_path, table(server, server.key())).assurance == assurance


ALTERED = {
    "checksum of the signature": ("signature_crc32c", lambda answer: 7, SignerNoAnswer),
    "digest not verified": ("verified_digest_crc32c", lambda answer: False, SignerNoAnswer),
    "another version": ("name", lambda answer: answer.name + "2", SignerUnavailable),
    "no checksum": ("signature_crc32c", lambda answer: None, SignerNoAnswer),
}


@pytest.mark.parametrize("what", ALTERED)
def test_an_altered_answer_is_not_taken(server: GcpServer, tmp_path: Path, what: str) -> None:
    backend = open_evm(tmp_path, table(server, server.key()))
    name, value, error = ALTERED[what]

    def change(answer):
        setattr(answer, name, value(answer))
        return answer

    server.change = change
    with pytest.raises(error):
        checked_signature(backend, DIGEST)


def test_a_signature_that_is_not_der_is_rejected(server: GcpServer, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, table(server, server.key()))

    def change(answer):
        answer.signature += b"\0"
        answer.signature_crc32c = crc32c(answer.signature)
        return answer

    server.change = change
    with pytest.raises(SignatureRejected):
        checked_signature(backend, DIGEST)


def test_an_altered_public_key_is_not_taken(server: GcpServer, tmp_path: Path) -> None:
    key = server.key()
    other = ec.generate_private_key(ec.SECP256K1()).public_key()
    pem = other.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def change(answer):
        answer.pem = pem
        return answer

    server.change = change
    with pytest.raises(SignerNoAnswer, match="whole"):
        signer_address(target(tmp_path, table(server, key)), tmp_path)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("UNAUTHENTICATED", SignerNoAnswer),
        ("INTERNAL", SignerNoAnswer),
        ("UNKNOWN", SignerNoAnswer),
        ("DEADLINE_EXCEEDED", SignerNoAnswer),
        ("PERMISSION_DENIED", SignerUnavailable),
        ("NOT_FOUND", SignerUnavailable),
        ("FAILED_PRECONDITION", SignerUnavailable),
        ("INVALID_ARGUMENT", SignerUnavailable),
    ],
)
def test_errors_in_the_middle_of_a_run(
    server: GcpServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], status: str, error: type[ShipError]
) -> None:
    backend = open_evm(tmp_path, table(server, server.key()))
    server.fault = lambda method: getattr(grpc.StatusCode, status)
    with pytest.raises(error, match=status) as caught:
        checked_signature(backend, DIGEST)
    out, err = capfd.readouterr()
    assert "canary" not in "".join((caught.value.cause, caught.value.remedy, repr(caught.value), out, err))
    assert caught.value.__suppress_context__


def test_a_busy_service_is_waited_for(server: GcpServer, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, table(server, server.key()))
    left = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    server.fault = lambda method: left.pop() if left else None
    assert checked_signature(backend, DIGEST)


def test_a_service_that_hangs_is_given_up(server: GcpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_evm(tmp_path, table(server, server.key()))
    monkeypatch.setattr(gcp_client, "CALL_S", 0.5)
    let_go = threading.Event()
    server.fault = lambda method: grpc.StatusCode.ABORTED if let_go.wait(20) else None
    try:
        with pytest.raises(SignerNoAnswer, match="DEADLINE_EXCEEDED"):
            checked_signature(backend, DIGEST)
    finally:
        let_go.set()


def test_an_answer_over_the_limit_is_not_read(
    server: GcpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gcp_client, "TOTAL_S", 6.0)

    def change(answer):
        answer.pem = "x" * 1_000_000
        return answer

    backend_table = table(server, server.key())
    server.change = change
    with pytest.raises(SignerNoAnswer):
        signer_address(target(tmp_path, backend_table), tmp_path)


@pytest.mark.parametrize(
    "key", ["deployer", "projects/p/locations/l/keyRings/r/cryptoKeys/k", "projects/../x/cryptoKeyVersions/1"]
)
def test_a_key_without_its_version_is_refused(server: GcpServer, tmp_path: Path, key: str) -> None:
    asked = server.asked
    with pytest.raises(SignerUnavailable, match="full name"):
        signer_address(target(tmp_path, table(server, key)), tmp_path)
    assert server.asked == asked


def test_without_the_extra_it_says_how_to_get_it(
    server: GcpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = target(tmp_path, table(server, server.key()))
    monkeypatch.setitem(sys.modules, "google.cloud.kms_v1", None)
    with pytest.raises(SignerUnavailable) as caught:
        signer_address(found, tmp_path)
    assert caught.value.remedy == 'pip install "contract-ship[gcp]"'


def test_a_token_travels_over_tls_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Application default credentials: a service account's key. Over plain http none is looked for, let alone sent."""
    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "1",
        "private_key": private.decode(),
        "client_email": "deployer@acme.iam.gserviceaccount.com",
        "token_uri": "https://127.0.0.1:1/token",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    tls = certificate(tmp_path)
    with gcp_server(tls) as secure, gcp_server() as plain:
        monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tls.certificate))
        found = {**table(secure, secure.key()), "url": f"https://localhost:{secure.port}"}
        assert checked_signature(open_evm(tmp_path, found), DIGEST)
        assert secure.tokens
        assert all(token.startswith("Bearer ") for token in secure.tokens)
        assert checked_signature(open_evm(tmp_path, table(plain, plain.key())), DIGEST)
        assert plain.tokens == []
