"""Real stores with a secret in each: a test gives a value, and gets the reference ``ship`` is to read it by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage

from tests.support.ministack import CREDENTIALS, REGION, Ministack
from tests.support.missing import missing
from tests.support.openbao import ROOT_TOKEN, OpenBao

__all__ = ["FILE_KEYRING", "age_identity", "age_put", "aws_put", "keyring_put", "sops_program", "sops_put", "vault_put"]

FILE_KEYRING = "tests.support.file_keyring.FileKeyring"
SetEnv = Callable[[str, str], None]


def vault_put(bao: OpenBao, setenv: SetEnv, value: str, name: str = "ship") -> str:
    """The root token reads it."""
    bao.do("POST", f"secret/data/{name}", {"data": {"value": value, "other": "canary-other-field"}})
    setenv("VAULT_ADDR", bao.url)
    setenv("VAULT_TOKEN", ROOT_TOKEN)
    return f"vault:secret/{name}#value"


def aws_client(stack: Ministack, service: str) -> Any:
    import boto3

    session: Any = boto3.Session()
    return session.client(service, endpoint_url=stack.url, region_name=REGION, **CREDENTIALS)


def aws_put(stack: Ministack, setenv: SetEnv, value: str, name: str = "ship", *, parameter: bool = False) -> str:
    for key, setting in stack.environment.items():
        setenv(key, setting)
    if parameter:
        client = aws_client(stack, "ssm")
        client.put_parameter(Name=f"/{name}/value", Value=value, Type="SecureString", Overwrite=True)
        return f"aws-ssm:/{name}/value"
    aws_client(stack, "secretsmanager").create_secret(Name=name, SecretString=json.dumps({"value": value}))
    return f"aws-sm:{name}#value"


def age_identity(folder: Path, setenv: SetEnv) -> str:
    """The recipient of a new identity, which the environment names."""
    identity = pyrage.x25519.Identity.generate()
    file = folder / "identity.txt"
    file.write_text(f"# created: today\n# public key: {identity.to_public()}\n{identity}\n")
    setenv("AGE_IDENTITY_FILE", str(file))
    return str(identity.to_public())


def age_put(folder: Path, recipient: str, value: str, name: str = "ship", *, armored: bool = False) -> str:
    to = pyrage.x25519.Recipient.from_str(recipient)
    (folder / f"{name}.age").write_bytes(pyrage.encrypt(value.encode(), [to], armored=armored))
    return f"age:{name}.age"


def sops_program() -> str:
    beside = Path(sys.executable).parent / "sops"
    return str(beside) if beside.exists() else shutil.which("sops") or missing("sops is missing: run scripts/setup")


def sops_put(folder: Path, recipient: str, tree: Any, name: str = "ship.json") -> str:
    """``tree`` as JSON (or text in the file's own form), encrypted by sops itself; the reference lacks its path of keys."""
    path = folder / name
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [sops_program(), "encrypt", "--age", recipient, "--in-place", str(path)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    return f"sops:{name}#"


def keyring_put(folder: Path, setenv: SetEnv, value: str, name: str = "rpc") -> str:
    from tests.support.file_keyring import FileKeyring

    setenv("PYTHON_KEYRING_BACKEND", FILE_KEYRING)
    setenv("TEST_KEYRING_FILE", str(folder / "keyring.json"))
    FileKeyring().set_password("ship", name, value)  # type: ignore[no-untyped-call]
    return f"keyring:ship/{name}"
