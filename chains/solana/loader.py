"""The upgradeable loader's instructions, and those that make its accounts.

Source: solana-loader-v3-interface, ``UpgradeableLoaderInstruction``: a little-endian u32, then the fields (bincode).
"""

from __future__ import annotations

import struct

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import (
    AllocateWithSeedParams,
    AssignWithSeedParams,
    CreateAccountParams,
    CreateAccountWithSeedParams,
    TransferParams,
    allocate_with_seed,
    assign_with_seed,
    create_account,
    create_account_with_seed,
    transfer,
)

from chains.solana.layouts import LOADER, PROGRAM_BYTES, program_data_address

__all__ = [
    "close",
    "create_buffer",
    "create_program",
    "deploy",
    "extend",
    "extend_checked",
    "initialize_buffer",
    "set_authority",
    "set_authority_checked",
    "upgrade",
    "write",
]

_SYSTEM = Pubkey.default()
_RENT = Pubkey.from_string("SysvarRent111111111111111111111111111111111")
_CLOCK = Pubkey.from_string("SysvarC1ock11111111111111111111111111111111")


def _meta(key: Pubkey, *, signer: bool = False, writable: bool = False) -> AccountMeta:
    return AccountMeta(key, signer, writable)


def create_buffer(payer: Pubkey, buffer: Pubkey, seed: str, space: int, rent: int, held: int) -> list[Instruction]:
    """An account at a seeded address. Where somebody put lamports first (``held``), which makes a plain creation fail, it is
    topped up, allocated and assigned instead."""
    if not held:
        params = CreateAccountWithSeedParams(
            from_pubkey=payer, to_pubkey=buffer, base=payer, seed=seed, lamports=rent, space=space, owner=LOADER
        )
        return [create_account_with_seed(params)]
    missing = max(rent - held, 0)
    return [
        *([transfer(TransferParams(from_pubkey=payer, to_pubkey=buffer, lamports=missing))] if missing else []),
        allocate_with_seed(AllocateWithSeedParams(address=buffer, base=payer, seed=seed, space=space, owner=LOADER)),
        assign_with_seed(AssignWithSeedParams(address=buffer, base=payer, seed=seed, owner=LOADER)),
    ]


def create_program(payer: Pubkey, program: Pubkey, rent: int) -> Instruction:
    return create_account(
        CreateAccountParams(from_pubkey=payer, to_pubkey=program, lamports=rent, space=PROGRAM_BYTES, owner=LOADER)
    )


def initialize_buffer(buffer: Pubkey, authority: Pubkey) -> Instruction:
    return Instruction(LOADER, struct.pack("<I", 0), [_meta(buffer, writable=True), _meta(authority)])


def write(buffer: Pubkey, authority: Pubkey, offset: int, data: bytes) -> Instruction:
    accounts = [_meta(buffer, writable=True), _meta(authority, signer=True)]
    return Instruction(LOADER, struct.pack("<IIQ", 1, offset, len(data)) + data, accounts)


def deploy(payer: Pubkey, program: Pubkey, buffer: Pubkey, authority: Pubkey, max_length: int) -> Instruction:
    """DeployWithMaxDataLen: ``authority`` is the buffer's, and becomes the program's."""
    accounts = [
        _meta(payer, signer=True, writable=True),
        _meta(program_data_address(program), writable=True),
        _meta(program, writable=True),
        _meta(buffer, writable=True),
        _meta(_RENT),
        _meta(_CLOCK),
        _meta(_SYSTEM),
        _meta(authority, signer=True),
    ]
    return Instruction(LOADER, struct.pack("<IQ", 2, max_length), accounts)


def upgrade(program: Pubkey, buffer: Pubkey, authority: Pubkey, spill: Pubkey) -> Instruction:
    """``spill`` gets the buffer's rent."""
    accounts = [
        _meta(program_data_address(program), writable=True),
        _meta(program, writable=True),
        _meta(buffer, writable=True),
        _meta(spill, writable=True),
        _meta(_RENT),
        _meta(_CLOCK),
        _meta(authority, signer=True),
    ]
    return Instruction(LOADER, struct.pack("<I", 3), accounts)


def set_authority(account: Pubkey, authority: Pubkey, new: Pubkey | None) -> Instruction:
    """Without the new authority's signature: for a buffer, and for making a program immutable (``new`` is ``None``)."""
    accounts = [_meta(account, writable=True), _meta(authority, signer=True), *([_meta(new)] if new else [])]
    return Instruction(LOADER, struct.pack("<I", 4), accounts)


def close(account: Pubkey, recipient: Pubkey, authority: Pubkey) -> Instruction:
    """Close a buffer; its lamports go to ``recipient``."""
    accounts = [_meta(account, writable=True), _meta(recipient, writable=True), _meta(authority, signer=True)]
    return Instruction(LOADER, struct.pack("<I", 5), accounts)


def extend(program: Pubkey, payer: Pubkey, additional: int) -> Instruction:
    accounts = [
        _meta(program_data_address(program), writable=True),
        _meta(program, writable=True),
        _meta(_SYSTEM),
        _meta(payer, signer=True, writable=True),
    ]
    return Instruction(LOADER, struct.pack("<II", 6, additional), accounts)


def set_authority_checked(account: Pubkey, authority: Pubkey, new: Pubkey) -> Instruction:
    """The new authority signs too, so that none is named that nobody holds."""
    accounts = [_meta(account, writable=True), _meta(authority, signer=True), _meta(new, signer=True)]
    return Instruction(LOADER, struct.pack("<I", 7), accounts)


def extend_checked(program: Pubkey, authority: Pubkey, payer: Pubkey, additional: int) -> Instruction:
    """As ``extend``, where the cluster wants the authority's signature."""
    accounts = [
        _meta(program_data_address(program), writable=True),
        _meta(program, writable=True),
        _meta(authority, signer=True),
        _meta(_SYSTEM),
        _meta(payer, signer=True, writable=True),
    ]
    return Instruction(LOADER, struct.pack("<II", 9, additional), accounts)
