"""Ed25519 keys in the transit engine of a real OpenBao, and a proxy in front of it that misbehaves."""

from __future__ import annotations

import base64
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from solders.pubkey import Pubkey

from pipeline.manifest.secrets import redact
from pipeline.signing import vault_session
from pipeline.signing.base import SignatureRejected
from pipeline.signing.context import SignerContext, SignerNoAnswer, SignerUnavailable
from pipeline.signing.ed25519 import CheckedMessages
from pipeline.signing.opening import open_message_backend, signer_address
from pipeline.signing.vault_backend import VaultKey, open_ed25519, parse_signature
from tests.support.openbao import OpenBao, github_jwt, openbao
from tests.support.service_proxy import Answer, ServiceProxy, service_proxy
from tests.support.signers_hsm import signer_context

pytestmark = pytest.mark.xdist_group("openbao")

SUB = "repo:acme/vault:environment:production"


@pytest.fixture(scope="module")
def bao() -> Any:
    """With an ed25519 key ``deployer``, and the policies ``signer`` (sign and read it) and ``sign-only``."""
    with openbao() as server:
        server.key("deployer")
        server.allow("signer", "transit/sign/deployer", "transit/keys/deployer")
        server.allow("sign-only", "transit/sign/deployer")
        yield server


@pytest.fixture(scope="module")
def rsa() -> Any:
    return generate_private_key(65537, 2048)


def table(bao: OpenBao, *more: str, key: str = "deployer/1", url: str | None = None) -> str:
    return "\n".join([f'backend = "vault"\nurl = "{url or bao.url}"\nkey = "{key}"', *more])


def with_token(tmp_path: Path, bao: OpenBao, token: str, *more: str, **settings: Any) -> SignerContext:
    (tmp_path / "p").mkdir(exist_ok=True)
    (tmp_path / "p/token").write_text(token)
    return signer_context(tmp_path / "p", table(bao, 'token = "file:token"', *more, **settings))


def public_key(bao: OpenBao, name: str = "deployer", version: str = "1") -> bytes:
    return base64.b64decode(bao.do("GET", f"transit/keys/{name}")["data"]["keys"][version]["public_key"])


def refused(call: Any, *words: str, kind: Any = SignerUnavailable, exit_code: int = 2) -> Any:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.exit_code == exit_code
    for word in words:
        assert word in caught.value.cause
    assert caught.value.__cause__ is None  # a library's error would carry the URL
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def signs(key: VaultKey) -> bytes:
    return CheckedMessages(key).sign_message(os.urandom(100))


# -- what works --------------------------------------------------------------------------------------------------------


def test_messages_of_any_length_are_signed(bao, tmp_path):
    key = open_ed25519(with_token(tmp_path, bao, bao.token("signer")))
    assert (key.public_key, key.assurance, key.notes) == (public_key(bao), "service", ())
    checked = CheckedMessages(key)
    for length in [*range(1, 65), *range(65, 1232, 97), 1232]:
        assert len(checked.sign_message(os.urandom(length))) == 64


def test_the_right_to_sign_with_one_key_is_enough_when_it_is_pinned(bao, tmp_path):
    token = bao.token("sign-only")
    refused(lambda: open_ed25519(with_token(tmp_path, bao, token)), "refuses reading", "403")
    pinned = f'public-key = "{Pubkey(public_key(bao))}"'
    context = with_token(tmp_path, bao, token, pinned)
    signed = open_message_backend(context.target, context.root, lambda *_: "").sign_message(b"x")
    assert len(signed) == 64
    bao.key("other")
    other = open_ed25519(with_token(tmp_path, bao, token, pinned, key="other/1"))
    refused(lambda: other.sign_message(b"x"), "refuses signing", "403")
    refused(lambda: open_ed25519(with_token(tmp_path, bao, token, pinned, key="deployer")), "refuses reading")


def test_another_key_than_the_pinned_one_is_refused_and_a_pin_is_asked_for(bao, tmp_path):
    context = with_token(tmp_path, bao, bao.token("signer"), f'public-key = "{Pubkey(bytes(range(32)))}"')
    refused(lambda: open_message_backend(context.target, context.root, lambda *_: ""), "the target pins")
    context = with_token(tmp_path, bao, bao.token("signer"))
    refused(lambda: open_message_backend(context.target, context.root, lambda *_: ""), str(Pubkey(public_key(bao))))


def test_a_rotated_key_goes_on_signing_with_the_version_it_was_opened_with(bao, tmp_path):
    bao.key("turning")
    bao.allow("turning", "transit/sign/turning", "transit/keys/turning")
    token = bao.token("turning")
    key = open_ed25519(with_token(tmp_path, bao, token, key="turning"))
    bao.do("POST", "transit/keys/turning/rotate")
    assert signs(key)
    assert key.public_key == public_key(bao, "turning", "1")
    assert open_ed25519(with_token(tmp_path, bao, token, key="turning")).public_key == public_key(bao, "turning", "2")
    assert signs(open_ed25519(with_token(tmp_path, bao, token, key="turning/2")))


def test_a_namespace_is_another_server(bao, tmp_path):
    bao.do("POST", "sys/namespaces/team")
    for path, body in (
        ("team/sys/mounts/keys", {"type": "transit"}),
        ("team/keys/keys/deployer", {"type": "ed25519"}),
        ("team/sys/policies/acl/signer", {"policy": 'path "keys/*" { capabilities = ["update", "read"] }'}),
    ):
        bao.do("POST", path, body)
    token = bao.do("POST", "team/auth/token/create", {"policies": ["signer"]})["auth"]["client_token"]
    key = open_ed25519(with_token(tmp_path, bao, token, 'namespace = "team"', 'mount = "keys"'))
    assert signs(key)
    assert key.public_key != public_key(bao)
    refused(lambda: open_ed25519(with_token(tmp_path, bao, token, 'mount = "keys"')), "refuses reading")


# -- logins ------------------------------------------------------------------------------------------------------------


def approle(bao: OpenBao, tmp_path: Path, **settings: Any) -> tuple[SignerContext, str]:
    bao.do("POST", "auth/approle/role/ship", {"token_policies": ["signer"], "token_ttl": "1m", **settings})
    role_id = bao.do("GET", "auth/approle/role/ship/role-id")["data"]["role_id"]
    secret_id = bao.do("POST", "auth/approle/role/ship/secret-id")["data"]["secret_id"]
    (tmp_path / "p").mkdir(exist_ok=True)
    (tmp_path / "p/role").write_text(role_id)
    (tmp_path / "p/secret-id").write_text(secret_id)
    lines = table(bao, 'auth = "approle"', 'role-id = "file:role"', 'secret-id = "file:secret-id"')
    return signer_context(tmp_path / "p", lines), secret_id


def jwt_context(bao: OpenBao, rsa: Any, tmp_path: Path, **claims: Any) -> SignerContext:
    public = rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    bao.do("POST", "auth/jwt/config", {"jwt_validation_pubkeys": [public]})
    bao.do(
        "POST",
        "auth/jwt/role/ship",
        {
            "role_type": "jwt",
            "user_claim": "repository",
            "bound_audiences": ["https://vault.example"],
            "bound_subject": SUB,
            "bound_claims": {"repository": "acme/vault", "ref": "refs/heads/main"},
            "token_policies": ["signer"],
            "token_ttl": "1m",
        },
    )
    (tmp_path / "p").mkdir(exist_ok=True)
    (tmp_path / "p/jwt").write_text(github_jwt(rsa, **claims))
    return signer_context(tmp_path / "p", table(bao, 'auth = "jwt"', 'role = "ship"', 'token = "file:jwt"'))


def test_approle_and_jwt_log_in(bao, rsa, tmp_path):
    assert signs(open_ed25519(approle(bao, tmp_path)[0]))
    assert signs(open_ed25519(jwt_context(bao, rsa, tmp_path)))


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "repo:acme/vault:pull_request"},
        {"repository": "mallory/vault"},
        {"ref": "refs/heads/other"},
        {"aud": "https://elsewhere.example"},
        {"exp": 1_000_000_000},
    ],
)
def test_a_jwt_with_another_claim_is_refused(bao, rsa, tmp_path, claims):
    context = jwt_context(bao, rsa, tmp_path, **claims)
    error = refused(lambda: open_ed25519(context), "refuses the jwt login")
    assert (tmp_path / "p/jwt").read_text() not in error.cause


def test_a_wrong_secret_id_or_token_is_refused_at_the_start(bao, tmp_path):
    context, _ = approle(bao, tmp_path)
    (tmp_path / "p/secret-id").write_text("canary-secret-id-0000")
    assert "canary" not in refused(lambda: open_ed25519(context), "refuses the approle login").cause
    error = refused(lambda: open_ed25519(with_token(tmp_path, bao, "canary-token-0000")), "refuses reading", "403")
    assert "canary" not in error.cause


def test_a_login_lacks_what_its_method_needs(bao, tmp_path):
    for auth, key in (("token", "token"), ("approle", "role-id"), ("jwt", "token")):
        refused(lambda: open_ed25519(signer_context(tmp_path / "p", table(bao, f'auth = "{auth}"'))), key)  # noqa: B023


def test_nothing_is_taken_from_the_environment(bao, tmp_path, monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", bao.token("signer"))
    monkeypatch.setenv("VAULT_ADDR", bao.url)
    refused(lambda: open_ed25519(signer_context(tmp_path / "p", table(bao))), "token")


# -- logins that end ---------------------------------------------------------------------------------------------------


def test_a_token_that_ends_stops_the_run_to_be_resumed(bao, tmp_path):
    token = bao.token("signer")
    key = open_ed25519(with_token(tmp_path, bao, token))
    assert signs(key)
    bao.revoke(token)
    error = refused(lambda: key.sign_message(b"x"), "has ended", kind=SignerNoAnswer, exit_code=3)
    assert token not in error.cause


def test_a_right_taken_away_is_a_refusal_and_not_an_end(bao, tmp_path):
    bao.allow("passing", "transit/sign/deployer", "transit/keys/deployer")
    key = open_ed25519(with_token(tmp_path, bao, bao.token("passing")))
    assert signs(key)
    bao.allow("passing", "transit/keys/deployer")
    refused(lambda: key.sign_message(b"x"), "refuses signing", "403")


def test_approle_logs_in_again_as_long_as_it_may(bao, tmp_path):
    context, _ = approle(bao, tmp_path)
    key = open_ed25519(context)
    for _ in range(2):
        bao.do("POST", "auth/token/revoke", {"token": key._session._client.token})
        assert signs(key)
    bao.do("POST", "auth/token/revoke", {"token": key._session._client.token})
    (tmp_path / "p/secret-id").write_text("used-up-0000")
    refused(lambda: key.sign_message(b"x"), "has ended", "approle", kind=SignerNoAnswer, exit_code=3)


def test_a_jwt_that_is_over_stops_the_run_and_a_fresh_one_goes_on(bao, rsa, tmp_path):
    key = open_ed25519(jwt_context(bao, rsa, tmp_path))
    bao.do("POST", "auth/token/revoke", {"token": key._session._client.token})
    fresh = (tmp_path / "p/jwt").read_text()
    (tmp_path / "p/jwt").write_text(github_jwt(rsa, exp=1_000_000_000))
    refused(lambda: key.sign_message(b"x"), "has ended", "jwt", kind=SignerNoAnswer, exit_code=3)
    (tmp_path / "p/jwt").write_text(fresh)
    assert signs(key)


def test_a_short_lease_is_renewed_before_it_ends(bao, tmp_path):
    key = open_ed25519(with_token(tmp_path, bao, bao.token("signer", ttl="3s")))
    token, until = key._session._client.token, time.monotonic() + 5
    while time.monotonic() < until:
        assert signs(key)
    assert key._session._client.token == token


def test_a_lease_that_can_be_renewed_no_more_stops_the_run(bao, tmp_path):
    key = open_ed25519(with_token(tmp_path, bao, bao.token("signer", ttl="2s", explicit_max_ttl="2s")))
    until = time.monotonic() + 20

    def until_it_ends() -> None:
        while time.monotonic() < until:
            signs(key)

    refused(until_it_ends, "has ended", kind=SignerNoAnswer, exit_code=3)


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_an_evm_chain_is_refused_with_the_reason(bao, tmp_path):
    context = with_token(tmp_path, bao, "any")
    refused(lambda: signer_address(context.target, context.root), "no secp256k1")


@pytest.mark.parametrize("kind", ["ecdsa-p256", "aes256-gcm96", "derived"])
def test_a_key_of_another_kind(bao, tmp_path, kind):
    name = f"other-{kind}"
    bao.key(name, "ed25519", derived=True) if kind == "derived" else bao.key(name, kind)
    bao.allow("other", "transit/sign/*", "transit/keys/*")
    refused(lambda: open_ed25519(with_token(tmp_path, bao, bao.token("other"), key=f"{name}/1")), kind, "ed25519")


@pytest.mark.parametrize(
    "key", ["absent/1", "deployer/7", "deployer/0", "deployer/x", "../sys/seal", "deployer/1/2", ".."]
)
def test_a_key_that_is_none(bao, tmp_path, key):
    bao.allow("other", "transit/sign/*", "transit/keys/*")
    refused(lambda: open_ed25519(with_token(tmp_path, bao, bao.token("other"), key=key)))


def test_a_mount_cannot_climb_out(bao, tmp_path):
    for line in ('mount = "../sys"', 'mount = "a/./b"', 'mount = "a//b"'):
        refused(lambda: open_ed25519(with_token(tmp_path, bao, "any", line)), "mount")  # noqa: B023


def test_without_tls_only_this_machine_is_asked(bao, tmp_path):
    refused(lambda: open_ed25519(with_token(tmp_path, bao, "any", url="http://10.1.2.3:8200")), "without TLS")


def test_tls_by_an_authority_that_is_named_and_by_no_other(tmp_path, monkeypatch):
    with openbao(tmp_path) as secure:
        secure.key("deployer")
        secure.allow("signer", "transit/sign/deployer", "transit/keys/deployer")
        context = with_token(tmp_path, secure, secure.token("signer"))
        refused(lambda: open_ed25519(context), "certificate")
        monkeypatch.setenv("VAULT_CACERT", str(secure.authority))
        assert signs(open_ed25519(context))
        monkeypatch.setenv("VAULT_CACERT", str(tmp_path / "absent"))
        refused(lambda: open_ed25519(context), "VAULT_CACERT")


def test_a_key_that_may_leave_is_reported(bao, tmp_path):
    bao.key("leaky", exportable=True, allow_plaintext_backup=True)
    bao.allow("other", "transit/sign/*", "transit/keys/*")
    found = open_ed25519(with_token(tmp_path, bao, bao.token("other"), key="leaky/1")).notes
    assert [word in note for word, note in zip(("exported", "in the clear"), found, strict=True)] == [True, True]


GOOD = "vault:v3:" + base64.b64encode(bytes(range(64))).decode()


def test_a_signature_is_read_strictly():
    assert parse_signature(GOOD, 3) == bytes(range(64))


@pytest.mark.parametrize(
    "text",
    [
        None,
        b"x",
        "",
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace("vault:", "Vault:"),
        GOOD.replace("v3", "v03"),
        GOOD.replace("v3", "v2"),
        GOOD.replace("v3", "v+3"),
        GOOD[:-1],
        GOOD[:-3] + "x==",
        GOOD.replace("+", "-").replace("/", "_").replace("A", "-"),
        "vault:v3:" + base64.b64encode(bytes(63)).decode(),
        "vault:v3:" + base64.b64encode(bytes(65)).decode(),
        GOOD + ":" + GOOD,
    ],
)
def test_what_is_no_signature_is_refused(text):
    with pytest.raises(SignatureRejected):
        parse_signature(text, 3)


# -- a service that misbehaves -----------------------------------------------------------------------------------------


@pytest.fixture
def proxied(bao, tmp_path, monkeypatch):
    """A key opened through a proxy, whose calls last 3 s at most from then on."""
    with service_proxy(bao.url) as proxy:
        key = open_ed25519(with_token(tmp_path, bao, bao.token("signer"), url=proxy.url))
        monkeypatch.setattr(vault_session, "TOTAL_S", 3.0)
        yield key, proxy


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_service_is_asked_again(proxied, status):
    key, proxy = proxied
    before = proxy.requests
    proxy.meddle = lambda *_: Answer(status, b"busy") if proxy.requests < before + 3 else None
    assert signs(key)
    assert proxy.requests == before + 3


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Answer(503, b"busy"), "overloaded"),
        (Answer(200, b"<html>login</html>"), "not JSON"),
        (Answer(200, b" " * 2_000_000 + b"{}"), "too large"),
        (Answer(200, drip=True), "no answer within"),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), "redirects"),
        (Answer(307, headers={"Location": "http://127.0.0.1:9/"}), "redirects"),
    ],
)
def test_a_service_without_an_answer_stops_the_run_in_time(proxied, answer, word):
    key, proxy = proxied
    proxy.meddle = lambda *_: answer
    began = time.monotonic()
    error = refused(lambda: key.sign_message(b"x"), "failed", word, kind=SignerNoAnswer, exit_code=3)
    assert time.monotonic() - began < 10
    assert proxy.url not in error.cause
    assert redact(key._session._client.token) == "[redacted]"


def test_a_service_that_is_gone(tmp_path, monkeypatch):
    with openbao() as own:
        own.key("deployer")
        own.allow("signer", "transit/sign/deployer", "transit/keys/deployer")
        key = open_ed25519(with_token(tmp_path, own, own.token("signer")))
        own.process.kill()
        own.process.wait()
        monkeypatch.setattr(vault_session, "TOTAL_S", 1.0)
        refused(lambda: key.sign_message(b"x"), "cannot be reached", kind=SignerNoAnswer, exit_code=3)


def test_a_redirect_is_not_followed_with_the_token(proxied):
    key, proxy = proxied
    with service_proxy(proxy.url) as elsewhere:
        proxy.meddle = lambda *_: Answer(307, headers={"Location": f"{elsewhere.url}/v1/transit/sign/deployer"})
        refused(lambda: key.sign_message(b"x"), "redirects", kind=SignerNoAnswer, exit_code=3)
        assert elsewhere.requests == 0


def test_a_signature_over_something_else_is_never_given_out(proxied):
    key, proxy = proxied
    other = base64.b64encode(key.sign_message(b"another message")).decode()
    body = f'{{"data": {{"signature": "vault:v1:{other}"}}}}'.encode()
    proxy.meddle = lambda *_: Answer(200, body, {"Content-Type": "application/json"})
    refused(lambda: signs(key), "was not made by", kind=SignatureRejected)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data": null}', b'{"data": {"signature": 7}}'])
def test_an_answer_without_a_signature(proxied, body):
    key, proxy = proxied
    proxy.meddle = lambda *_: Answer(200, body, {"Content-Type": "application/json"})
    with pytest.raises((SignatureRejected, SignerNoAnswer)):
        key.sign_message(b"x")


def test_no_secret_is_logged_at_debug_level(bao, rsa, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    context, secret_id = approle(bao, tmp_path)
    key = open_ed25519(context)
    assert signs(key)
    secrets = [secret_id, (tmp_path / "p/role").read_text(), key._session._client.token]
    other = open_ed25519(jwt_context(bao, rsa, tmp_path))
    assert signs(other)
    secrets += [(tmp_path / "p/jwt").read_text(), other._session._client.token]
    assert caplog.records
    for secret in secrets:
        assert secret not in caplog.text
        assert secret not in repr(key) + repr(vars(key)) + repr(other._session)
        assert redact(f"a {secret} b") == "a [redacted] b"


def test_the_proxy_let_everything_else_through(proxied):
    key, proxy = proxied
    assert signs(key)
    assert isinstance(proxy, ServiceProxy)
    assert proxy.requests > 1
