"""Which GitHub, which repository."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.github.errors import AddressRefused, RepositoryUnclear
from pipeline.manifest.release_spec import GithubSpec
from pipeline.manifest.urls import UrlError, forbidden_host, parse_url

__all__ = ["PUBLIC_API", "Place", "find_place", "is_loopback"]

PUBLIC_API = "https://api.github.com"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True)
class Place:
    """``api_url`` without a final slash. ``named_outside``: the environment of the run says so, not the manifest alone."""

    api_url: str
    repository: str
    named_outside: bool

    @property
    def host(self) -> str:
        """The host people know: of api.github.com, github.com."""
        host = urlsplit(self.api_url).hostname or ""
        return host.removeprefix("api.")


def find_place(root: Path, spec: GithubSpec, remote: str, environment: Mapping[str, str] = os.environ) -> Place:
    """From ship.toml, then the environment of GitHub Actions, then the git remote.

    Raises ``RepositoryUnclear`` and ``AddressRefused``.
    """
    outside = environment.get("GITHUB_API_URL", "").rstrip("/")
    url = (spec.api_url or outside or PUBLIC_API).rstrip("/")
    _allowed(url)
    repository = spec.repository or environment.get("GITHUB_REPOSITORY") or _of_remote(root, remote, url)
    if not repository or not _SLUG.fullmatch(repository) or repository.endswith(("/.", "/..")):
        raise RepositoryUnclear(
            f"the remote {remote} does not say which repository on {urlsplit(url).hostname} this is",
            remedy='Add repository = "owner/name" under [github] in ship.toml.',
        )
    return Place(url, repository, url in {PUBLIC_API, outside})


def _allowed(url: str) -> None:
    try:
        parts = parse_url(url)
    except UrlError as error:
        raise AddressRefused(
            f"GitHub's API address cannot be used: {error}", remedy="Set it to https://host/…"
        ) from None
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise AddressRefused(
            "GitHub's API address is http:// and not on this machine: the token would travel unencrypted",
            remedy="Use https://.",
        )
    if forbidden_host(url):
        raise AddressRefused(
            "GitHub's API address is link-local or a cloud's metadata service; nothing is sent there",
            remedy="Correct api-url under [github], or GITHUB_API_URL.",
        )


def is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _of_remote(root: Path, remote: str, api_url: str) -> str | None:
    """``owner/name`` of a remote on the same host: ``git@host:o/n.git``, ``ssh://git@host/o/n``, ``https://host/o/n.git``."""
    done = subprocess.run(
        ["git", "-C", str(root), "remote", "get-url", "--", remote],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    match = re.fullmatch(
        r"(?:(?:https|ssh)://(?:[^@/\s]+@)?|(?:[^@/\s]+@))([A-Za-z0-9.-]+)(?::\d+/|[:/])/?(.+?)(?:\.git)?/?",
        done.stdout.strip(),
    )
    host = (urlsplit(api_url).hostname or "").removeprefix("api.")
    return match[2] if done.returncode == 0 and match and match[1].lower() == host else None
