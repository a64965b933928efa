"""A keyring kept in a JSON file, for tests: the library's own kind of backend, without a desktop. Not a mock of ours."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

__all__ = ["FileKeyring"]


class FileKeyring(KeyringBackend):
    """In the file that ``TEST_KEYRING_FILE`` names."""

    priority = 1

    def _all(self) -> dict[str, str]:
        path = Path(os.environ["TEST_KEYRING_FILE"])
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._all().get(f"{service}\n{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        kept = {**self._all(), f"{service}\n{username}": password}
        Path(os.environ["TEST_KEYRING_FILE"]).write_text(json.dumps(kept))
