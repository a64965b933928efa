"""Secrets of a real OpenBao's KV version 2: every login, what it refuses, and a server that is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chains.errors import ShipError
from pipeline.manifest.redaction import redact
from pipeline.secrets.kept import KEPT
from pipeline.signing import vault_session
from tests.integration.secrets.conftest import VALUE, Read
from tests.support.openbao import ROOT_TOKEN, OpenBao, github_jwt, openbao
from tests.support.secret_stores import vault_put
from tests.support.service_proxy import Answer, service_proxy

pytestmark = pytest.mark.xdist_group("openbao")
Refused = Callable[..., ShipError]


@pytest.fixture
def put(bao: OpenBao, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    return lambda value=VALUE, name="ship": vault_put(bao, monkeypatch.setenv, value, name)


def reader(bao: OpenBao, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> str:
    """A token that may read ``secret/ship`` and nothing else; the environment has it."""
    bao.allow("ship-reader", "secret/data/ship")
    token = bao.token("ship-reader", **settings)
    monkeypatch.setenv("VAULT_TOKEN", token)
    return token


def test_a_token_of_the_environment_reads_it(put, bao, read: Read, monkeypatch) -> None:
    reference = put(f"{VALUE}\n")
    token = reader(bao, monkeypatch)
    assert read(reference) == VALUE
    assert VALUE not in redact(f"it is {VALUE}")
    assert token not in redact(f"with {token}")


def test_openbaos_own_names_come_first(put, read: Read, monkeypatch) -> None:
    reference = put()
    monkeypatch.setenv("BAO_TOKEN", ROOT_TOKEN)
    monkeypatch.setenv("VAULT_TOKEN", "canary-another-token")
    assert read(reference) == VALUE


def test_a_machine_logs_in_by_approle(put, bao, read: Read, monkeypatch, refused: Refused) -> None:
    reference = put()
    bao.allow("ship-reader", "secret/data/ship")
    bao.do("POST", "auth/approle/role/ship", {"token_policies": ["ship-reader"], "token_ttl": "10m"})
    role_id = bao.do("GET", "auth/approle/role/ship/role-id")["data"]["role_id"]
    secret_id = bao.do("POST", "auth/approle/role/ship/secret-id")["data"]["secret_id"]
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_ROLE_ID", role_id)
    error = refused(reference, "needs VAULT_SECRET_ID")
    monkeypatch.setenv("VAULT_SECRET_ID", "canary-wrong-secret-id")
    error = refused(reference, "refuses the approle login", "HTTP 400")
    assert "credentials" in error.remedy
    monkeypatch.setenv("VAULT_SECRET_ID", secret_id)
    KEPT.forget()
    assert read(reference) == VALUE
    assert secret_id not in redact(f"with {secret_id}")


def test_a_workflow_logs_in_by_its_jwt(put, bao, read: Read, monkeypatch, refused: Refused) -> None:
    reference = put()
    rsa = generate_private_key(65537, 2048)
    public = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    bao.do("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]})
    bao.allow("ship-reader", "secret/data/ship")
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["https://vault.example"],
        "bound_claims": {"repository": "acme/vault"},
        "token_policies": ["ship-reader"],
    }
    bao.do("POST", "auth/jwt/role/release", role)
    monkeypatch.delenv("VAULT_TOKEN")
    monkeypatch.setenv("VAULT_ROLE", "release")
    monkeypatch.setenv("VAULT_JWT", github_jwt(rsa, repository="evil/fork"))
    refused(reference, "refuses the jwt login")
    monkeypatch.setenv("VAULT_JWT", github_jwt(rsa))
    KEPT.forget()
    assert read(reference) == VALUE


def test_a_mount_may_have_slashes_in_its_name(bao, put, read: Read) -> None:
    put()
    bao.do("POST", "sys/mounts/teams/release/kv", {"type": "kv", "options": {"version": "2"}})
    bao.do("POST", "teams/release/kv/data/a/b", {"data": {"x.y": VALUE, "pin": 48213}})
    assert read("vault:teams/release/kv/a/b#x.y") == VALUE
    assert read("vault:teams/release/kv/a/b#pin") == "48213"


def test_one_login_and_one_request_serve_a_run(put, bao, read: Read, monkeypatch) -> None:
    reference = put()
    with service_proxy(bao.url) as proxy:
        monkeypatch.setenv("VAULT_ADDR", proxy.url)
        assert read(reference) == read(reference) == VALUE
        assert read(reference.replace("#value", "#other")) == "canary-other-field"
        assert [path for path in proxy.seen if "secret/data" in path] == ["/v1/secret/data/ship"]
        assert len([path for path in proxy.seen if "auth/token" in path]) == 1


def test_what_is_not_there_is_refused(put, bao, monkeypatch, refused: Refused) -> None:
    put()
    refused("vault:secret/ship#absent", "no field absent")
    refused("vault:secret/nothing#value", "nothing there")
    refused("vault:nowhere/ship#value")
    refused("vault:transit/ship#value", "not KV version 2")
    refused("vault:secret/../ship#value", ". or .. part")
    refused("vault:secret#value", "no mount")
    refused("vault:secret/ship", "no field")
    bao.do("POST", "secret/data/gone", {"data": {"value": VALUE}})
    bao.do("DELETE", "secret/data/gone")
    refused("vault:secret/gone#value", "deleted")
    bao.do("POST", "secret/data/odd", {"data": {"value": {"nested": VALUE}, "blank": " \n", "huge": "x" * 70_000}})
    refused("vault:secret/odd#value", "neither text")
    refused("vault:secret/odd#blank", "empty")
    refused("vault:secret/odd#huge", "64 KiB")


def test_a_login_without_the_right_is_told_which_it_lacks(put, bao, monkeypatch, refused: Refused, read: Read) -> None:
    reference = put()
    put(name="other")
    reader(bao, monkeypatch)
    error = refused("vault:secret/other#value", "HTTP 403")
    assert "secret/data/other" in error.remedy
    assert read(reference) == VALUE
    monkeypatch.setenv("VAULT_TOKEN", "canary-no-such-token")
    KEPT.forget()
    refused(reference, "HTTP 403")


def test_a_login_that_ends_in_the_run_is_one_that_can_be_resumed(put, bao, read: Read, refused, monkeypatch) -> None:
    reference = put()
    bao.allow("ship-reader", "secret/data/ship", "secret/data/late")
    bao.do("POST", "secret/data/late", {"data": {"value": VALUE}})
    token = reader(bao, monkeypatch)
    assert read(reference) == VALUE
    bao.revoke(token)
    refused("vault:secret/late#value", "has ended", code="SHIP-M42", exit_code=3)
    assert read(reference) == VALUE  # what the run has, it has


def test_where_the_server_is_has_to_be_said_and_safe(put, monkeypatch, refused: Refused) -> None:
    reference = put()
    monkeypatch.delenv("VAULT_TOKEN")
    refused(reference, "no login to OpenBao or Vault")
    monkeypatch.setenv("VAULT_TOKEN", ROOT_TOKEN)
    for address, word in (
        ("http://vault.example.org", "local hosts only"),
        ("http://10.1.2.3:8200", "unencrypted"),
        ("https://169.254.169.254", "metadata"),
        ("ftp://vault.example.org", "refused"),
    ):
        monkeypatch.setenv("VAULT_ADDR", address)
        refused(reference, word)
    monkeypatch.delenv("VAULT_ADDR")
    error = refused(reference, "VAULT_ADDR (or BAO_ADDR) is not set")
    assert "https://" in error.remedy


def test_a_server_that_does_not_answer_is_asked_later(put, bao, monkeypatch, refused: Refused) -> None:
    monkeypatch.setattr(vault_session, "TOTAL_S", 1.0)
    reference = put()
    with service_proxy(bao.url) as proxy:
        monkeypatch.setenv("VAULT_ADDR", proxy.url)
        for answer, word in (
            (Answer(503, b'{"errors":["canary"]}'), "overloaded"),
            (Answer(200, b"<html>canary</html>"), "not JSON"),
            (Answer(302, b"", {"Location": "https://elsewhere.example"}), "redirects"),
            (Answer(200, drip=True), "within"),
            (Answer(200, b" " * 2_000_000), "too large"),
        ):
            proxy.meddle = lambda operation, body, answer=answer: answer
            KEPT.forget()
            refused(reference, word, code="SHIP-M42", exit_code=3)
        asked = proxy.requests
        refused("vault:secret/another#value", "too large", code="SHIP-M42", exit_code=3)
        assert proxy.requests == asked, "a server that is down is not waited for once a secret"
        KEPT.forget()
        proxy.meddle = lambda path, body: Answer(200, b'{"data":{"data":["canary"]}}') if "data/ship" in path else None
        refused(reference, "no secret", code="SHIP-M42", exit_code=3)
    KEPT.forget()
    refused(reference, "cannot be reached", code="SHIP-M42", exit_code=3)


def test_over_tls_its_authority_has_to_be_named(tmp_path, monkeypatch, read: Read, refused: Refused) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    with openbao(folder) as server:
        reference = vault_put(server, monkeypatch.setenv, VALUE)
        refused(reference, "certificate is not trusted")
        monkeypatch.setenv("VAULT_CACERT", str(server.authority))
        KEPT.forget()
        assert read(reference) == VALUE
