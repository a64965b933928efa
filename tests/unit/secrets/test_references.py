"""How references are written: what names a place in a store, and what is refused unshown."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from chains.errors import Where
from pipeline.manifest.fields import Endpoint, SecretReference
from pipeline.manifest.literal_secrets import literal_secret
from pipeline.manifest.secret_names import FORMS
from pipeline.secrets.base import NotGiven, field_of, tidied

REFERENCE: TypeAdapter[str] = TypeAdapter(SecretReference)
ENDPOINT: TypeAdapter[str] = TypeAdapter(Endpoint)


@pytest.mark.parametrize(
    "text",
    [
        *FORMS.values(),
        "vault:teams/release/kv/base#rpc-url",
        "aws-sm:release/base",
        "aws-sm:arn:aws:secretsmanager:eu-west-1:000000000000:secret:base-AbCdEf#a.b",
        "aws-ssm:/release/base",
        "sops:secrets/base.yaml#rpc.0.url",
        "age:~/secrets/base.age",
        "keyring:ship/releases/base",
    ],
)
def test_every_store_is_named_so(text: str) -> None:
    assert REFERENCE.validate_python(text) == ENDPOINT.validate_python(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "vault:",
        "vault:secret/base",
        "vault:base#url",
        "vault:secret//base#url",
        "vault:secret/base#",
        "vault:secret/ba%73e#url",
        "aws-sm:base#",
        "aws-sm:#url",
        "aws-ssm:",
        "sops:base.yaml",
        "sops:#url",
        "age:",
        "age:a\nb",
        "keyring:ship",
        "keyring:/base",
        "keyring:ship/",
        "gcp-sm:base",
    ],
)
def test_what_names_no_place_is_refused_unshown(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        REFERENCE.validate_python(text)
    context = caught.value.errors()[0]["ctx"]
    assert context["kind"] == "BadSecretReference"
    scheme = text.partition(":")[0] + ":"
    assert FORMS.get(scheme, "env:NAME") in context["remedy"]
    if not text.endswith(":"):
        assert text not in context["cause"] + context["remedy"]


@pytest.mark.parametrize("value", ["AGE-SECRET-KEY-1" + "Q" * 58, "a" * 64, "hvs." + "C" * 30])
@pytest.mark.parametrize("scheme", FORMS)
def test_a_secret_behind_a_prefix_is_a_secret(scheme: str, value: str) -> None:
    problem = literal_secret(("signer", "password"), scheme + value)
    assert problem is not None
    assert value not in problem(Where("manifests/base.toml")).cause


def test_fields_of_a_document() -> None:
    text = '{"a.b": "whole", "a": {"b": "path", "c": ["x", "y"]}, "n": 1e3, "t": true, "z": null}'
    assert [field_of(text, name) for name in ("a.b", "a.c.1", "n")] == ["whole", "y", "1e3"]
    for name in ("a", "a.c", "a.c.2", "a.c.-1", "a.c.x", "t", "z", "absent", "a.b.c"):
        with pytest.raises(NotGiven):
            field_of(text, name)
    for broken in ("", "nothing", "[" * 100_000, '"text"', "[1]"):
        with pytest.raises(NotGiven):
            field_of(broken, "a")


def test_one_final_newline_is_dropped() -> None:
    assert [tidied(text) for text in ("a\n", "a\r\n", "a\n\n", " a ")] == ["a", "a", "a\n", " a "]
