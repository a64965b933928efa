"""CreateX: contracts at the same address on every chain, with salts that only their sender can use.

Source: CreateX v1.0.0 (pcaversaccio/createx), ``_parseSalt``, ``_guard`` and ``computeCreate3Address``. The factory has
the same address and code on every chain it was deployed to by its presigned transaction, which is kept in
``createx_deployment.hex`` (as npm ``@nomicfoundation/ignition-core`` 3.1.9 publishes it) and held against its signer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError

from chains.errors import Refused
from chains.evm.address import address_bytes, checksum, create2_address, create_address, keccak256

__all__ = [
    "CREATEX",
    "CREATEX_CODE_HASH",
    "PRESIGNED_COST_WEI",
    "PRESIGNED_SIGNER",
    "Guarded",
    "SaltRefused",
    "create3_address",
    "create3_proxy",
    "deploy_create2",
    "deploy_create3",
    "guard",
    "init_code_of",
    "presigned_transaction",
    "sender_salt",
]

CREATEX = "0xba5Ed099633D3B313e4D5F7bdc1305d3c28ba5Ed"
CREATEX_CODE_HASH = "0xbd8a7ea8cfca7b4e5f5041d7d4b17bc317c5ce42cfbc42066a00cf26b43eb53f"
"""keccak256 of its runtime code."""
PRESIGNED_SIGNER = "0xeD456e05CaAb11d66C4c797dD6c1D6f9A7F352b5"
PRESIGNED_COST_WEI = 100 * 10**9 * 3_000_000
"""What its signer must own: the presigned transaction offers 100 gwei for each of 3,000,000 gas."""

_PROXY_INIT_CODE = bytes.fromhex("67363d3d37363d34f03d5260086018f3")
"""What CREATE3 deploys first: a proxy that CREATEs its input. The same for every contract, so the salt alone counts."""
_SELECTORS = {
    keccak256(b"deployCreate2(bytes32,bytes)")[:4]: "create2",
    keccak256(b"deployCreate3(bytes32,bytes)")[:4]: "create3",
}


class SaltRefused(Refused):
    """SHIP-E60: a salt CreateX would revert on, or would not keep for this sender."""

    code = "SHIP-E60"


@dataclass(frozen=True)
class Guarded:
    """The salt CreateX really uses. ``sender_only``: nobody else can use it. ``chain_only``: other chains differ."""

    salt: bytes
    sender_only: bool
    chain_only: bool


def sender_salt(sender: str, entropy: bytes) -> bytes:
    """A salt only ``sender`` can use, the same on every chain: sender, a zero byte, 11 bytes of ``entropy``."""
    return address_bytes(sender) + b"\x00" + entropy[:11]


def guard(salt: bytes, sender: str, chain_id: int) -> Guarded:
    """``_guard`` of CreateX for a call by ``sender``. Raises ``SaltRefused`` where CreateX reverts with InvalidSalt."""
    owner, flag = salt[:20], salt[20]
    sender_word, chain_word = address_bytes(sender).rjust(32, b"\0"), chain_id.to_bytes(32, "big")
    mine, nobodys = owner == address_bytes(sender), owner == bytes(20)
    if (mine or nobodys) and flag > 1:
        raise SaltRefused(
            f"CreateX refuses the salt 0x{salt.hex()}: byte 21 is 0x{flag:02x}",
            remedy="Set byte 21 to 0x00 (the same address on every chain) or 0x01 (another one on each), or write the "
            "salt as text and let ship make it.",
        )
    if mine and flag == 1:
        return Guarded(keccak256(sender_word + chain_word + salt), sender_only=True, chain_only=True)
    if mine:
        return Guarded(keccak256(sender_word + salt), sender_only=True, chain_only=False)
    if nobodys and flag == 1:
        return Guarded(keccak256(chain_word + salt), sender_only=False, chain_only=True)
    return Guarded(keccak256(salt), sender_only=False, chain_only=False)


def create3_proxy(guarded: bytes) -> str:
    """Where the proxy of a guarded salt lies: it makes the contract, so constructors see it as ``msg.sender``."""
    return create2_address(CREATEX, guarded, _PROXY_INIT_CODE)


def create3_address(guarded: bytes) -> str:
    """Where the contract of a guarded salt comes to lie: the first CREATE of its proxy."""
    return create_address(create3_proxy(guarded), 1)


def _payload(function: str, salt: bytes, init_code: bytes) -> bytes:
    return keccak256(f"{function}(bytes32,bytes)".encode())[:4] + encode(["bytes32", "bytes"], [salt, init_code])


def deploy_create2(salt: bytes, init_code: bytes) -> bytes:
    """Calldata of ``deployCreate2(bytes32,bytes)``; ``salt`` is the unguarded one."""
    return _payload("deployCreate2", salt, init_code)


def deploy_create3(salt: bytes, init_code: bytes) -> bytes:
    """Calldata of ``deployCreate3(bytes32,bytes)``; ``salt`` is the unguarded one."""
    return _payload("deployCreate3", salt, init_code)


def init_code_of(data: bytes) -> tuple[bytes, bytes]:
    """``(salt, init code)`` of calldata to CreateX. Raises ``ValueError`` on any other calldata."""
    if data[:4] not in _SELECTORS:
        raise ValueError("not a deployment through CreateX")
    try:
        salt, init_code = decode(["bytes32", "bytes"], data[4:])
    except DecodingError as error:
        raise ValueError(f"not a deployment through CreateX: {error}") from error
    return bytes(salt), bytes(init_code)


@cache
def presigned_transaction() -> bytes:
    """The raw transaction that deploys CreateX on any chain, held against its signer and the address it gives.

    It is a legacy transaction from before EIP-155 (no chain id), so that it is valid everywhere, once.
    """
    import rlp
    from eth_keys.main import KeyAPI

    text = files("chains.evm").joinpath("createx_deployment.hex").read_text(encoding="ascii").strip()
    raw = bytes.fromhex(text.removeprefix("0x"))
    fields = rlp.decode(raw)
    v, r, s = (int.from_bytes(field, "big") for field in fields[6:9])
    key = KeyAPI().ecdsa_recover(keccak256(rlp.encode(fields[:6])), KeyAPI.Signature(vrs=(v - 27, r, s)))
    signer = checksum(keccak256(key.to_bytes())[12:])
    nonce = int.from_bytes(fields[0], "big")
    if signer != PRESIGNED_SIGNER or create_address(signer, nonce) != CREATEX:
        raise ValueError("createx_deployment.hex is not the transaction that deploys CreateX")
    return raw
