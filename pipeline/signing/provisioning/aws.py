"""AWS: a key policy, and a role that GitHub's jobs of one environment may take on. Both allow two calls.

Condition keys: https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html. GetPublicKey takes none of those
for signing, so it has a statement of its own.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.signing.provisioning.base import ISSUER, Document, Policies, Workflow, fitting
from pipeline.signing.provisioning.hcl import Block, Expression, encoded

__all__ = ["policies"]

_ARN = r"arn:aws[a-z-]*:kms:[a-z0-9-]{1,40}:[0-9]{12}:key/[A-Za-z0-9-]{1,64}"
_ISSUER_HOST = ISSUER.removeprefix("https://")
_ADMINISTRATION = [
    *(f"kms:{verb}*" for verb in ("Describe", "Get", "List")),
    *(
        f"kms:{verb}"
        for verb in ("PutKeyPolicy", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion")
    ),
    *(f"kms:{verb}" for verb in ("CreateAlias", "UpdateAlias", "DeleteAlias", "TagResource", "UntagResource")),
]
"""What the account may do with the key: everything that is not using it."""


def policies(workflow: Workflow, *, key: str | None, role: str, ed25519: bool) -> Policies:
    """Raises ``PolicyInput``."""
    arn = fitting(key, _ARN, "--key", "the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID; not of an alias)")
    fitting(role, r"[\w+=,.@-]{1,64}", "--role", "the name of an IAM role")
    partition, account = arn.split(":")[1], arn.split(":")[4]
    principal = f"arn:{partition}:iam::{account}"
    trust = _trust(f"{principal}:oidc-provider/{_ISSUER_HOST}", workflow)
    allowed = {"Version": "2012-10-17", "Statement": _signing(arn, ed25519)}
    of_key = _key_policy(principal, role, ed25519)
    documents = (
        Document("key-policy", "the key's policy (`aws kms put-key-policy`)", of_key),
        Document("role-trust", f"who may take on the role {role}", trust),
        Document("role-permissions", f"what the role {role} may do", allowed),
    )
    return Policies("aws", documents, _terraform(arn, role, of_key, trust, allowed), _notes(role))


def _signing(resource: str, ed25519: bool) -> list[dict[str, Any]]:
    kind, algorithm = ("RAW", "ED25519_SHA_512") if ed25519 else ("DIGEST", "ECDSA_SHA_256")
    only = {"StringEquals": {"kms:MessageType": kind, "kms:SigningAlgorithm": algorithm}}
    return [
        {"Sid": "Sign", "Effect": "Allow", "Action": "kms:Sign", "Resource": resource, "Condition": only},
        {"Sid": "ReadPublicKey", "Effect": "Allow", "Action": "kms:GetPublicKey", "Resource": resource},
    ]


def _key_policy(principal: str, role: str, ed25519: bool) -> dict[str, Any]:
    account, signer = {"AWS": f"{principal}:root"}, {"AWS": f"{principal}:role/{role}"}
    administer = {"Sid": "Administer", "Effect": "Allow", "Principal": account}
    administer |= {"Action": _ADMINISTRATION, "Resource": "*"}
    use = [{**statement, "Principal": signer} for statement in _signing("*", ed25519)]  # "*" is this key, in its policy
    return {"Version": "2012-10-17", "Statement": [administer, *use]}


def _trust(provider: str, workflow: Workflow) -> dict[str, Any]:
    claims = {f"{_ISSUER_HOST}:aud": "sts.amazonaws.com", f"{_ISSUER_HOST}:sub": workflow.subject}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _terraform(arn: str, role: str, of_key: Any, trust: Any, allowed: Any) -> tuple[Block, ...]:
    named = re.sub(r"[^A-Za-z0-9_]", "_", role)
    return (
        Block(
            "resource",
            ("aws_kms_key_policy", "ship"),
            {"key_id": arn, "policy": encoded(of_key), "depends_on": [Expression(f"aws_iam_role.{named}")]},
        ),
        Block("resource", ("aws_iam_role", named), {"name": role, "assume_role_policy": encoded(trust)}),
        Block(
            "resource",
            ("aws_iam_role_policy", named),
            {"name": "ship-sign", "role": Expression(f"aws_iam_role.{named}.id"), "policy": encoded(allowed)},
        ),
    )


def _notes(role: str) -> tuple[str, ...]:
    return (
        f"The account needs GitHub's OIDC provider once: {ISSUER}, audience sts.amazonaws.com.",
        f"Make the role {role} before the key's policy: KMS refuses a policy that names nobody.",
        "The account's administrators can no longer sign with the key; whoever may change its policy can undo that.",
    )
