"""``ship signer policy``: exactly one repository's one environment, exactly the calls that signing needs."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.signer.policy import policy
from pipeline.signing.provisioning.base import PolicyInput
from pipeline.signing.provisioning.hcl import Block, render
from tests.support.missing import missing

SUBJECT = "repo:acme/vault:environment:production"
ARN = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
GCP_KEY = "projects/acme/locations/europe-west1/keyRings/deploy/cryptoKeys/deployer"
VAULT = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/deploy/providers/Microsoft.KeyVault/vaults/acme"
)
KEYS = {"aws": ARN, "gcp": GCP_KEY, "azure": f"{VAULT}/keys/deployer", "vault": "deployer"}
MORE = {"gcp": ("--project-number", "42")}


def run(provider: str, form: str = "json", *more: str, **changed: str) -> str:
    given = {"repo": "acme/vault", "environment": "production", "key": KEYS[provider], **changed}
    options = [part for name, value in given.items() for part in (f"--{name}", value)]
    arguments = [provider, *options, *MORE.get(provider, ()), *more, "--format", form]
    return CliRunner().invoke(policy, arguments, catch_exceptions=False).stdout


def documents(provider: str, *more: str) -> dict[str, Any]:
    return {d["name"]: d["body"] for d in json.loads(run(provider, "json", *more))["documents"]}


@pytest.mark.parametrize(
    ("more", "kind", "algorithm"), [((), "DIGEST", "ECDSA_SHA_256"), (("--ed25519",), "RAW", "ED25519_SHA_512")]
)
def test_aws_allows_one_algorithm_on_one_key(more: tuple[str, ...], kind: str, algorithm: str) -> None:
    found = documents("aws", *more)
    sign, read = found["role-permissions"]["Statement"]
    assert (sign["Action"], sign["Resource"]) == ("kms:Sign", ARN)
    assert sign["Condition"] == {"StringEquals": {"kms:MessageType": kind, "kms:SigningAlgorithm": algorithm}}
    assert (read["Action"], read["Resource"]) == ("kms:GetPublicKey", ARN)
    _, of_key, _ = found["key-policy"]["Statement"]
    assert of_key["Principal"] == {"AWS": "arn:aws:iam::123456789012:role/ship-signer"}
    assert of_key["Condition"] == sign["Condition"]


def test_aws_lets_nobody_else_sign() -> None:
    administer = documents("aws")["key-policy"]["Statement"][0]
    assert administer["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    using = {"kms:Sign", "kms:Encrypt", "kms:Decrypt", "kms:CreateGrant", "kms:GenerateMac", "kms:ReEncryptTo"}
    for pattern in administer["Action"]:
        assert not [action for action in using if re.fullmatch(pattern.replace("*", ".*"), action)]


def test_aws_trusts_one_subject() -> None:
    (statement,) = documents("aws")["role-trust"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": SUBJECT,
        }
    }


def test_gcp_gives_two_roles_to_one_subject() -> None:
    found = documents("gcp")
    provider = found["workload-identity-provider"]
    assert f'assertion.sub == "{SUBJECT}"' in provider["attributeCondition"]
    bindings = found["key-policy"]["bindings"]
    assert {b["role"] for b in bindings} == {"roles/cloudkms.signer", "roles/cloudkms.publicKeyViewer"}
    (member,) = {m for b in bindings for m in b["members"]}
    assert member.endswith(f"/projects/42/locations/global/workloadIdentityPools/ship-github/subject/{SUBJECT}")


def test_azure_gives_one_role_on_one_key() -> None:
    found = documents("azure")
    assert found["federated-credential"]["subject"] == SUBJECT
    assert found["role-assignment"]["scope"] == KEYS["azure"]


def test_vault_gives_two_paths_to_one_subject() -> None:
    found = documents("vault")
    paths = re.findall(r'path "([^"]+)" \{\s+capabilities = \["(\w+)"\]\s+\}', found["policy"])
    assert paths == [("transit/sign/deployer", "update"), ("transit/keys/deployer", "read")]
    assert found["policy"].count("path") == 2
    assert found["jwt-role"]["bound_claims"] == {"sub": SUBJECT, "repository": "acme/vault"}
    assert found["jwt-role"]["bound_claims_type"] == "string"
    assert found["jwt-role"]["token_no_default_policy"] is True


@pytest.mark.parametrize("provider", KEYS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("repo", "acme/*"),
        ("repo", "acme"),
        ("repo", "acme/vault:ref:refs/heads/x"),
        ("environment", "*"),
        ("environment", "prod uction"),
        ("environment", 'x" || true || "'),
        ("environment", ""),
        ("environment", "${x}"),
        ("key", "*"),
        ("key", "a\nb"),
    ],
)
def test_what_is_not_exact_is_refused(provider: str, name: str, value: str) -> None:
    with pytest.raises(PolicyInput) as caught:
        run(provider, **{name: value})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("provider", KEYS)
def test_text_holds_every_document(provider: str) -> None:
    text = run(provider, "text")
    for name, body in documents(provider).items():
        after = text[text.index(f"{name}: ") :]
        if isinstance(body, str):
            assert body in after
        else:
            assert json.JSONDecoder().raw_decode(after[after.index("{") :])[0] == body


@pytest.mark.parametrize("provider", KEYS)
def test_the_document_is_of_the_published_schema(provider: str) -> None:
    schema = Path(__file__).parents[2] / "docs" / "schema" / "signer-policy.schema.json"
    jsonschema.validate(json.loads(run(provider)), json.loads(schema.read_text()))


RESOURCES = {
    "aws": {"aws_kms_key_policy", "aws_iam_role", "aws_iam_role_policy"},
    "gcp": {
        "google_iam_workload_identity_pool",
        "google_iam_workload_identity_pool_provider",
        "google_kms_crypto_key_iam_member",
    },
    "azure": {
        "azuread_application",
        "azuread_service_principal",
        "azuread_application_federated_identity_credential",
        "azurerm_role_assignment",
    },
    "vault": {"vault_policy", "vault_generic_endpoint"},
}


def parsed(text: str) -> dict[str, Any]:
    """By python-hcl2, a grammar of its own."""
    try:
        hcl2 = importlib.import_module("hcl2")
    except ImportError:
        missing("python-hcl2 is not installed")
    options = hcl2.SerializationOptions(explicit_blocks=False, strip_string_quotes=True)
    return dict(hcl2.loads(text, serialization_options=options))


@pytest.mark.parametrize("provider", KEYS)
def test_terraform_is_read_by_a_parser(provider: str) -> None:
    text = run(provider, "terraform")
    found = parsed(text)
    assert {kind.strip('"') for block in found["resource"] for kind in block} == RESOURCES[provider]
    assert SUBJECT in text
    for used, label in set(re.findall(r"\b((?:aws|google|azure\w+|vault)_\w+)\.(\w+)", text)):
        assert f'resource "{used}" "{label}"' in text  # every reference leads somewhere


DOCUMENT = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.sampled_from(["x", "a b", "arn:*", "ünïcode", "a.b/c"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["A", "b-c", "kms:X", "d/e"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(DOCUMENT)
def test_a_document_says_the_same_in_terraform(document: Any) -> None:
    (block,) = parsed(render([Block("locals", (), {"x": document})]))["locals"]
    assert unquoted(block["x"]) == document


def unquoted(value: Any) -> Any:
    """python-hcl2 leaves the quotes on quoted keys."""
    if isinstance(value, dict):
        return {key.strip('"'): unquoted(inner) for key, inner in value.items() if key != "__is_block__"}
    return [unquoted(inner) for inner in value] if isinstance(value, list) else value


def test_templates_in_text_are_no_templates_in_terraform() -> None:
    assert '"$${a} %%{b} \\"c\\""' in render([Block("locals", (), {"x": '${a} %{b} "c"'})])
