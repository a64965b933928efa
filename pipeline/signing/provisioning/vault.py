"""OpenBao and Vault: a policy for one transit key, and a JWT role for one repository and environment.

https://openbao.org/api-docs/auth/jwt/ and https://openbao.org/api-docs/secret/transit/.
"""

from __future__ import annotations

from pipeline.signing.provisioning.base import ISSUER, Document, Policies, Workflow, fitting
from pipeline.signing.provisioning.hcl import Block, Expression, encoded, render

__all__ = ["policies"]

_MOUNT = r"[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,4}"


def policies(workflow: Workflow, *, key: str | None, mount: str, auth_mount: str, role: str) -> Policies:
    """Raises ``PolicyInput``."""
    name = fitting(key, r"[A-Za-z0-9_.-]{1,128}", "--key", "the name of a transit key")
    fitting(mount, _MOUNT, "--mount", "where transit is mounted")
    fitting(auth_mount, _MOUNT, "--auth-mount", "where the JWT login is mounted")
    fitting(role, r"[A-Za-z0-9_.-]{1,64}", "--role", "the name of a role")
    audience = f"https://github.com/{workflow.repository.partition('/')[0]}"
    paths = (
        Block("path", (f"{mount}/sign/{name}",), {"capabilities": ["update"]}),
        Block("path", (f"{mount}/keys/{name}",), {"capabilities": ["read"]}),
    )
    jwt = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": [audience],
        "bound_claims_type": "string",
        "bound_claims": {"sub": workflow.subject, "repository": workflow.repository},
        "token_policies": [role],
        "token_no_default_policy": True,
        "token_ttl": 900,
        "token_max_ttl": 3600,
    }
    documents = (
        Document("policy", f"`bao policy write {role} FILE`", render(paths)),
        Document("jwt-role", f"`bao write auth/{auth_mount}/role/{role} @FILE`", jwt),
    )
    notes = (
        f"The JWT login needs `bao write auth/{auth_mount}/config oidc_discovery_url={ISSUER} bound_issuer={ISSUER}` once.",
        "Without the default policy the token cannot renew itself: it lasts as long as its role says.",
    )
    return Policies("vault", documents, _terraform(role, auth_mount, render(paths), jwt), notes)


def _terraform(role: str, auth_mount: str, policy: str, jwt: dict[str, object]) -> tuple[Block, ...]:
    return (
        Block("resource", ("vault_policy", "ship"), {"name": role, "policy": policy}),
        Block(
            "resource",
            ("vault_generic_endpoint", "ship_role"),
            {
                "path": f"auth/{auth_mount}/role/{role}",
                "data_json": encoded({**jwt, "token_policies": [Expression("vault_policy.ship.name")]}),
                "ignore_absent_fields": True,
            },
        ),
    )
