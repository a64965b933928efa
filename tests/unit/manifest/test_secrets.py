"""A secret is shown by ``reveal`` and by nothing else; what was resolved is hidden everywhere."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import ShipError
from pipeline.manifest.redaction import Redactor, redact_url
from pipeline.manifest.secret_names import SCHEMES
from pipeline.manifest.secrets import (
    EnvironmentStore,
    FileStore,
    Secret,
    SecretRef,
    default_stores,
    resolve_endpoint,
    resolve_secret,
)

VALUE = "correct-horse-battery"


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(VALUE)
    assert secret.reveal() == VALUE
    for shown in (
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret}",
        repr([secret]),
        repr(dir(secret)),
    ):
        assert VALUE not in shown
    for leak in (lambda: pickle.dumps(secret), lambda: json.dumps(secret), lambda: vars(secret)):
        with pytest.raises(TypeError):
            leak()
    assert copy.deepcopy({"k": secret})["k"].reveal() == VALUE


def test_environment_and_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{VALUE}\n")
    stores = (EnvironmentStore({"NAME": VALUE}), FileStore(tmp_path))
    for text in ("env:NAME", "file:key", f"file:{tmp_path}/key"):
        assert resolve_secret(SecretRef(text), stores, redactor=Redactor()).reveal() == VALUE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("env:ABSENT", "SHIP-M40"),
        ("env:EMPTY", "SHIP-M40"),
        ("file:absent", "SHIP-M40"),
        ("file:.", "SHIP-M40"),
        ("file:huge", "SHIP-M40"),
        ("file:binary", "SHIP-M40"),
        ("file:blank", "SHIP-M40"),
        ("file:a\0b", "SHIP-M40"),
        ("vault:kv/ship#key", "SHIP-M40"),
        ("aws-sm:ship#key", "SHIP-M40"),
        ("sops:secrets.yaml#key", "SHIP-M40"),
        ("keyring:ship/key", "SHIP-M40"),
        ("hunter2", "SHIP-M40"),
    ],
)
def test_what_is_not_there_is_refused(text: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "huge").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "blank").write_bytes(b" \n")
    with pytest.raises(ShipError) as caught:
        resolve_secret(SecretRef(text), (EnvironmentStore({"EMPTY": ""}), FileStore(tmp_path)))
    assert caught.value.code == code
    assert "hunter2" not in json.dumps(caught.value.to_json())


def test_further_stores_plug_in() -> None:
    class Notebook:
        scheme = "vault:"

        def read(self, rest: str) -> str:
            return f"{VALUE}-{rest}"

    assert resolve_secret(SecretRef("vault:x"), [Notebook()], redactor=Redactor()).reveal() == f"{VALUE}-x"


def test_what_was_resolved_is_hidden_in_every_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    import base64
    from urllib.parse import quote

    secret = 'p@ss "w0rd"/ü'
    redactor = Redactor()
    resolve_secret(SecretRef("env:NAME"), (EnvironmentStore({"NAME": secret}),), redactor=redactor)
    for spelling in (secret, quote(secret, safe=""), json.dumps(secret), base64.b64encode(secret.encode()).decode()):
        assert secret not in redactor.redact(f"a {spelling} b")
        assert spelling.strip('"') not in redactor.redact(f"a {spelling} b")


def test_a_hex_key_is_hidden_with_and_without_0x_in_both_cases() -> None:
    redactor = Redactor()
    redactor.hide("0x" + "aB12" * 16)
    for text in ("aB12" * 16, "ab12" * 16, "AB12" * 16, "0x" + "ab12" * 16):
        assert text not in redactor.redact(f"key {text}.")


def test_of_a_url_its_key_alone_is_hidden_too() -> None:
    redactor = Redactor()
    redactor.hide("https://rpc.example.org/v2/aB3dE5gH7jK9mN1pQ3sT5vX7")
    assert redactor.redact("POST /v2/aB3dE5gH7jK9mN1pQ3sT5vX7 failed") == "POST /v2/[redacted] failed"


@settings(deadline=None)
@given(st.text('abcdefgh0123456789 :/?&=%é"\\', min_size=4).filter(lambda text: text not in "[redacted]"))
def test_no_secret_survives(secret: str) -> None:
    redactor = Redactor()
    redactor.hide(secret)
    assert secret not in redactor.redact(f"<{secret}>")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/v2/KEY?apikey=K", "https://x"),
        ("https://me:pw@rpc.example.org:8545/a", "https://rpc.example.org:8545"),
        ("http://[::1]:8545/", "http://[::1]:8545"),
        ("https://" + "ab12" * 8 + ".rpc.example.org/", "https://[redacted]"),
        ("not a url", "[redacted]"),
        ("https://[bad", "[redacted]"),
    ],
)
def test_urls_are_shown_by_host(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://etherscan.io/tx/0x" + "ab" * 32,
        "https://basescan.org/address/0x4e59b44847b379578588920cA78FbF26c0B4956C",
        "https://github.com/acme/vault/commit/" + "0a" * 20,
        "https://mainnet.base.org",
        "tx 0x" + "ab" * 32,
    ],
)
def test_public_things_are_not_hidden(text: str) -> None:
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    "url",
    [
        "https://eth-mainnet.g.alchemy.com/v2/aB3dE5gH7jK9mN1pQ3sT5vX7",
        "https://u:p@h.org/x",
        "https://h.org/?apikey=abc",
    ],
)
def test_urls_with_keys_are_hidden_though_nobody_registered_them(url: str) -> None:
    cleaned = Redactor().redact(f"error at {url}")
    assert url not in cleaned
    assert cleaned.startswith("error at https://")


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://rpc.example.org", "SHIP-M28"), ("ftp://x", "SHIP-M28"), ("http://169.254.169.254/", "SHIP-M29")],
)
def test_a_url_behind_a_reference_is_checked_when_used(url: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(url)
    with pytest.raises(ShipError) as caught:
        resolve_endpoint("file:url", tmp_path)
    assert caught.value.code == code
    assert url not in json.dumps(caught.value.to_json())


def test_a_good_endpoint_resolves(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("https://rpc.example.org/v2/key\n")
    assert resolve_endpoint("file:url", tmp_path) == "https://rpc.example.org/v2/key"
    assert resolve_endpoint("https://mainnet.base.org") == "https://mainnet.base.org"
    assert [store.scheme for store in default_stores(tmp_path)] == list(SCHEMES)
