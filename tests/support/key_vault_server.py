"""A protocol server in the place of Azure Key Vault and its login: REST over TLS with real keys. It is not the service.

It challenges before it answers, as Key Vault does, and takes only the token its own login gave for the client's secret.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from tests.support.tls import Certificate

__all__ = ["CLIENT_SECRET", "TENANT", "TOKEN", "KeyVaultServer", "key_vault_server"]

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT_SECRET = "canary-client-secret-0123456789"
TOKEN = "canary-access-token-0123456789"
Reply = tuple[int, Any, dict[str, str]]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class KeyVaultServer:
    """``keys``: name → versions, the last one current. ``fault`` may answer in place of the vault."""

    port: int = 0
    keys: dict[str, list[tuple[str, ec.EllipticCurvePrivateKey]]] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    kty: str = "EC-HSM"
    fault: Callable[[str], Reply | None] = lambda path: None
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda answer: answer
    login_open: bool = True
    asked: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def key(self, name: str | None = None, curve: Any = None) -> str:
        """A new version of ``name``, or of a new key."""
        name = name or f"deployer-{len(self.keys)}"
        versions = self.keys.setdefault(name, [])
        versions.append((f"{len(versions) + 1:032x}", ec.generate_private_key(curve or ec.SECP256K1())))
        return name

    def reply(self, method: str, path: str, body: bytes, authorization: str | None) -> Reply:
        self.asked.append(path)
        if path.startswith(f"/{TENANT}/"):
            return self._login(path, body)
        if authorization != f"Bearer {TOKEN}":
            challenge = f'Bearer authorization="{self.url}/{TENANT}", resource="https://vault.azure.net"'
            return 401, {"error": {"code": "Unauthorized", "message": "log in"}}, {"WWW-Authenticate": challenge}
        if (planted := self.fault(path)) is not None:
            return planted
        found = re.fullmatch(r"/keys/([^/]+)(?:/([^/]*))?(/sign)?", path)
        versions = dict(self.keys.get(found[1], [])) if found else {}
        version = (found[2] if found else "") or next(reversed(versions), "")
        if found is None or version not in versions:
            return 404, {"error": {"code": "KeyNotFound", "message": "planted-canary-in-a-message"}}, {}
        if found[1] in self.disabled and found[3]:
            return 403, {"error": {"code": "Forbidden", "innererror": {"code": "KeyDisabled"}}}, {}
        name = f"{self.url}/keys/{found[1]}/{version}"
        answer = self._sign(versions[version], name, body) if found[3] else self._get(versions[version], name, found[1])
        return 200, self.change(answer), {}

    def _login(self, path: str, body: bytes) -> Reply:
        if path.endswith("openid-configuration"):
            base = f"{self.url}/{TENANT}"
            ends = {"token_endpoint": "token", "authorization_endpoint": "authorize"}
            return 200, {"issuer": f"{base}/v2.0", **{k: f"{base}/oauth2/v2.0/{v}" for k, v in ends.items()}}, {}
        if not self.login_open or parse_qs(body.decode()).get("client_secret") != [CLIENT_SECRET]:
            return 401, {"error": "invalid_client", "error_description": "the client secret has expired"}, {}
        return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": TOKEN}, {}

    def _get(self, key: ec.EllipticCurvePrivateKey, name: str, short: str) -> dict[str, Any]:
        numbers = key.public_key().public_numbers()
        curve = "P-256K" if isinstance(key.curve, ec.SECP256K1) else "P-256"
        jwk = {"kid": name, "kty": self.kty, "crv": curve, "key_ops": ["sign", "verify"]}
        jwk |= {part: _b64(getattr(numbers, part).to_bytes(32, "big")) for part in ("x", "y")}
        return {"key": jwk, "attributes": {"enabled": short not in self.disabled}}

    @staticmethod
    def _sign(key: ec.EllipticCurvePrivateKey, name: str, body: bytes) -> dict[str, Any]:
        request = json.loads(body)
        assert request["alg"] == "ES256K"
        r, s = decode_dss_signature(key.sign(_unb64(request["value"]), ec.ECDSA(Prehashed(hashes.SHA256()))))
        return {"kid": name, "value": _b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}


@contextmanager
def key_vault_server(tls: Certificate) -> Iterator[KeyVaultServer]:
    held = KeyVaultServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            status, document, headers = held.reply(self.command, path, body, self.headers.get("Authorization"))
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                self.wfile.write(data)
            except OSError:
                self.close_connection = True

        do_GET = do_POST  # noqa: N815 - the base class looks for this name

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are part of the tests
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    held.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
