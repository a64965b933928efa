"""A real OpenBao for a test: in memory, on loopback, on a free port, ended by its pid."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.support.anvil import ROOT
from tests.support.missing import missing

__all__ = ["OpenBao", "github_jwt", "openbao"]

ROOT_TOKEN = "canary-root-token-55120"


def _program() -> Path:
    folders = [Path(os.environ["SHIP_TOOLS"])] if os.environ.get("SHIP_TOOLS") else []
    candidates = [f / "services/openbao/bin/bao" for f in (*folders, ROOT / ".tools")]
    found = next((c for c in candidates if c.is_file()), None) or shutil.which("bao")
    if found is None:
        missing("OpenBao is missing: run scripts/bootstrap --services")
    return Path(found)


@dataclass
class OpenBao:
    """A running server, and what its administrator does to it."""

    url: str
    process: subprocess.Popen[bytes]
    authority: Path | None = None
    """The certificate of the authority that vouches for it, when it speaks TLS."""

    def __post_init__(self) -> None:
        self._pool = urllib3.PoolManager()

    def trust(self, authority: Path) -> None:
        self.authority = authority
        self._pool = urllib3.PoolManager(ca_certs=str(authority))

    def do(
        self, method: str, path: str, body: Any = None, *, token: str = ROOT_TOKEN, status: int | None = None
    ) -> Any:
        answer = self._pool.request(
            method,
            f"{self.url}/v1/{path}",
            body=json.dumps(body or {}) if method != "GET" else None,
            headers={"X-Vault-Token": token},
            retries=False,
            timeout=20,
        )
        assert answer.status == status if status else answer.status < 300, (path, answer.status, answer.data)
        return json.loads(answer.data) if answer.data else None

    def allow(self, policy: str, *paths: str) -> None:
        rules = "\n".join(f'path "{path}" {{ capabilities = ["update", "read"] }}' for path in paths)
        self.do("PUT", f"sys/policies/acl/{policy}", {"policy": rules})

    def token(self, policy: str, **settings: Any) -> str:
        settings = {"ttl": "10m", **settings}
        return str(self.do("POST", "auth/token/create", {"policies": [policy], **settings})["auth"]["client_token"])

    def revoke(self, token: str) -> None:
        self.do("POST", "auth/token/revoke", {"token": token})

    def key(self, name: str, kind: str = "ed25519", **settings: Any) -> None:
        self.do("POST", f"transit/keys/{name}", {"type": kind, **settings})

    def close(self) -> None:
        self._pool.clear()


@contextmanager
def openbao(certificates: Path | None = None) -> Iterator[OpenBao]:
    """With transit, AppRole and JWT mounted. Over TLS with ``certificates``, the folder it writes its authority to."""
    for _ in range(5):
        port = _free_port()
        process = subprocess.Popen(
            [
                _program(),
                "server",
                "-dev",
                "-dev-no-store-token",
                f"-dev-root-token-id={ROOT_TOKEN}",
                f"-dev-listen-address=127.0.0.1:{port}",
                *(["-dev-tls", f"-dev-tls-cert-dir={certificates}"] if certificates else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output = process.stdout
        assert output
        drain = threading.Thread(target=lambda: deque(output, maxlen=0))  # noqa: B023 - a full pipe would stop it
        server = OpenBao(f"{'https' if certificates else 'http'}://127.0.0.1:{port}", process)
        try:
            # Another process can take the port first: then the server ends, and is started on another one.
            if not any(b"server started" in line for line in output):
                continue
            drain.start()
            if certificates:
                server.trust(next(certificates.glob("*-ca.pem")))
            _wait(server)
            server.do("POST", "sys/mounts/transit", {"type": "transit"})
            server.do("POST", "sys/auth/approle", {"type": "approle"})
            server.do("POST", "sys/auth/jwt", {"type": "jwt"})
            yield server
            return
        finally:
            process.kill()
            if drain.is_alive():
                drain.join()
            output.close()
            process.wait()
            server.close()
    pytest.fail("OpenBao did not start")


def _wait(server: OpenBao) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.do("GET", "sys/mounts")
        except (AssertionError, urllib3.exceptions.HTTPError):
            assert time.monotonic() < deadline, "OpenBao does not answer"
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def github_jwt(private_key: Any, **claims: Any) -> str:
    """A token in the shape of GitHub's OIDC provider, RS256, signed with a key of the test's."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    now = int(time.time())
    payload = {
        "iss": "https://token.actions.githubusercontent.com",
        "aud": "https://vault.example",
        "sub": "repo:acme/vault:environment:production",
        "repository": "acme/vault",
        "ref": "refs/heads/main",
        "iat": now,
        "nbf": now - 5,
        "exp": now + 300,
        **claims,
    }
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "RS256", "typ": "JWT"}, payload)
    )
    signature = private_key.sign(head + b"." + body, PKCS1v15(), SHA256())
    return b".".join((head, body, base64.urlsafe_b64encode(signature).rstrip(b"="))).decode()
