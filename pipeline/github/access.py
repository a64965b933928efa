"""As whom GitHub is asked: a token from where people keep it, or a GitHub App."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from chains.errors import Where
from pipeline.github.errors import TokenMissing
from pipeline.github.place import PUBLIC_API, Place
from pipeline.manifest.release_spec import GithubAppSpec, GithubSpec
from pipeline.manifest.secrets import SecretRef, default_stores, register_secret, resolve_secret

if TYPE_CHECKING:
    from github.Auth import Auth

__all__ = ["find_access"]

_GH_S = 20


def find_access(
    root: Path, spec: GithubSpec, place: Place, environment: Mapping[str, str] = os.environ
) -> tuple[Auth, str]:
    """How to log in, and where that was found, in words. From here on the token is hidden everywhere.

    The order: [github] app, [github] token, the environment, `gh auth token`. A token from the environment was given for the
    GitHub the environment knows, so it goes to no other only because a manifest says so. Raises ``TokenMissing`` and what
    resolving a reference raises.
    """
    from github.Auth import Token

    if spec.app is not None:
        return _app(root, spec.app), f"GitHub App {spec.app.id}"
    if spec.token is not None:
        reference = SecretRef(spec.token, Where("ship.toml", key="github.token"))
        return Token(resolve_secret(reference, default_stores(root)).reveal().strip()), spec.token
    names = ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"] if place.api_url != PUBLIC_API else []
    names += ["GITHUB_TOKEN", "GH_TOKEN"] if place.named_outside else []
    for name in names:
        if token := environment.get(name, "").strip():
            register_secret(token)
            return Token(token), name
    kept = _gh_token(place.host)
    if kept:
        register_secret(kept)
        return Token(kept), "gh auth token"
    raise TokenMissing(
        f"there is no token for {place.host}",
        remedy=f"Set {names[0] if names else 'GITHUB_TOKEN'}, run `gh auth login`, or name a token or an App under [github] in "
        "ship.toml.",
    )


def _app(root: Path, app: GithubAppSpec) -> Auth:
    from github.Auth import AppAuth, AppInstallationAuth

    reference = SecretRef(app.private_key, Where("ship.toml", key="github.app.private-key"))
    key = resolve_secret(reference, default_stores(root)).reveal()
    return AppInstallationAuth(AppAuth(app.id, key), app.installation_id)


def _gh_token(host: str) -> str | None:
    """The token GitHub's own command line keeps for this host, if it is installed and logged in there."""
    if shutil.which("gh") is None:
        return None
    try:
        done = subprocess.run(
            ["gh", "auth", "token", "--hostname", host], capture_output=True, text=True, timeout=_GH_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
