"""The accounts of an instruction that need not be named: fixed ones, the signer, and addresses derived from seeds the IDL gives.

Source: Anchor's IDL specification 0.1.0, ``pda.seeds`` (const, arg, account); the programs are named as Anchor's clients name them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solders.pubkey import Pubkey

from chains.solana.borsh import encode

__all__ = ["WELL_KNOWN", "resolved"]

WELL_KNOWN = {
    "system_program": "11111111111111111111111111111111",
    "token_program": "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
    "associated_token_program": "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL",
    "rent": "SysvarRent111111111111111111111111111111111",
    "clock": "SysvarC1ock11111111111111111111111111111111",
}
"""By the names that accounts have in IDLs before 0.30; later ones write the address."""


def resolved(
    wanted: Sequence[Mapping[str, Any]],
    given: Mapping[str, str],
    arguments: Mapping[str, Any],
    kinds: Mapping[str, Any],
    *,
    program: str,
    signer: str | None,
    types: Mapping[str, Any],
) -> dict[str, str]:
    """Every account that is known, by name. ``kinds`` are the arguments' types, ``arguments`` their values, both by name.

    An account that stays unknown is left out; whoever needs it says so. Raises ``BorshRefused`` for an argument that is a
    seed and does not fit its type, and ``ValueError`` for seeds that are longer than an address takes.
    """
    found = dict(given)
    for _ in wanted:  # a seed may be an account that is itself derived
        before = len(found)
        for account in wanted:
            name = account["name"]
            if name in found:
                continue
            key = account.get("address") or WELL_KNOWN.get(name)
            if key is None and account.get("signer", account.get("isSigner", False)):
                key = signer
            if key is None and "pda" in account:
                key = _derived(account["pda"], found, arguments, kinds, program, types)
            if key is not None:
                found[name] = key
        if len(found) == before:
            break
    return found


def _derived(
    pda: Mapping[str, Any],
    accounts: Mapping[str, str],
    arguments: Mapping[str, Any],
    kinds: Mapping[str, Any],
    program: str,
    types: Mapping[str, Any],
) -> str | None:
    of = _seed(pda["program"], accounts, arguments, kinds, types) if "program" in pda else None
    if "program" in pda and of is None:
        return None
    seeds = [_seed(seed, accounts, arguments, kinds, types) for seed in pda.get("seeds", ())]
    if any(seed is None for seed in seeds):
        return None
    owner = Pubkey.from_bytes(of) if of is not None else Pubkey.from_string(program)
    return str(Pubkey.find_program_address([seed for seed in seeds if seed is not None], owner)[0])


def _seed(
    seed: Mapping[str, Any],
    accounts: Mapping[str, str],
    arguments: Mapping[str, Any],
    kinds: Mapping[str, Any],
    types: Mapping[str, Any],
) -> bytes | None:
    kind, path = seed.get("kind"), str(seed.get("path", ""))
    if kind == "const":
        return bytes(seed["value"])
    if kind == "account" and path in accounts:  # a path into an account's data would have to be read: it stays unknown
        return bytes(Pubkey.from_string(accounts[path]))
    if kind == "arg" and path in arguments:
        # Text and bytes are seeds without the length that borsh puts before them.
        whole = encode(kinds[path], arguments[path], types)
        return whole[4:] if kinds[path] in {"string", "bytes"} else whole
    return None
