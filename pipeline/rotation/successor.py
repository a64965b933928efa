"""Who a rotation is to: an address, or the one of a signer that is described like a target's."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Refused
from chains.evm.address import address_bytes, checksum
from pipeline.manifest.target import Target
from pipeline.signing.opening import signer_address
from pipeline.signing.standalone import standalone_target

__all__ = ["SuccessorInvalid", "successor"]


class SuccessorInvalid(Refused):
    """SHIP-Z05: what is to get the rights is no address."""

    code = "SHIP-Z05"


def successor(target: Target, to: str | None, signer_file: Path | None) -> str | None:
    """The new address, with its checksum right; of a signer file what its backend says. ``None`` when none is named."""
    if signer_file is not None:
        name, number = target.chain.name, target.chain.chain_id or 0
        return signer_address(standalone_target(signer_file, name, number), signer_file.resolve().parent)
    if to is None:
        return None
    try:
        spelled = checksum(address_bytes(to))
    except ValueError:
        spelled = ""
    mixed = to[2:] not in {to[2:].lower(), to[2:].upper()}
    if not to.startswith("0x") or not spelled or not int(spelled, 16) or (mixed and to != spelled):
        raise SuccessorInvalid(
            f"--to is not an address: {to}{' (its checksum is wrong)' if spelled else ''}",
            remedy="Give 0x and 40 hex digits, spelled as the new key's own tool spells it.",
        )
    return spelled
