"""A file named by a reference, read whole and within a limit."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from pipeline.secrets.base import NotGiven

__all__ = ["read_regular", "text_of"]


def read_regular(root: Path, rest: str, max_bytes: int) -> bytes:
    """The bytes of ``rest``, relative to ``root``; ``~/`` is the home folder. No pipe, no device, nothing larger."""
    try:
        # A pipe without a writer would be waited for at opening already.
        handle = os.open(root / Path(rest).expanduser(), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise NotGiven(f"{rest} is not a regular file")
            content = file.read(max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the path is not allowed"
        raise NotGiven(f"{rest} cannot be read: {reason}") from None
    if len(content) > max_bytes:
        raise NotGiven(f"{rest} is larger than {max_bytes // 1024} KiB")
    return content


def text_of(content: bytes, what: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NotGiven(f"{what} is not UTF-8") from None
