"""One unsigned transaction read from its bytes alone: what it deploys and where, or what it calls, down to inner calls."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chains.evm.hashing import checksum, keccak256
from pipeline.second_reader.contracts import Argument, Contracts, Creation, Invocation
from pipeline.second_reader.transaction import Unsigned

__all__ = ["Call", "Deployed", "Reading", "batch", "read_call", "read_transaction"]

_CREATE2_FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c"
_CREATEX = "0xba5ed099633d3b313e4d5f7bdc1305d3c28ba5ed"
_CREATE3_PROXY = keccak256(bytes.fromhex("67363d3d37363d34f03d5260086018f3"))
_MAX_DEPTH = 6


@dataclass(frozen=True)
class Call:
    """``invocation`` is ``None`` where no known function fits; ``inner`` are calls its arguments hold."""

    to: str
    value_wei: int
    data: bytes
    invocation: Invocation | None
    inner: tuple[Call, ...] = ()

    def all(self) -> Iterator[Call]:
        yield self
        for call in self.inner:
            yield from call.all()

    @property
    def done(self) -> str:
        """Names the call: sha256 of recipient, value and data."""
        return hashlib.sha256(f"{self.to.lower()}:{self.value_wei}:".encode() + self.data).hexdigest()


@dataclass(frozen=True)
class Deployed:
    """``creations`` are the bundle's contracts the init code can be; ``initialize`` is the call a proxy's holds."""

    address: str
    init_code: bytes
    creations: tuple[Creation, ...]
    initialize: Invocation | None


@dataclass(frozen=True)
class Reading:
    """Exactly one of ``deployed`` and ``call``."""

    unsigned: Unsigned
    payload_sha256: str
    deployed: Deployed | None
    call: Call | None


def read_transaction(unsigned: Unsigned, sender: str, contracts: Contracts) -> Reading:
    """What ``unsigned`` does when ``sender`` sends it."""
    to, data = unsigned.to, unsigned.data
    named = f"{to or 'create'}:{unsigned.value_wei}:".encode()
    sha256 = hashlib.sha256(named + data).hexdigest()
    placed = _placed(unsigned, sender, contracts)
    if placed is not None:
        return Reading(unsigned, sha256, _deployed(*placed, contracts), None)
    assert to is not None
    return Reading(unsigned, sha256, None, read_call(to, unsigned.value_wei, data, contracts))


def _placed(unsigned: Unsigned, sender: str, contracts: Contracts) -> tuple[str, bytes] | None:
    """``(address, init code)`` of what is deployed directly or through a known factory."""
    if unsigned.to is None:
        return _create(sender, unsigned.nonce), unsigned.data
    if unsigned.to == _CREATE2_FACTORY and len(unsigned.data) > 32:
        return _create2(_CREATE2_FACTORY, unsigned.data[:32], keccak256(unsigned.data[32:])), unsigned.data[32:]
    if unsigned.to == _CREATEX:
        invocation = contracts.invocation(unsigned.data)
        if invocation is not None and invocation.function in {"deployCreate2", "deployCreate3"}:
            salt, init_code = (bytes(argument.value) for argument in invocation.arguments)
            guarded = _guarded(salt, sender, unsigned.chain_id)
            if invocation.function == "deployCreate2":
                return _create2(_CREATEX, guarded, keccak256(init_code)), init_code
            return _create(_create2(_CREATEX, guarded, _CREATE3_PROXY), 1), init_code
    return None


def _deployed(address: str, init_code: bytes, contracts: Contracts) -> Deployed:
    creations = tuple(contracts.creations(init_code))
    last = creations[0].arguments[-1] if creations and creations[0].arguments else None
    initialize = contracts.invocation(bytes(last.value)) if last is not None and last.type == "bytes" else None
    return Deployed(address, init_code, creations, initialize)


def read_call(to: str, value_wei: int, data: bytes, contracts: Contracts, depth: int = 0) -> Call:
    """The call and those inside it: through timelocks, Safes, proxies' admins, batches."""
    invocation = contracts.invocation(data)
    inner: tuple[Call, ...] = ()
    if invocation is not None and depth < _MAX_DEPTH:
        inner = tuple(
            read_call(*call, contracts, depth + 1) for call in _inside(to, invocation.function, invocation.arguments)
        )
    return Call(checksum(to), value_wei, data, invocation, inner)


def _inside(to: str, function: str, arguments: Sequence[Argument]) -> Iterator[tuple[str, int, bytes]]:
    values = [argument.value for argument in arguments]
    kinds = [argument.type for argument in arguments]
    if function in {"schedule", "execute", "execTransaction"} and kinds[:3] == ["address", "uint256", "bytes"]:
        yield values[0], values[1], values[2]
    elif function == "upgradeToAndCall" and kinds == ["address", "bytes"] and values[1]:
        yield to, 0, values[1]
    elif function == "upgradeAndCall" and kinds == ["address", "address", "bytes"] and values[2]:
        yield values[0], 0, values[2]
    elif function == "multiSend" and kinds == ["bytes"]:
        yield from batch(values[0])


def batch(packed: bytes) -> Iterator[tuple[str, int, bytes]]:
    """The calls of a MultiSend: operation (1 byte), to (20), value (32), length (32), data. Raises ``ValueError``."""
    at = 0
    while at < len(packed):
        size = int.from_bytes(packed[at + 53 : at + 85], "big")
        end = at + 85 + size
        if packed[at] != 0 or end > len(packed):
            raise ValueError("a batch that is cut off, or that delegates")
        value_wei = int.from_bytes(packed[at + 21 : at + 53], "big")
        yield "0x" + packed[at + 1 : at + 21].hex(), value_wei, packed[at + 85 : end]
        at = end


def _raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def _create(sender: str, nonce: int) -> str:
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    tail = number if len(number) == 1 and number[0] < 0x80 else bytes([0x80 + len(number)]) + number
    body = b"\x94" + _raw(sender) + tail
    return checksum(keccak256(bytes([0xC0 + len(body)]) + body)[12:])


def _create2(factory: str, salt: bytes, init_code_hash: bytes) -> str:
    return checksum(keccak256(b"\xff" + _raw(factory) + salt + init_code_hash)[12:])


def _guarded(salt: bytes, sender: str, chain_id: int) -> bytes:
    """The salt CreateX uses in the place of ``salt`` (its ``_guard``, v1.0.0)."""
    words = [salt]
    mine, nobodys = salt[:20] == _raw(sender), salt[:20] == bytes(20)
    if (mine or nobodys) and salt[20] == 1:
        words.insert(0, chain_id.to_bytes(32, "big"))
    if mine:
        words.insert(0, bytes(12) + _raw(sender))
    return keccak256(b"".join(words))
