"""``aws-kms`` on ministack, with a proxy between them for what ministack never does."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from pathlib import Path

import pytest

from chains.errors import ShipError
from pipeline.manifest.redaction import redact
from pipeline.signing import service
from pipeline.signing.base import SignatureRejected, checked_signature
from pipeline.signing.context import SignerNoAnswer, SignerUnavailable
from pipeline.signing.opening import signer_address
from tests.support.anvil import tool
from tests.support.ministack import CREDENTIALS, REGION, Ministack
from tests.support.service_proxy import Answer, ServiceProxy
from tests.support.signers import open_evm, open_message, target

JSON = {"Content-Type": "application/x-amz-json-1.1"}
DIGEST = b"\x05" * 32
SECRET = CREDENTIALS["aws_secret_access_key"]


def table(proxy: ServiceProxy, key: str, **more: str) -> dict[str, str]:
    return {"backend": "aws-kms", "key": key, "region": REGION, "url": proxy.url, **more}


def fault(code: str, status: int = 400) -> Answer:
    return Answer(status, json.dumps({"__type": code, "message": f"planted {SECRET}"}).encode(), JSON)


def on(operation: str, *answers: Answer | None):
    """These answers to ``operation``, one after the other; the last one from then on."""
    left = list(answers)
    return lambda asked, body: (left.pop(0) if len(left) > 1 else left[0]) if asked == operation else None


def without_secrets(error: ShipError, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = capfd.readouterr()
    for text in (str(error), error.cause, error.remedy, error.done, repr(error), out, err):
        assert "canary" not in text
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_cast_finds_the_same_address(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    key = stack.key()
    environment = {**stack.environment, "AWS_KMS_KEY_ID": key, "HOME": str(tmp_path)}
    done = subprocess.run(
        [tool("cast"), "wallet", "address", "--aws"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == signer_address(target(tmp_path, table(proxy, key)), tmp_path)


@pytest.mark.parametrize("form", ["alias", "ARN", "id"])
def test_a_key_by_any_of_its_names(stack: Ministack, proxy: ServiceProxy, tmp_path: Path, form: str) -> None:
    arn = stack.key(alias=f"alias/named-by-{form}")
    name = {"alias": f"alias/named-by-{form}", "ARN": arn, "id": arn.rpartition("/")[2]}[form]
    found = table(proxy, name)
    if form == "ARN":
        del found["region"]  # the ARN says it
    backend = open_evm(tmp_path, found)
    assert checked_signature(backend, DIGEST)
    assert backend.assurance == "service"  # ministack is no hardware module


def test_a_pinned_address_needs_no_answer(proxy: ServiceProxy, tmp_path: Path) -> None:
    pinned = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    assert signer_address(target(tmp_path, table(proxy, "alias/none"), address=pinned), tmp_path) == pinned
    assert proxy.requests == 0


def test_one_public_key_and_one_request_a_signature(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    found = table(proxy, stack.key())
    address = signer_address(target(tmp_path, found), tmp_path)
    proxy.seen.clear()
    backend = open_evm(tmp_path, found, address)
    for _ in range(3):
        checked_signature(backend, DIGEST)
    assert proxy.seen == ["GetPublicKey", "Sign", "Sign", "Sign"]


def test_a_role_is_assumed(
    stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    role = "arn:aws:iam::000000000000:role/deployer"
    assert checked_signature(open_evm(tmp_path, table(proxy, stack.key(), role=role)), DIGEST)
    assert proxy.seen[1:] == ["GetPublicKey", "/", "GetPublicKey", "Sign"]  # "/" is STS, once for each opening


def test_a_role_that_does_not_trust_us(
    stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    denied = b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>"
    proxy.meddle = on("/", Answer(403, denied, {"Content-Type": "text/xml"}))
    found = table(proxy, stack.key(), role="arn:aws:iam::000000000000:role/of-others")
    with pytest.raises(SignerUnavailable, match="AssumeRole: AccessDenied") as caught:
        signer_address(target(tmp_path, found), tmp_path)
    assert "trusts" in caught.value.remedy
    assert "GetPublicKey" not in proxy.seen


def test_web_identity_logs_in_by_itself(
    stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in GitHub Actions: no key in the environment, a token in a file and a role."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    token = tmp_path / "token"
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "repo:acme/vault:environment:production"}).encode()).decode()
    token.write_text(f"e30.{claims.rstrip('=')}.canary")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/deployer")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    assert checked_signature(open_evm(tmp_path, table(proxy, stack.key())), DIGEST)
    assert "/" in proxy.seen


def test_credentials_are_hidden_once_used(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    open_evm(tmp_path, table(proxy, stack.key()))
    assert SECRET not in redact(f"somebody prints {SECRET}")


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ExpiredTokenException", 400, SignerNoAnswer),
        ("UnrecognizedClientException", 400, SignerNoAnswer),
        ("KMSInternalException", 500, SignerNoAnswer),
        ("AccessDeniedException", 400, SignerUnavailable),
        ("NotFoundException", 400, SignerUnavailable),
        ("DisabledException", 400, SignerUnavailable),
        ("KMSInvalidStateException", 400, SignerUnavailable),
        ("<script>not a code", 400, SignerUnavailable),
    ],
)
def test_errors_in_the_middle_of_a_run(
    stack: Ministack,
    proxy: ServiceProxy,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    code: str,
    status: int,
    error: type[ShipError],
) -> None:
    backend = open_evm(tmp_path, table(proxy, stack.key()))
    proxy.meddle = on("Sign", fault(code, status))
    with pytest.raises(error) as caught:
        checked_signature(backend, DIGEST)
    assert caught.value.exit_code == (3 if error is SignerNoAnswer else 2)
    assert "<" not in caught.value.cause
    without_secrets(caught.value, capfd)


def test_throttling_is_waited_out(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, table(proxy, stack.key()))
    proxy.meddle = on("Sign", fault("ThrottlingException"), fault("KMSInternalException", 500), None)
    assert checked_signature(backend, DIGEST)
    assert proxy.seen.count("Sign") == 3


def test_throttling_without_end_is_given_up(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, table(proxy, stack.key()))
    proxy.meddle = on("Sign", fault("ThrottlingException"))
    with pytest.raises(SignerNoAnswer):
        checked_signature(backend, DIGEST)
    assert proxy.seen.count("Sign") == 4


UNREADABLE = {
    "too large": Answer(200, b"{" + b" " * 1_000_000 + b"}", JSON),
    "not JSON": Answer(200, b"<html>busy</html>", JSON),
    "HTML of a gateway": Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
    "empty": Answer(200, b"", JSON),
    "nothing in it": Answer(200, b"{}", JSON),
    "not base64": Answer(200, b'{"KeyId": "KEY", "Signature": "%%%"}', JSON),
    "a list": Answer(200, b"[1]", JSON),
    "a redirect": Answer(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"}),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_answer_is_no_answer(stack: Ministack, proxy: ServiceProxy, tmp_path: Path, what: str) -> None:
    key = stack.key()
    backend = open_evm(tmp_path, table(proxy, key))
    answer = UNREADABLE[what]
    proxy.meddle = on("Sign", Answer(answer.status, answer.body.replace(b"KEY", key.encode()), answer.headers))
    with pytest.raises(SignatureRejected if what == "not base64" else SignerNoAnswer):
        checked_signature(backend, DIGEST)


@pytest.mark.parametrize("what", ["not DER", "another key's", "of another digest"])
def test_a_wrong_signature_is_rejected(stack: Ministack, proxy: ServiceProxy, tmp_path: Path, what: str) -> None:
    key = stack.key()
    backend = open_evm(tmp_path, table(proxy, key))
    signer = stack.key() if what == "another key's" else key
    digest = b"\x06" * 32 if what == "of another digest" else DIGEST
    made = stack.kms.sign(KeyId=signer, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")[
        "Signature"
    ]
    signature = base64.b64encode(made + b"\0" if what == "not DER" else made).decode()
    proxy.meddle = on("Sign", Answer(200, json.dumps({"KeyId": key, "Signature": signature}).encode(), JSON))
    with pytest.raises(SignatureRejected) as caught:
        checked_signature(backend, DIGEST)
    assert caught.value.exit_code == 2


def test_an_answer_that_drips_is_given_up(
    stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_evm(tmp_path, table(proxy, stack.key()))
    monkeypatch.setattr(service, "TOTAL_S", 0.7)
    proxy.meddle = on("Sign", Answer(200, drip=True))
    began_s = time.monotonic()
    with pytest.raises(SignerNoAnswer, match="too long"):
        checked_signature(backend, DIGEST)
    assert time.monotonic() - began_s < 5


def test_nobody_there_is_no_answer(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    found = {**table(proxy, stack.key()), "url": "http://127.0.0.1:1"}
    with pytest.raises(SignerNoAnswer, match="EndpointConnectionError"):
        signer_address(target(tmp_path, found), tmp_path)


def test_a_key_for_something_else_is_refused(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    for spec, usage in (("ECC_NIST_P256", "SIGN_VERIFY"), ("RSA_2048", "SIGN_VERIFY"), ("RSA_2048", "ENCRYPT_DECRYPT")):
        with pytest.raises(SignerUnavailable, match="is needed"):
            signer_address(target(tmp_path, table(proxy, stack.key(spec, usage=usage))), tmp_path)


def test_a_key_that_is_not_there(proxy: ServiceProxy, tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="NotFoundException"):
        signer_address(target(tmp_path, table(proxy, "alias/nowhere")), tmp_path)


def test_without_credentials_or_region(
    stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    found = table(proxy, "alias/x")
    with pytest.raises(SignerUnavailable, match="region"):
        signer_address(target(tmp_path, {k: v for k, v in found.items() if k != "region"}), tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SignerUnavailable, match="credentials"):
        signer_address(target(tmp_path, found), tmp_path)


def test_plain_http_elsewhere_is_refused(proxy: ServiceProxy, tmp_path: Path) -> None:
    found = {**table(proxy, "alias/x"), "url": "http://10.0.0.1:4566"}
    with pytest.raises(SignerUnavailable, match="unencrypted"):
        signer_address(target(tmp_path, found), tmp_path)


def test_a_longer_message_than_kms_takes_is_refused_here(stack: Ministack, proxy: ServiceProxy, tmp_path: Path) -> None:
    from solders.pubkey import Pubkey

    key = stack.key("ECC_NIST_EDWARDS25519")
    public = str(Pubkey(stack.kms.get_public_key(KeyId=key)["PublicKey"][-32:]))
    backend = open_message(tmp_path, table(proxy, key), public)
    assert len(backend.sign_message(b"x" * 4096)) == 64
    asked = proxy.requests
    with pytest.raises(SignerUnavailable, match="4096"):
        backend.sign_message(b"x" * 4097)
    assert proxy.requests == asked
