"""``ship signer policy``: what a cloud has to allow for a workflow to sign, and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from pipeline.signing.provisioning.base import Policies, Workflow

__all__ = ["policy"]

R = TypeVar("R")


@click.group()
def policy() -> None:
    """Print least-privilege policies for a key and for GitHub Actions, one command a provider. Nothing is applied."""


def _common(key: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    def add(function: Callable[..., R]) -> Callable[..., R]:
        for option in (
            click.option(
                "--format",
                "form",
                type=click.Choice(["text", "json", "terraform"]),
                default="text",
                show_default=True,
                help="How to print it.",
            ),
            click.option("--key", required=True, help=key),
            click.option("--environment", required=True, metavar="ENV", help="The GitHub environment jobs run in."),
            click.option("--repo", required=True, metavar="OWNER/REPO", help="The repository on GitHub."),
        ):
            function = option(function)
        return function

    return add


def _print(form: str, make: Callable[[], Policies]) -> None:
    from pipeline.cli.show import json_document, json_errors
    from pipeline.ui.table import say

    with json_errors(as_json=form == "json"):
        made = make()
    if form == "json":
        json_document(made.to_json())
    elif form == "terraform":
        click.echo(made.to_terraform(), nl=False)
    else:
        say(made.to_text())


def _workflow(repo: str, environment: str) -> Workflow:
    from pipeline.signing.provisioning.base import Workflow

    return Workflow.of(repo, environment)


@policy.command()
@_common("The key's ARN (not an alias's).")
@click.option("--role", default="ship-signer", show_default=True, help="The IAM role's name.")
@click.option("--ed25519", is_flag=True, help="The key is ECC_NIST_EDWARDS25519, not ECC_SECG_P256K1.")
def aws(repo: str, environment: str, key: str, form: str, role: str, ed25519: bool) -> None:
    """A KMS key policy, and an IAM role with its trust in GitHub's OIDC."""
    from pipeline.signing.provisioning.aws import policies

    _print(form, lambda: policies(_workflow(repo, environment), key=key, role=role, ed25519=ed25519))


@policy.command()
@_common("projects/P/locations/L/keyRings/R/cryptoKeys/K.")
@click.option("--project-number", required=True, help="The number of the project that holds the pool.")
@click.option("--pool", default="ship-github", show_default=True, help="The workload identity pool's id.")
def gcp(repo: str, environment: str, key: str, form: str, project_number: str, pool: str) -> None:
    """A workload identity provider, and the roles to sign with one key."""
    from pipeline.signing.provisioning.gcp import policies

    _print(form, lambda: policies(_workflow(repo, environment), key=key, project_number=project_number, pool=pool))


@policy.command()
@_common("/subscriptions/S/resourceGroups/G/providers/Microsoft.KeyVault/vaults/V/keys/NAME.")
@click.option("--application", default="ship-signer", show_default=True, help="The app registration's name.")
def azure(repo: str, environment: str, key: str, form: str, application: str) -> None:
    """A federated credential, and the role to sign with one key."""
    from pipeline.signing.provisioning.azure import policies

    _print(form, lambda: policies(_workflow(repo, environment), key=key, application=application))


@policy.command()
@_common("The transit key's name.")
@click.option("--mount", default="transit", show_default=True, help="Where transit is mounted.")
@click.option("--auth-mount", default="jwt", show_default=True, help="Where the JWT login is mounted.")
@click.option("--role", default="ship-signer", show_default=True, help="The name of the policy and the role.")
def vault(repo: str, environment: str, key: str, form: str, mount: str, auth_mount: str, role: str) -> None:
    """A policy for one transit key of OpenBao or Vault, and a JWT role."""
    from pipeline.signing.provisioning.vault import policies

    _print(
        form,
        lambda: policies(_workflow(repo, environment), key=key, mount=mount, auth_mount=auth_mount, role=role),
    )
