"""Azure: a federated credential for one repository and environment, and one role on one key.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-create-trust, and
https://learn.microsoft.com/azure/key-vault/general/rbac-guide for the role.
"""

from __future__ import annotations

from pipeline.signing.provisioning.base import ISSUER, Document, Policies, Workflow, fitting
from pipeline.signing.provisioning.hcl import Block, Expression

__all__ = ["policies"]

_KEY = (
    r"/subscriptions/[0-9a-fA-F-]{36}/resourceGroups/[A-Za-z0-9._()-]{1,90}"
    r"/providers/Microsoft\.KeyVault/vaults/[A-Za-z0-9-]{3,24}/keys/[A-Za-z0-9-]{1,127}"
)
_ROLE = "Key Vault Crypto User"
_ROLE_ID = "12338af0-0e69-4776-bea7-57ae8d297424"
"""The built-in role's id, the same in every tenant."""
_AUDIENCE = "api://AzureADTokenExchange"


def policies(workflow: Workflow, *, key: str | None, application: str) -> Policies:
    """Raises ``PolicyInput``."""
    scope = fitting(
        key,
        _KEY,
        "--key",
        "/subscriptions/S/resourceGroups/G/providers/Microsoft.KeyVault/vaults/V/keys/NAME",
    )
    fitting(application, r"[A-Za-z0-9._-]{1,100}", "--application", "the name of an app registration")
    subscription = "/".join(scope.split("/")[:3])
    credential = {
        "name": f"github-{workflow.environment}",
        "issuer": ISSUER,
        "subject": workflow.subject,
        "audiences": [_AUDIENCE],
    }
    assignment = {
        "scope": scope,
        "roleDefinitionId": f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{_ROLE_ID}",
        "principalType": "ServicePrincipal",
    }
    documents = (
        Document("federated-credential", f"of the app registration {application}", credential),
        Document("role-assignment", f"{_ROLE}, on this key, for its service principal", assignment),
    )
    notes = (
        f"{_ROLE} allows every use of the key, not signing alone. A custom role with these data actions is narrower: "
        + ", ".join(f"Microsoft.KeyVault/vaults/keys/{action}" for action in ("read", "sign/action")),
        "The vault has to use Azure role-based access control, not access policies.",
    )
    return Policies("azure", documents, _terraform(scope, application, credential["name"], workflow), notes)


def _terraform(scope: str, application: str, name: object, workflow: Workflow) -> tuple[Block, ...]:
    return (
        Block("resource", ("azuread_application", "ship"), {"display_name": application}),
        Block(
            "resource",
            ("azuread_service_principal", "ship"),
            {"client_id": Expression("azuread_application.ship.client_id")},
        ),
        Block(
            "resource",
            ("azuread_application_federated_identity_credential", "github"),
            {
                "application_id": Expression("azuread_application.ship.id"),
                "display_name": name,
                "issuer": ISSUER,
                "subject": workflow.subject,
                "audiences": [_AUDIENCE],
            },
        ),
        Block(
            "resource",
            ("azurerm_role_assignment", "sign"),
            {
                "scope": scope,
                "role_definition_name": _ROLE,
                "principal_id": Expression("azuread_service_principal.ship.object_id"),
            },
        ),
    )
