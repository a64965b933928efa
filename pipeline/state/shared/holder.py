"""Who holds a lease, in words, and from which folder of which machine."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import printable
from chains.files import write_atomic

__all__ = ["Holder", "this_run"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Holder:
    """``since`` is for people: nothing is decided by it. ``by_hand`` is ``ship state lock``: no process, no signs of life."""

    who: str
    host: str
    pid: int
    command: str
    since: str
    place: str
    by_hand: bool = False

    def __str__(self) -> str:
        if self.by_hand:
            return f"{self.who} on {self.host}, who locked it at {self.since}: {self.command}"
        return f"{self.who}: `{self.command}`, process {self.pid} on {self.host}, since {self.since}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Holder:
        """Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        texts = {name: printable(data[name], 200) for name in ("who", "host", "command", "since", "place")}
        if type(data["pid"]) is not int or type(data["by_hand"]) is not bool:
            raise ValueError("a holder's field is of another type")
        return cls(pid=data["pid"], by_hand=data["by_hand"], **texts)


def this_run(command: str, lock: Path, *, by_hand: bool = False) -> Holder:
    """Whoever runs this, from the folder whose lock file is ``lock``."""
    return Holder(
        who=_who(),
        host=socket.gethostname(),
        pid=os.getpid(),
        command=command,
        since=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        place=_place(lock),
        by_hand=by_hand,
    )


def _who() -> str:
    actor, run = os.environ.get("GITHUB_ACTOR"), os.environ.get("GITHUB_RUN_ID")
    if actor and run:
        return f"{actor} (GitHub run {run})"
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def _place(lock: Path) -> str:
    """Names this folder on this machine since it was started: its lock file decides who is alive in it.

    A random mark in the folder, with the file's own number and the machine's start: a copied folder is another place.
    """
    mark = lock.with_suffix(".place")
    if not mark.exists():
        write_atomic(mark, secrets.token_hex(16).encode())
    boot = _BOOT.read_text() if _BOOT.exists() else socket.gethostname()
    where = (lock if lock.exists() else lock.parent).stat()
    return sha256_hex(f"{mark.read_text()} {boot} {where.st_dev} {where.st_ino}".encode())
