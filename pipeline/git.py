"""The project's commit, as git tells it. A project outside git has none."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Commit", "current_commit"]

_TIMEOUT_S = 20


@dataclass(frozen=True)
class Commit:
    """``id`` is 40 hex digits or ``None``; ``dirty`` when tracked files differ or untracked ones lie about."""

    id: str | None
    dirty: bool


def _git(root: Path, *arguments: str) -> str | None:
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def current_commit(root: Path) -> Commit:
    """HEAD of the repository ``root`` lies in. ``ship``'s own records and journals do not make it dirty."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return Commit(None, False)
    status = _git(root, "status", "--porcelain", "--", ".", ":(exclude)deployments", ":(exclude)releases")
    return Commit(head, bool(status))
