"""A target with a [signer] table of a test's, and a backend of each kind of ours on real parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.signing.base import DigestBackend, MessageBackend
from pipeline.signing.context import SignerContext
from pipeline.signing.password import PasswordOptions
from tests.support.openbao import openbao
from tests.support.softhsm import PIN, Token, new_token

__all__ = ["pkcs11_digest", "pkcs11_message", "pkcs11_table", "signer_context", "vault_message"]

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
def pkcs11_digest(root: Path) -> Iterator[DigestBackend]:
    from pipeline.signing.pkcs11_backend import open_evm

    token = new_token()
    token.key("deployer")
    yield open_evm(signer_context(root, pkcs11_table(token, "deployer"), secret=PIN))


@contextmanager
def pkcs11_message(root: Path) -> Iterator[MessageBackend]:
    from pipeline.signing.pkcs11_backend import open_ed25519

    token = new_token()
    token.key("deployer", "ed25519")
    yield open_ed25519(signer_context(root, pkcs11_table(token, "deployer"), secret=PIN))


@contextmanager
def vault_message(root: Path) -> Iterator[MessageBackend]:
    from pipeline.signing.vault_backend import open_ed25519

    with openbao() as server:
        server.key("deployer")
        server.allow("signer", "transit/sign/deployer", "transit/keys/deployer")
        root.mkdir(parents=True, exist_ok=True)
        (root / "token").write_text(server.token("signer"))
        table = f'backend = "vault"\nurl = "{server.url}"\nkey = "deployer/1"\ntoken = "file:token"'
        yield open_ed25519(signer_context(root, table))
