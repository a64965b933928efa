"""Durable file writes. A file is either there whole or not there at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from chains.errors import Resumable, Where

__all__ = ["FileUnwritable", "fsync_folder", "make_folder", "write_atomic"]


class FileUnwritable(Resumable):
    """SHIP-W01: a file could not be made durable."""

    code = "SHIP-W01"


def fsync_folder(folder: Path) -> None:
    """Make a rename or creation inside ``folder`` durable (POSIX ``fsync`` on the directory)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create ``folder`` and what is missing above it, each durably: a new folder is an entry in its parent too."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def write_atomic(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write ``data`` to ``path`` through a temporary file beside it, fsynced before and after the rename.

    Raises ``FileUnwritable``; ``path`` is then what it was before.
    """
    try:
        make_folder(path.parent)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)
    except OSError as error:
        raise FileUnwritable(
            f"the file cannot be written: {error.strerror or error}",
            where=Where(str(path)),
            remedy="Free space or make the folder writable, then run the same command again.",
        ) from error
