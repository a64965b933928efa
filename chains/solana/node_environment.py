"""The Python environment the local Solana node runs in: found, or made once and kept.

It is looked for where ``scripts/services/litesvm`` puts it, then in the user's cache folder, under a name that holds the digest of
its lock. It is made there from the package index, with every file's hash pinned, and nothing else is asked for.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from chains.errors import Resumable
from chains.processes import run_tool
from chains.tools import base_environment, tools_folders

__all__ = ["REQUIREMENTS", "NodeEnvironmentFailed", "found_python", "node_python"]

REQUIREMENTS = Path(__file__).parent / "localnode" / "requirements.txt"
_TIMEOUT_S = 600.0


class NodeEnvironmentFailed(Resumable):
    """SHIP-L13: the environment of the local Solana node could not be made."""

    code = "SHIP-L13"


def _cache() -> Path:
    given = os.environ.get("XDG_CACHE_HOME")
    digest = sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return (Path(given) if given else Path.home() / ".cache") / "contract-ship" / f"litesvm-{digest}"


def found_python(root: Path) -> Path | None:
    """Where ``scripts/services/litesvm`` put it."""
    for tools in tools_folders(root):
        python = tools / "services" / "litesvm" / "bin" / "python"
        if (python.parents[1] / ".stamp").is_file() and python.is_file():
            return python
    return None


def node_python(root: Path) -> Path:
    """The Python of that environment, for the project at ``root``. Raises ``NodeEnvironmentFailed``."""
    found = found_python(root)
    if found:
        return found
    folder = _cache()
    python, stamp = folder / "bin" / "python", folder / ".stamp"
    if stamp.is_file() and python.is_file():
        return python
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once: the second finds what the first made
            if not stamp.is_file():
                _make(folder, python)
                stamp.touch()
    except OSError as error:
        raise NodeEnvironmentFailed(
            f"{error.filename} cannot be written: {error.strerror}",
            remedy="Set XDG_CACHE_HOME to a folder that can be written.",
        ) from error
    return python


def _make(folder: Path, python: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    # How to reach the package index is pip's own business, mirrors and certificates included.
    environment = base_environment() | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    pip = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--require-hashes"]
    commands: tuple[list[str | Path], ...] = (
        [sys.executable, "-m", "venv", folder],
        [python, *pip, "--only-binary", ":all:", "-r", REQUIREMENTS],
    )
    for command in commands:
        done = run_tool(command, cwd=folder.parent, timeout_s=_TIMEOUT_S, env=environment)
        if done.exit_code != 0:
            raise NodeEnvironmentFailed(
                f"the local Solana node's packages could not be installed: {done.text[-1500:]}",
                remedy="Run again when the Python package index can be reached, or put solana-test-validator on PATH.",
            )
