"""One run per target: an advisory lock the kernel releases when the holder dies (fault 54)."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from chains.errors import Refused, Where

__all__ = ["FolderReadOnly", "TargetLocked", "locked"]


class TargetLocked(Refused):
    """SHIP-L01: another run works on this target."""

    code = "SHIP-L01"


class FolderReadOnly(Refused):
    """SHIP-L02: the project's folder cannot be written to."""

    code = "SHIP-L02"


@contextmanager
def locked(path: Path, purpose: str) -> Iterator[None]:
    """Hold ``path`` for the time of the block. Raises ``TargetLocked`` naming the holder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise FolderReadOnly(
            f"the lock file cannot be created: {error.strerror}",
            where=Where(str(path)),
            remedy="Make the project's folder writable: the journal must be on disk before anything is sent.",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TargetLocked(
                f"another run holds this target: {_holder(descriptor)}",
                where=Where(str(path)),
                remedy="Wait for it, or stop it; the lock goes with the process, there is nothing to delete.",
            ) from error
        except OSError as error:
            raise FolderReadOnly(
                f"the lock file cannot be locked: {error.strerror}",
                where=Where(str(path)),
                remedy="Keep the project on a file system with locks (a local disk).",
            ) from error
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "purpose": purpose}
        holder["since"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with suppress(OSError):  # a full disk: the lock holds all the same, only its holder stays unnamed
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"`{holder['purpose']}`, process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just started"
