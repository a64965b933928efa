"""Google Cloud: a workload identity provider for one repository and environment, and two roles on one key.

https://cloud.google.com/iam/docs/workload-identity-federation-with-deployment-pipelines. The roles are given to the one
subject itself, without a service account in between.
"""

from __future__ import annotations

from typing import Any

from pipeline.signing.provisioning.base import ISSUER, Document, Policies, Workflow, fitting
from pipeline.signing.provisioning.hcl import Block, Expression

__all__ = ["policies"]

_PART = r"[A-Za-z0-9._:-]{1,100}"
_KEY = rf"projects/{_PART}/locations/{_PART}/keyRings/{_PART}/cryptoKeys/[A-Za-z0-9_-]{{1,63}}"
_ROLES = ("roles/cloudkms.signer", "roles/cloudkms.publicKeyViewer")


def policies(workflow: Workflow, *, key: str | None, project_number: str | None, pool: str) -> Policies:
    """Raises ``PolicyInput``."""
    name = fitting(key, _KEY, "--key", "projects/P/locations/L/keyRings/R/cryptoKeys/K (no version: roles are on keys)")
    number = fitting(project_number, r"[0-9]{1,20}", "--project-number", "the project's number")
    fitting(pool, r"[a-z0-9-]{4,32}", "--pool", "4 to 32 of a-z, 0-9 and -")
    project = name.split("/")[1]
    condition = f'assertion.sub == "{workflow.subject}" && assertion.repository == "{workflow.repository}"'
    mapping = {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"}
    path = f"projects/{number}/locations/global/workloadIdentityPools/{pool}"
    member = f"principal://iam.googleapis.com/{path}/subject/{workflow.subject}"
    provider: dict[str, Any] = {
        "name": f"{path}/providers/github",
        "oidc": {"issuerUri": ISSUER},
        "attributeMapping": mapping,
        "attributeCondition": condition,
    }
    bindings = {"bindings": [{"role": role, "members": [member]} for role in _ROLES]}
    documents = (
        Document("workload-identity-provider", f"the provider `github` of the pool {pool}", provider),
        Document("key-policy", f"the IAM policy of the key {name.rpartition('/')[2]}", bindings),
    )
    notes = (
        "A policy set on the key replaces what is there: merge, or use the Terraform, which adds.",
        "In the manifest `key` is a version: the key's name with /cryptoKeyVersions/N behind it.",
    )
    return Policies("gcp", documents, _terraform(project, pool, name, mapping, condition, workflow), notes)


def _terraform(
    project: str, pool: str, key: str, mapping: dict[str, str], condition: str, workflow: Workflow
) -> tuple[Block, ...]:
    made = "google_iam_workload_identity_pool.ship"
    member = Expression(f'"principal://iam.googleapis.com/${{{made}.name}}/subject/{workflow.subject}"')
    return (
        Block(
            "resource",
            ("google_iam_workload_identity_pool", "ship"),
            {"project": project, "workload_identity_pool_id": pool},
        ),
        Block(
            "resource",
            ("google_iam_workload_identity_pool_provider", "github"),
            {
                "project": project,
                "workload_identity_pool_id": Expression(f"{made}.workload_identity_pool_id"),
                "workload_identity_pool_provider_id": "github",
                "attribute_mapping": mapping,
                "attribute_condition": condition,
            },
            (Block("oidc", (), {"issuer_uri": ISSUER}),),
        ),
        *(
            Block(
                "resource",
                ("google_kms_crypto_key_iam_member", role.rpartition(".")[2]),
                {"crypto_key_id": key, "role": role, "member": member},
            )
            for role in _ROLES
        ),
    )
