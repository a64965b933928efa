"""What an approved publication allows a message to say: its own program on its own accounts, and no bytes but the plan's."""

from __future__ import annotations

from collections.abc import Sequence

from solders.pubkey import Pubkey

from chains.solana.announcing import publication_of
from chains.solana.reading import SaidInstruction
from chains.solana.release import SolanaAction, SolanaPlan
from chains.solana.verified.record import BuildRecord

__all__ = ["why_not_published"]

_SYSTEM = "11111111111111111111111111111111"
_SYSVARS = {"SysvarRent111111111111111111111111111111111", "SysvarC1ock11111111111111111111111111111111"}
_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
_HEAD = 64
"""What a publication's instruction may hold before the content: its number, a seed, an offset, encodings, lengths."""
_METADATA = {0, 1, 3, 5, 6, 7, 8}
"""Write, Initialize, SetData, Trim, Close, Allocate, Extend: all but SetAuthority and SetImmutable."""
_ANCHOR_IDL = bytes.fromhex("40f4bc78a7e9690a")
"""What stands before Anchor's own instructions on IDL accounts, as the program's own discriminators do before its own."""
_SET_AUTHORITY, _RESIZE = 4, 6
_PROGRAMS = {
    "metadata": "ProgM6JCCvbYkfKqJYHePx4xxSUSqJp7rh8Lyv7nk7S",
    "build": "verifycLy8mB96wd9wqq3WDXQwM4oU6r42Th37Db9fC",
}


def why_not_published(
    real: Sequence[SaidInstruction], plan: SolanaPlan, digest: str, action: SolanaAction
) -> str | None:
    """Why the message is no part of the publication; ``None``: it is."""
    publication = publication_of(action, digest)
    service = _PROGRAMS.get(action.details["what"], action.details["program"])
    own = {*publication.keys, plan.payer, plan.deployer, action.details["program"]}
    readable = own | {_SYSTEM, _LOADER, service, *_SYSVARS}
    most = max(action.rent_lamports, 0) + action.borrowed_lamports
    paid = 0
    for one in real:
        touched = {key for key, _, _ in one.accounts}
        if one.program == _SYSTEM:
            fields = one.fields
            paid += int(fields.get("lamports", 0))
            target = fields.get("to") or fields.get("account")
            if target not in own or fields.get("from", plan.payer) != plan.payer:
                return f"{one.name} is about {target}, which is no account of this publication"
            if fields.get("owner", service) != service:
                return f"{one.name} gives an account to {fields['owner']}"
        elif one.program != service:
            return f"it calls {one.program}"
        elif touched - readable:
            return f"it touches {', '.join(sorted(touched - readable))}"
        elif not _is_needed(one.data, publication, action.details["what"]):
            return "it is an instruction that no publication needs"
        elif not _says_only(one.data, publication, action.details["what"]):
            return "it holds bytes that are not the plan's"
    # Rent is asked again when it is signed; what the plan did not foresee would be more than it.
    return None if paid <= most else f"it takes {paid} lamports, the plan at most {most}"


def _is_needed(data: bytes, publication: object, what: str) -> bool:
    """By its number: neither an authority that is not the plan's, nor what makes an account immutable, nor the program's own."""
    if what == "metadata":
        return data[:1] != b"" and data[0] in _METADATA
    if what == "legacy-idl":
        tag, number, fields = data[:8], data[8:9], data[9:]
        if tag != _ANCHOR_IDL or number == b"" or number[0] > _RESIZE:
            return False
        return number[0] != _SET_AUTHORITY or fields == bytes(Pubkey.from_string(publication.authority))  # type: ignore[attr-defined]
    return True


def _says_only(data: bytes, publication: object, what: str) -> bool:
    if what == "build":
        assert isinstance(publication, BuildRecord)
        # The slot of the deployment, the last eight bytes, is known only afterwards.
        return data[8:-8] == publication.build.borsh(0)[:-8]
    content: bytes = publication.content  # type: ignore[attr-defined]
    return any(data[start:] in content for start in range(min(len(data), _HEAD) + 1))
