"""What files say was deployed. Nothing here is believed: it says where to look."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chains.errors import Refused

__all__ = ["Claim", "Claims", "FileUnreadable", "Reader", "WrongNetwork"]


class FileUnreadable(Refused):
    """SHIP-H01: a file of deployments that cannot be read, or is of no kind known here."""

    code = "SHIP-H01"


class WrongNetwork(Refused):
    """SHIP-H02: a file is about another chain than the target."""

    code = "SHIP-H02"


@dataclass(frozen=True)
class Claim:
    """One contract. ``names`` are what it is called there, the most telling first; ``address`` has a checksum.

    ``transaction`` is the one said to have created it; ``nested``: by another contract in that transaction.
    """

    address: str
    names: tuple[str, ...] = ()
    transaction: str | None = None
    nested: bool = False


@dataclass(frozen=True)
class Claims:
    """What one file says. ``chain_id`` is ``None`` where the format does not tell; ``calls`` are transactions that called."""

    file: str
    kind: str
    chain_id: int | None
    contracts: tuple[Claim, ...]
    calls: tuple[str, ...] = ()


class Reader(Protocol):
    """Reads one kind of file. ``kind`` is its name for people."""

    @property
    def kind(self) -> str: ...

    def knows(self, path: Path) -> bool:
        """Whether ``path`` (a file or folder that is there) is of this kind."""
        ...

    def read(self, path: Path, chain_id: int) -> list[Claims]:
        """Everything in it about chain ``chain_id``, or about whichever chain it is. Raises ``FileUnreadable``."""
        ...
