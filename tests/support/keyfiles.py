"""Encrypted keyfiles for tests, of a known key and quick to open."""

from __future__ import annotations

import json
from pathlib import Path

from eth_account import Account

from tests.support.anvil import KEY

__all__ = ["PASSWORD", "keyfile", "password_file"]

PASSWORD = "canary-password-8d1c77"


def keyfile(folder: Path, key: bytes = KEY, name: str = "key.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(Account.encrypt(key, PASSWORD, kdf="pbkdf2", iterations=2)))
    return path


def password_file(folder: Path, password: str = PASSWORD) -> Path:
    path = folder / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return path
