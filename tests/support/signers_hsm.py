"""A target with a [signer] table of a test's, and what makes keys of each backend on real parts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.signing.context import SignerContext, SignerNoAnswer, SignerUnavailable
from pipeline.signing.keystore import create_keystore
from pipeline.signing.password import PasswordOptions
from tests.support.openbao import openbao
from tests.support.signer_case import Case, Service
from tests.support.softhsm import PIN, Token, new_token

__all__ = ["keystore_service", "pkcs11_service", "pkcs11_table", "signer_context", "vault_service"]

PROJECT = """schema = 1
[project]
name = "signers"
version = "1.0.0"
[evm]
root = "."
[contracts.A]
source = "src/A.sol:A"
"""


def signer_context(root: Path, table: str, *, chain: str = "sepolia", secret: str | None = None) -> SignerContext:
    """A project in ``root`` with one target whose [signer] is ``table``. ``secret`` is what --password-file holds."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "manifests").mkdir(exist_ok=True)
    (root / "ship.toml").write_text(PROJECT)
    target = f'schema = 1\nchain = "{chain}"\n[rpc]\nendpoints = ["http://127.0.0.1:9"]\n[signer]\n{table}\n'
    (root / "manifests/here.toml").write_text(target)
    project = load_project(root)
    context = SignerContext(load_target(project, "here"), project.root)
    if secret is None:
        return context
    file = root / "secret"
    file.write_text(secret + "\n")
    file.chmod(0o600)
    return replace(context, password=PasswordOptions(file))


def pkcs11_table(token: Token, key: str) -> str:
    return f'backend = "pkcs11"\nmodule = "{token.library}"\ntoken-label = "{token.label}"\nkey = "{key}"'


@contextmanager
def pkcs11_service(folder: Path) -> Iterator[Service]:
    token, labels = new_token(), (f"key-{number}" for number in itertools.count())

    def case(kind: str) -> Case:
        label = next(labels)
        token.key(label, kind)
        table = {
            "backend": "pkcs11",
            "module": token.library,
            "token-label": token.label,
            "key": label,
            "pin": "env:CONFORMANCE_PIN",
        }
        return Case(table, {"destroyed key": (lambda: token.destroy(label), SignerUnavailable)})

    yield Service(lambda: case("secp256k1"), lambda: case("ed25519"), {"CONFORMANCE_PIN": PIN})


@contextmanager
def keystore_service(folder: Path) -> Iterator[Service]:
    numbers = itertools.count()

    def case(kind: str) -> Case:
        path = folder / f"key-{next(numbers)}.json"
        create_keystore(path, "canary-password-31", solana=kind == "ed25519")
        table = {"backend": "keystore", "file": "env:CONFORMANCE_KEYSTORE", "password": "env:CONFORMANCE_PASSWORD"}
        os.environ["CONFORMANCE_KEYSTORE"] = str(path)
        return Case(table)

    environment = {"CONFORMANCE_PASSWORD": "canary-password-31", "CONFORMANCE_KEYSTORE": ""}
    yield Service(lambda: case("secp256k1"), lambda: case("ed25519"), environment)


@contextmanager
def vault_service(folder: Path) -> Iterator[Service]:
    """Without secp256k1, which transit has not."""
    with openbao() as server:
        numbers = itertools.count()

        def ed25519() -> Case:
            name = f"key-{next(numbers)}"
            server.key(name)
            server.allow(name, f"transit/sign/{name}", f"transit/keys/{name}")
            token = server.token(name)
            os.environ["CONFORMANCE_TOKEN"] = token

            def delete() -> None:
                server.do("POST", f"transit/keys/{name}/config", {"deletion_allowed": True})
                server.do("DELETE", f"transit/keys/{name}")

            return Case(
                {"backend": "vault", "url": server.url, "key": f"{name}/1", "token": "env:CONFORMANCE_TOKEN"},
                {
                    "deleted key": (delete, SignerUnavailable),
                    "no right": (lambda: server.allow(name, f"transit/keys/{name}"), SignerUnavailable),
                    "expired credentials": (lambda: server.revoke(token), SignerNoAnswer),
                },
            )

        yield Service(None, ed25519, {"CONFORMANCE_TOKEN": ""})
