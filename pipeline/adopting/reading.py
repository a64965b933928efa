"""From the paths on the command line to claims: which kind each is, and that it is about the target's chain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from chains.errors import Where
from pipeline.adopting.claims import Claims, Reader, WrongNetwork
from pipeline.adopting.parsing import unreadable
from pipeline.adopting.readers.address_list import AddressList
from pipeline.adopting.readers.broadcast import Broadcast
from pipeline.adopting.readers.hardhat_deploy import HardhatDeploy
from pipeline.adopting.readers.ignition import Ignition
from pipeline.adopting.readers.openzeppelin import OpenZeppelin

__all__ = ["READERS", "read_claims"]

READERS: tuple[Reader, ...] = (Ignition(), OpenZeppelin(), Broadcast(), HardhatDeploy(), AddressList())
"""In the order they are asked; a plain list is what nothing else knows."""


def read_claims(paths: Sequence[Path], chain_id: int, target: str) -> list[Claims]:
    """Everything the files say about this chain. Raises ``FileUnreadable`` and ``WrongNetwork``."""
    found: list[Claims] = []
    for path in paths:
        if not path.exists():
            raise unreadable(path, "there is no such file or folder")
        reader = next((reader for reader in READERS if reader.knows(path)), None)
        if reader is None:
            raise unreadable(path, "it is of no kind that is known here")
        try:
            claims = reader.read(path, chain_id)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise unreadable(path, f"it is not the {reader.kind} it looks like ({error})") from error
        found += _of_this_chain(claims, path, chain_id, target)
    return found


def _of_this_chain(claims: Iterable[Claims], path: Path, chain_id: int, target: str) -> Iterable[Claims]:
    for claim in claims:
        if claim.chain_id not in {None, chain_id}:
            raise WrongNetwork(
                f"{path.name} is about chain {claim.chain_id}, the target {target} is chain {chain_id}",
                where=Where(claim.file),
                remedy="Give the file of the target's chain, or name the target of that chain with --chain.",
            )
        yield claim
