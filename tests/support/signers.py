"""Every backend of the conformance suite, in one shape. A new one adds a factory and a line to ``SIGNERS``.

A factory is a context manager that starts what the backend needs and gives a ``Service``: what the environment must hold,
and how to make a new key. Each key comes with the events that can befall it and the error each must end in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import grpc

from pipeline.manifest.project import load_project
from pipeline.manifest.target import Target, load_target
from pipeline.signing.base import DigestBackend, MessageBackend
from pipeline.signing.context import SignerContext, SignerNoAnswer, SignerUnavailable
from pipeline.signing.opening import open_backend, open_message_backend, signer_address
from pipeline.signing.password import PasswordOptions
from tests.support.gcp_kms_server import gcp_server
from tests.support.key_vault_server import CLIENT_SECRET, TENANT, key_vault_server
from tests.support.ministack import REGION, ministack
from tests.support.service_proxy import Answer, service_proxy
from tests.support.signer_case import Case, Service
from tests.support.signers_hsm import keystore_service, pkcs11_service, vault_service
from tests.support.tls import certificate

__all__ = ["EVM_SIGNERS", "MESSAGE_SIGNERS", "SIGNERS", "context", "open_evm", "open_message", "target"]


def target(folder: Path, table: dict[str, str], **pin: str) -> Target:
    """A target of the local chain with this [signer], in a new project under ``folder``."""
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    project = folder / "ship.toml"
    project.write_text('schema = 1\n[project]\nname = "signers"\nversion = "1.0.0"\n')
    lines = [f"{key} = {json.dumps(value)}" for key, value in {**table, **pin}.items()]
    manifest = 'schema = 1\nextends = "builtin:local"\n[signer]\n' + "\n".join(lines) + "\n"
    (folder / "manifests" / "cloud.toml").write_text(manifest)
    return load_target(load_project(folder), "cloud")


def context(folder: Path, table: dict[str, str], **pin: str) -> SignerContext:
    return SignerContext(target(folder, table, **pin), folder, PasswordOptions())


def open_evm(folder: Path, table: dict[str, str], address: str | None = None) -> DigestBackend:
    """The key through ``open_backend``, its address found first where none is given."""
    pinned = address or signer_address(target(folder, table), folder)
    backend = open_backend(target(folder, table, address=pinned), folder, PasswordOptions())
    assert isinstance(backend, DigestBackend)
    return backend


def open_message(folder: Path, table: dict[str, str], public_key: str) -> MessageBackend:
    found = target(folder, table, **{"public-key": public_key})
    return open_message_backend(found, folder, PasswordOptions())


@contextmanager
def _aws(folder: Path) -> Iterator[Service]:
    with ministack() as stack, service_proxy(stack.url) as proxy:
        made: list[str] = []

        def table(key: str) -> dict[str, str]:
            return {"backend": "aws-kms", "key": key, "region": REGION, "url": proxy.url}

        def expired() -> None:
            body = json.dumps({"__type": "ExpiredTokenException", "message": "planted-canary-in-a-message"}).encode()
            proxy.meddle = lambda operation, request: Answer(400, body, {"Content-Type": "application/x-amz-json-1.1"})

        def evm() -> Case:
            proxy.meddle = lambda operation, request: None
            alias = f"alias/deployer-{len(made)}"
            key = stack.key(alias=alias)
            made.append(key)
            other = stack.key()
            return Case(
                table(alias),
                {
                    "disabled key": (lambda: stack.kms.disable_key(KeyId=key) and None, SignerUnavailable),
                    "deleted key": (lambda: _delete(key), SignerUnavailable),
                    "moved alias": (
                        lambda: stack.kms.update_alias(AliasName=alias, TargetKeyId=other) and None,
                        SignerUnavailable,
                    ),
                    "expired credentials": (expired, SignerNoAnswer),
                },
            )

        def _delete(key: str) -> None:
            stack.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)

        def ed25519() -> Case:
            proxy.meddle = lambda operation, request: None
            return Case(table(stack.key("ECC_NIST_EDWARDS25519")))

        yield Service(evm, ed25519, {**stack.environment, "AWS_CONFIG_FILE": str(folder / "none")})


@contextmanager
def _gcp(folder: Path) -> Iterator[Service]:
    with gcp_server() as server:

        def case(kind: str) -> Case:
            server.fault = lambda method: None
            name = server.key(kind)

            def expired() -> None:
                server.fault = lambda method: grpc.StatusCode.UNAUTHENTICATED

            return Case(
                {"backend": "gcp-kms", "key": name, "url": f"http://127.0.0.1:{server.port}"},
                {
                    "disabled key": (lambda: server.disabled.add(name), SignerUnavailable),
                    "expired credentials": (expired, SignerNoAnswer),
                },
            )

        yield Service(lambda: case("secp256k1"), lambda: case("ed25519"))


@contextmanager
def _azure(folder: Path) -> Iterator[Service]:
    tls = certificate(folder)
    with key_vault_server(tls) as server:

        def evm() -> Case:
            server.login_open = True
            server.fault = lambda path: None
            name = server.key()

            def expired() -> None:
                challenge = {"WWW-Authenticate": 'Bearer authorization="https://127.0.0.1/x", resource="https://x"'}
                server.fault = lambda path: (401, {"error": {"code": "Unauthorized"}}, challenge)
                server.login_open = False

            return Case(
                {"backend": "azure-kv", "key": name, "url": server.url},
                {
                    "disabled key": (lambda: server.disabled.add(name), SignerUnavailable),
                    "expired credentials": (expired, SignerNoAnswer),
                },
            )

        yield Service(
            evm,
            environment={
                "AZURE_AUTHORITY_HOST": server.url,
                "AZURE_TENANT_ID": TENANT,
                "AZURE_CLIENT_ID": "deployer",
                "AZURE_CLIENT_SECRET": CLIENT_SECRET,
                "REQUESTS_CA_BUNDLE": str(tls.certificate),
            },
        )


SIGNERS: dict[str, Callable[[Path], AbstractContextManager[Service]]] = {
    "aws-kms": _aws,
    "azure-kv": _azure,
    "gcp-kms": _gcp,
    "keystore": keystore_service,
    "pkcs11": pkcs11_service,
    "vault": vault_service,
}

EVM_SIGNERS = ("aws-kms", "azure-kv", "gcp-kms", "keystore", "pkcs11")
"""Those with secp256k1 keys."""

MESSAGE_SIGNERS = ("aws-kms", "gcp-kms", "keystore", "pkcs11", "vault")
"""Those with ed25519 keys."""
