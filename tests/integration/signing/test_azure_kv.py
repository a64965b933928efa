"""``azure-kv`` through Microsoft's own clients, against a protocol server with real keys. It is not the service."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from chains.errors import ShipError
from pipeline.signing import service
from pipeline.signing.base import SignatureRejected, checked_signature
from pipeline.signing.context import SignerNoAnswer, SignerUnavailable
from pipeline.signing.opening import signer_address
from tests.support.key_vault_server import CLIENT_SECRET, TENANT, TOKEN, KeyVaultServer, key_vault_server
from tests.support.signers import open_evm, target
from tests.support.tls import certificate

DIGEST = b"\x05" * 32


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyVaultServer]:
    tls = certificate(tmp_path)
    with key_vault_server(tls) as running:
        for name, value in {
            "AZURE_AUTHORITY_HOST": running.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": "deployer",
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            "REQUESTS_CA_BUNDLE": str(tls.certificate),
        }.items():
            monkeypatch.setenv(name, value)
        yield running


def table(vault: KeyVaultServer, key: str) -> dict[str, str]:
    return {"backend": "azure-kv", "key": key, "url": vault.url}


def without_secrets(error: ShipError, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = capfd.readouterr()
    for text in (str(error), error.cause, error.remedy, error.done, repr(error), out, err):
        assert CLIENT_SECRET not in text
        assert TOKEN not in text
        assert "canary" not in text
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize(("kty", "assurance"), [("EC", "service"), ("EC-HSM", "hardware")])
def test_the_keys_type_is_what_keeps_it(vault: KeyVaultServer, tmp_path: Path, kty: str, assurance: str) -> None:
    vault.kty = kty
    assert open_evm(tmp_path, table(vault, vault.key())).assurance == assurance


def test_a_new_version_does_not_change_the_key_of_a_run(vault: KeyVaultServer, tmp_path: Path) -> None:
    name = vault.key()
    backend = open_evm(tmp_path, table(vault, name))
    vault.key(name)
    assert checked_signature(backend, DIGEST)
    with pytest.raises(SignerUnavailable, match="the target pins"):
        open_evm(tmp_path, table(vault, name), backend.address)
    assert checked_signature(open_evm(tmp_path, table(vault, f"{name}/{1:032x}"), backend.address), DIGEST)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, SignerUnavailable),
        (403, SignerUnavailable),
        (404, SignerUnavailable),
        (302, SignerNoAnswer),
        (307, SignerNoAnswer),
        (429, SignerNoAnswer),
        (503, SignerNoAnswer),
    ],
)
def test_errors_in_the_middle_of_a_run(
    vault: KeyVaultServer,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: type[ShipError],
) -> None:
    backend = open_evm(tmp_path, table(vault, vault.key()))
    monkeypatch.setattr(service, "TOTAL_S", 8.0)
    document = {"error": {"code": "Planted", "message": f"canary {TOKEN}"}}
    vault.fault = lambda path: (status, document, {"Location": f"{vault.url}/elsewhere"})
    with pytest.raises(error) as caught:
        checked_signature(backend, DIGEST)
    assert "/elsewhere" not in vault.asked
    without_secrets(caught.value, capfd)


def test_throttling_is_waited_out(vault: KeyVaultServer, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, table(vault, vault.key()))
    left = [429, 503]
    vault.fault = lambda path: (left.pop(), {"error": {"code": "Busy"}}, {}) if left else None
    assert checked_signature(backend, DIGEST)


def test_a_refused_login(vault: KeyVaultServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    vault.login_open = False
    with pytest.raises(SignerNoAnswer, match="login") as caught:
        signer_address(target(tmp_path, table(vault, vault.key())), tmp_path)
    assert caught.value.exit_code == 3
    without_secrets(caught.value, capfd)


UNREADABLE = {
    "too large": b" " * 1_000_000,
    "not JSON": b"<html>",
    "empty": b"",
    "a list": b"[1]",
    "nothing in it": b"{}",
    "a number": b'{"value": 7}',
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_answer_is_no_answer(
    vault: KeyVaultServer, tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    backend = open_evm(tmp_path, table(vault, vault.key()))
    vault.fault = lambda path: (200, UNREADABLE[what], {}) if path.endswith("/sign") else None
    with pytest.raises(SignerNoAnswer) as caught:
        checked_signature(backend, DIGEST)
    without_secrets(caught.value, capfd)


@pytest.mark.parametrize("value", ["AAAA", "A" * 88, "A" * 86])
def test_a_wrong_signature_is_rejected(vault: KeyVaultServer, tmp_path: Path, value: str) -> None:
    backend = open_evm(tmp_path, table(vault, vault.key()))
    vault.change = lambda answer: {**answer, "value": value}
    with pytest.raises(SignatureRejected):
        checked_signature(backend, DIGEST)


def test_keys_of_other_kinds_are_refused(vault: KeyVaultServer, tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="P-256K"):
        signer_address(target(tmp_path, table(vault, vault.key(curve=ec.SECP256R1()))), tmp_path)
    vault.change = lambda answer: {**answer, "key": {**answer["key"], "key_ops": ["verify"]}}
    with pytest.raises(SignerUnavailable, match="operations"):
        signer_address(target(tmp_path, table(vault, vault.key())), tmp_path)
    vault.change = lambda answer: {**answer, "key": {**answer["key"], "x": "AAAA"}}
    with pytest.raises(SignerUnavailable, match="not on secp256k1"):
        signer_address(target(tmp_path, table(vault, vault.key())), tmp_path)
    vault.change = lambda answer: {**answer, "key": {**answer["key"], "kid": f"{vault.url}/keys/other/{1:032x}"}}
    with pytest.raises(SignerUnavailable, match="another key"):
        signer_address(target(tmp_path, table(vault, vault.key())), tmp_path)


def test_a_service_that_hangs_is_given_up(
    vault: KeyVaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_evm(tmp_path, table(vault, vault.key()))
    monkeypatch.setattr(service, "TOTAL_S", 0.5)
    vault.fault = lambda path: (429, {"error": {"code": "Busy"}}, {"Retry-After": "3"})
    began_s = time.monotonic()
    with pytest.raises(SignerNoAnswer, match="too long"):
        checked_signature(backend, DIGEST)
    assert time.monotonic() - began_s < 3


def test_a_certificate_nobody_vouches_for_is_refused(
    vault: KeyVaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = target(tmp_path, table(vault, vault.key()))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(SignerUnavailable, match="not trusted"):
        signer_address(found, tmp_path)
    assert vault.asked == []


@pytest.mark.parametrize("key", ["a b", "x/1", "../secrets", "x/" + "g" * 32, ""])
def test_what_is_no_name_of_a_key_is_refused(vault: KeyVaultServer, tmp_path: Path, key: str) -> None:
    with pytest.raises(ShipError) as caught:
        signer_address(target(tmp_path, table(vault, key)), tmp_path)
    assert caught.value.exit_code == 2
    assert vault.asked == []


def test_plain_http_is_refused(tmp_path: Path) -> None:
    found = {"backend": "azure-kv", "key": "x", "url": "http://127.0.0.1:1"}
    with pytest.raises(SignerUnavailable, match="https"):
        signer_address(target(tmp_path, found), tmp_path)


def test_without_the_extra_it_says_how_to_get_it(
    vault: KeyVaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = target(tmp_path, table(vault, vault.key()))
    monkeypatch.setitem(sys.modules, "azure.keyvault.keys", None)
    with pytest.raises(SignerUnavailable) as caught:
        signer_address(found, tmp_path)
    assert caught.value.remedy == 'pip install "contract-ship[azure]"'
