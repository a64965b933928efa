"""Secrets Manager and Systems Manager parameters of ministack, and a proxy in front of it that answers as AWS can."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from chains.errors import ShipError
from pipeline.manifest.redaction import redact
from pipeline.secrets.kept import KEPT
from pipeline.signing import service
from tests.integration.secrets.conftest import VALUE, Read
from tests.support.ministack import CREDENTIALS, Ministack
from tests.support.secret_stores import aws_client, aws_put
from tests.support.service_proxy import Answer, ServiceProxy, service_proxy

Refused = Callable[..., ShipError]


@pytest.fixture
def proxy(stack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceProxy]:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    with service_proxy(stack.url) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running


def failure(code: str, status: int = 400) -> Answer:
    body = json.dumps({"__type": code, "message": f"planted {VALUE} canary"}).encode()
    return Answer(status, body, {"Content-Type": "application/x-amz-json-1.1"})


def test_a_field_or_the_whole_of_a_secret(stack: Ministack, read: Read, monkeypatch) -> None:
    reference = aws_put(stack, monkeypatch.setenv, VALUE, "whole/and-part")
    assert read(reference) == VALUE
    assert json.loads(read("aws-sm:whole/and-part")) == {"value": VALUE}
    client = aws_client(stack, "secretsmanager")
    arn = client.create_secret(Name="plain", SecretString=f"{VALUE}\n")["ARN"]
    assert read("aws-sm:plain") == read(f"aws-sm:{arn}") == VALUE
    assert redact(f"={VALUE}=") == "=[redacted]="
    key = CREDENTIALS["aws_secret_access_key"]
    assert key not in redact(f"with {key}")


def test_an_arn_carries_its_region(stack: Ministack, read: Read, monkeypatch, refused: Refused) -> None:
    aws_put(stack, monkeypatch.setenv, VALUE, "regional")
    arn = aws_client(stack, "secretsmanager").describe_secret(SecretId="regional")["ARN"]
    monkeypatch.delenv("AWS_REGION")
    refused("aws-sm:regional#value", "no AWS region")
    assert read(f"aws-sm:{arn}#value") == VALUE


def test_a_parameter_is_decrypted(stack: Ministack, read: Read, monkeypatch) -> None:
    assert read(aws_put(stack, monkeypatch.setenv, VALUE, "ship", parameter=True)) == VALUE
    kept = aws_client(stack, "ssm").get_parameter(Name="/ship/value")["Parameter"]
    assert (kept["Type"], kept["Value"] == VALUE) == ("SecureString", False)


def test_it_is_asked_once_a_run(stack: Ministack, proxy: ServiceProxy, read: Read, monkeypatch) -> None:
    aws_client(stack, "secretsmanager").create_secret(Name="once", SecretString=json.dumps({"a": VALUE, "b": "bbbb"}))
    assert [read("aws-sm:once#a"), read("aws-sm:once#b"), read("aws-sm:once#a")] == [VALUE, "bbbb", VALUE]
    assert proxy.seen == ["GetSecretValue"]


def test_what_is_not_there_is_refused(stack: Ministack, proxy: ServiceProxy, refused: Refused) -> None:
    client = aws_client(stack, "secretsmanager")
    client.create_secret(Name="fields", SecretString=json.dumps({"deep": {"a": VALUE}}))
    client.create_secret(Name="text", SecretString=VALUE)
    client.create_secret(Name="bytes", SecretBinary=VALUE.encode())
    refused("aws-sm:fields#absent", "no field absent")
    refused("aws-sm:fields#deep", "neither text")
    refused("aws-sm:text#a", "not JSON")
    refused("aws-sm:bytes", "kept as bytes")
    refused("aws-sm:absent", "none of this name")
    refused("aws-ssm:/absent", "none of this name")
    refused("aws-sm:text#", "no field")


@pytest.mark.parametrize("reference", ["aws-sm:x", "aws-ssm:/x"])
def test_refusals_end_the_run_and_trouble_lets_it_be_resumed(
    proxy: ServiceProxy, refused: Refused, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TOTAL_S", 3.0)
    proxy.meddle = lambda operation, body: failure("AccessDeniedException")
    error = refused(reference, "AccessDeniedException")
    assert "kms:Decrypt" in error.remedy
    for answer, word in (
        (failure("ExpiredTokenException"), "ExpiredTokenException"),
        (failure("InternalFailure", 500), "InternalFailure"),
        (Answer(200, b"<html>canary"), ""),
        (Answer(200, b'{"canary": 1}', {"Content-Type": "application/x-amz-json-1.1"}), ""),
        (Answer(200, drip=True), "too long"),
        (Answer(200, b" " * 300_000), "larger"),
    ):
        proxy.meddle = lambda operation, body, answer=answer: answer
        refused(reference, "no usable answer", word, code="SHIP-M42", exit_code=3)


def test_without_a_login_or_an_encrypted_way_nothing_is_asked(
    proxy: ServiceProxy, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    error = refused("aws-sm:x", "no AWS credentials")
    assert "aws sso login" in error.remedy
    monkeypatch.setenv("AWS_PROFILE", "absent")
    KEPT.forget()
    refused("aws-sm:x", "no AWS credentials")
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example.org")
    KEPT.forget()
    refused("aws-ssm:/x", "unencrypted")
    assert proxy.requests == 0


def test_a_service_that_is_down(proxy: ServiceProxy, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    refused("aws-sm:x", "EndpointConnectionError", code="SHIP-M42", exit_code=3)
