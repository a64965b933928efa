"""The shape of ``[signer]``, and which of its keys belong to which backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from pipeline.manifest.errors import Contradiction, ManifestInvalid
from pipeline.manifest.fields import Address, Endpoint, KeystorePath, SecretReference, Spec
from pipeline.manifest.validation import Locate

__all__ = ["BACKEND_KEYS", "SignerSpec", "signer_problems"]


class SignerSpec(Spec):
    """``[signer]``: who signs. The key itself never stands here."""

    backend: Literal[
        "keystore",
        "development",
        "aws-kms",
        "gcp-kms",
        "azure-kv",
        "pkcs11",
        "vault",
        "remote",
        "offline",
        "safe",
        "squads",
    ] = Field(description="Where the key is held.")
    address: Address | None = Field(default=None, description="The address expected; another key is refused.")
    public_key: str | None = Field(
        default=None,
        pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$",
        description="On Solana: the public key expected (base58); another key is refused.",
    )
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=2_000,
        description="The backend's name of the key: an alias, ARN or id (aws-kms), a resource name (gcp-kms), NAME or "
        "NAME/VERSION (azure-kv, vault), a label or id:HEX (pkcs11).",
    )
    multisig: str | None = Field(
        default=None,
        pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$",
        description="squads: the multisig whose vault is the programs' upgrade authority; [payer] is the member that proposes.",
    )
    vault_index: int | None = Field(default=None, ge=0, le=255, description="squads: which of its vaults (0).")
    file: KeystorePath | None = Field(
        default=None, description="keystore: the keyfile, a path in the project, ~/…, or env:NAME."
    )
    password: SecretReference | None = Field(default=None, description="keystore: its password, as a reference.")
    url: Endpoint | None = Field(
        default=None,
        description="Where the service is: needed by vault, azure-kv and remote; another endpoint for aws-kms and gcp-kms.",
    )
    region: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,40}$", description="aws-kms: the region.")
    role: str | None = Field(
        default=None,
        min_length=1,
        max_length=2_000,
        description="aws-kms: the ARN of a role to assume. vault: the role to log in with.",
    )
    auth: Literal["token", "approle", "jwt"] | None = Field(
        default=None, description="vault: how to log in (token when left out)."
    )
    token: SecretReference | None = Field(
        default=None, description="vault, remote: the token, as a reference. vault with auth = jwt: the JWT."
    )
    role_id: SecretReference | None = Field(default=None, description="vault with auth = approle: the role id.")
    secret_id: SecretReference | None = Field(default=None, description="vault with auth = approle: the secret id.")
    mount: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_./-]{1,200}$", description="vault: where transit is mounted (transit)."
    )
    auth_mount: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_./-]{1,200}$", description="vault: where the login method is mounted."
    )
    namespace: str | None = Field(default=None, min_length=1, max_length=200, description="vault: the namespace.")
    module: str | None = Field(
        default=None,
        min_length=1,
        max_length=2_000,
        description="pkcs11: the library of the token, an absolute path or env:NAME.",
    )
    token_label: str | None = Field(default=None, min_length=1, max_length=32, description="pkcs11: the token's label.")
    pin: SecretReference | None = Field(
        default=None,
        description="pkcs11: the PIN, as a reference; asked for when left out. A wrong one is not retried.",
    )


BACKEND_KEYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "development": (frozenset(), frozenset()),
    "keystore": (frozenset({"file"}), frozenset({"password"})),
    "aws-kms": (frozenset({"key"}), frozenset({"region", "url", "role"})),
    "gcp-kms": (frozenset({"key"}), frozenset({"url"})),
    "azure-kv": (frozenset({"key", "url"}), frozenset()),
    "pkcs11": (frozenset({"key", "module", "token_label"}), frozenset({"pin"})),
    "vault": (
        frozenset({"key", "url"}),
        frozenset({"auth", "token", "role", "role_id", "secret_id", "mount", "auth_mount", "namespace"}),
    ),
    "remote": (frozenset({"url"}), frozenset({"token"})),
    "offline": (frozenset(), frozenset()),
    "safe": (frozenset(), frozenset()),
    "squads": (frozenset({"multisig"}), frozenset({"vault_index"})),
}
"""What each backend needs, and what else it takes. ``address`` and ``public_key`` go with all."""


def signer_problems(spec: SignerSpec, locate: Locate, table: str = "signer") -> Iterator[ManifestInvalid]:
    """Keys that are missing for the backend, or that belong to another one. ``table`` is where it stands."""
    needed, more = BACKEND_KEYS[spec.backend]
    given = {name for name in type(spec).model_fields if getattr(spec, name) is not None}
    for name in sorted(needed - given):
        yield Contradiction(
            f"The {spec.backend} signer needs `{_toml(name)}`.",
            remedy=f'Add file = "~/.ship/keys/deployer.json" under [{table}], or run "ship signer new".'
            if name == "file"
            else f"Add `{_toml(name)}` under [{table}]. docs/guide/signers.md shows a whole table for each backend.",
            where=locate((table, "backend")),
        )
    for name in sorted(given - needed - more - {"backend", "address", "public_key"}):
        yield Contradiction(
            f"`{_toml(name)}` does not belong to the {spec.backend} signer.",
            remedy="Remove it, or correct `backend`.",
            where=locate((table, _toml(name))),
        )


def _toml(name: str) -> str:
    return name.replace("_", "-")
