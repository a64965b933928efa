"""Unsigned transactions in words, out of their bytes alone: the second of two renderers whose results must agree.

It shares no code with what made the plan: RLP and ABI by their libraries, names and types by the bundle's ABIs, addresses
by its own arithmetic. What it does not recognize it shows as bytes and says so.
Sources: EIP-155, EIP-1559, EIP-1014, Solidity ABI specification, CreateX v1.0.0, safe-smart-account, TimelockController.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlp
from Crypto.Hash import keccak
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError, EncodingError

from chains.evm.artifacts import Artifact
from pipeline.review.standard import STANDARD
from pipeline.review.unsigned import Unsigned, read_unsigned

__all__ = ["Decoder", "payload_sha256"]

_CREATE2_FACTORY = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
_CREATEX = bytes.fromhex("ba5ed099633d3b313e4d5f7bdc1305d3c28ba5ed")
_CREATE3_PROXY = bytes.fromhex("67363d3d37363d34f03d5260086018f3")
_DEPTH = 6


def payload_sha256(to: bytes, value_wei: int, data: bytes) -> str:
    """sha256 over recipient, value and data: what plans name a payload by."""
    recipient = f"0x{to.hex()}" if to else "create"
    return hashlib.sha256(f"{recipient}:{value_wei}:".encode() + data).hexdigest()


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def _shown_address(raw: bytes) -> str:
    """EIP-55."""
    digits = raw.hex()
    weights = _keccak(digits.encode()).hex()
    return "0x" + "".join(c.upper() if w > "7" else c for c, w in zip(digits, weights, strict=False))


def _type(entry: Mapping[str, Any]) -> str:
    """The canonical type of an ABI entry: tuples written out."""
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in entry.get('components', ()))}){kind[5:]}"


def _plain(kind: str, value: Any) -> Any:
    """A decoded value as JSON."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [_plain(inner, item) for inner, item in zip(_inner(kind, len(value)), value, strict=True)]
    if kind == "address":
        return _shown_address(bytes.fromhex(value[2:]))
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**53) <= value <= 2**53:
        return str(value)
    return value


def _inner(kind: str, count: int) -> Iterator[str]:
    if kind.endswith("]"):
        yield from [kind[: kind.rindex("[")]] * count
        return
    depth, start = 0, 1
    for at, character in enumerate(kind[:-1]):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 1:
            yield kind[start:at]
            start = at + 1
    yield kind[start:-1]


@dataclass(frozen=True)
class _Function:
    name: str
    inputs: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(kind for _, kind in self.inputs)})"


@dataclass
class Decoder:
    """Decodes a plan's transactions in order: later ones call what earlier ones create. ``sender`` signs them all."""

    artifacts: Sequence[Artifact]
    sender: bytes
    made: dict[str, str] = field(default_factory=dict)
    _functions: dict[bytes, list[_Function]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, inputs in STANDARD:
            self._know(_Function(name, inputs))
        for artifact in self.artifacts:
            for entry in artifact.abi:
                if entry.get("type") == "function":
                    inputs = tuple((str(i.get("name", "")), _type(i)) for i in entry.get("inputs", ()))
                    self._know(_Function(str(entry["name"]), inputs))

    def _know(self, function: _Function) -> None:
        known = self._functions.setdefault(_keccak(function.signature.encode())[:4], [])
        # The bundle's own names for the inputs are nearer to the project than ours.
        known[:] = [f for f in known if f.signature != function.signature] + [function]

    def transaction(self, raw: bytes) -> dict[str, Any]:
        """One unsigned transaction in words. Raises ``Undecodable``."""
        tx = read_unsigned(raw)
        recipient = tx.to and _shown_address(tx.to)
        shown = {
            "chain_id": tx.chain_id,
            "nonce": tx.nonce,
            "gas_limit": tx.gas_limit,
            "to": recipient or None,
            "value_wei": str(tx.value_wei),
            "payload_sha256": payload_sha256(tx.to, tx.value_wei, tx.data),
            "data_bytes": len(tx.data),
        }  # fmt: skip
        return {**shown, **self._deed(tx)}

    def _deed(self, tx: Unsigned) -> dict[str, Any]:
        if not tx.to:
            place = _keccak(rlp.encode([self.sender, tx.nonce]))[12:]
            return {"kind": "create", **self._creation(tx.data, place)}
        if tx.to == _CREATE2_FACTORY and len(tx.data) >= 32:
            salt, code = tx.data[:32], tx.data[32:]
            return {
                "kind": "create2",
                "salt": "0x" + salt.hex(),
                **self._creation(code, _create2(_CREATE2_FACTORY, salt, code)),
            }
        if tx.to == _CREATEX and (deployed := self._through_createx(tx)) is not None:
            return deployed
        return {"kind": "call", **self.call(tx.to, tx.data)}

    def _through_createx(self, tx: Unsigned) -> dict[str, Any] | None:
        for function in self._functions.get(tx.data[:4], ()):
            if function.name not in {"deployCreate2", "deployCreate3"}:
                continue
            values = _decoded([kind for _, kind in function.inputs], tx.data[4:])
            if values is None:
                return None
            salt, code = values
            guarded = self._guarded(salt, tx.chain_id)
            if function.name == "deployCreate2":
                place, kind = _create2(_CREATEX, guarded, code), "create2"
            else:
                proxy = _create2(_CREATEX, guarded, _CREATE3_PROXY)
                place, kind = _keccak(rlp.encode([proxy, 1]))[12:], "create3"
            return {"kind": kind, "salt": "0x" + salt.hex(), **self._creation(code, place)}
        return None

    def _guarded(self, salt: bytes, chain_id: int) -> bytes:
        owner, flag = salt[:20], salt[20]
        words = [self.sender.rjust(32, b"\0")] if owner == self.sender else []
        if flag == 1 and (words or not any(owner)):
            words.append(chain_id.to_bytes(32, "big"))
        return _keccak(b"".join([*words, salt]))

    def _creation(self, code: bytes, place: bytes) -> dict[str, Any]:
        address = _shown_address(place)
        artifact = self._made_from(code)
        if artifact is None:
            return {"address": address, "contract": None, "arguments": [], "recognized": False}
        self.made[address] = artifact.source
        entry = next((e for e in artifact.abi if e.get("type") == "constructor"), {})
        inputs = [(str(i.get("name", "")), _type(i)) for i in entry.get("inputs", ())]
        values = _decoded([kind for _, kind in inputs], code[len(artifact.creation_code) :])
        return {
            "address": address,
            "contract": artifact.source,
            "arguments": [] if values is None else self._arguments(inputs, values, 0),
            "recognized": values is not None,
        }

    def _made_from(self, code: bytes) -> Artifact | None:
        """The contract whose creation code, libraries aside, ``code`` begins with; the longest of several."""
        fitting = [a for a in self.artifacts if a.creation_code and _begins(code, a)]
        return max(fitting, key=lambda a: len(a.creation_code), default=None)

    def call(self, to: bytes, data: bytes, depth: int = 0) -> dict[str, Any]:
        """A call's function and arguments; ``contract`` where an earlier transaction made the recipient."""
        contract = self.made.get(_shown_address(to))
        if not data:
            return {"contract": contract, "function": None, "arguments": [], "recognized": True}
        found = self._function(data)
        if found is None:
            return {
                "contract": contract,
                "function": None,
                "arguments": [],
                "recognized": False,
                "data": "0x" + data.hex(),
            }
        function, values = found
        arguments = self._arguments(function.inputs, values, depth)
        return {"contract": contract, "function": function.signature, "arguments": arguments, "recognized": True}

    def inner(self, to: bytes, value_wei: int, data: bytes, depth: int = 0) -> dict[str, Any]:
        """A call that somebody else makes: a Safe, or a batch in its name."""
        head = {
            "to": _shown_address(to),
            "value_wei": str(value_wei),
            "payload_sha256": payload_sha256(to, value_wei, data),
        }
        return {**head, **self.call(to, data, depth)}

    def _function(self, data: bytes) -> tuple[_Function, tuple[Any, ...]] | None:
        for function in reversed(self._functions.get(data[:4], ())):
            values = _decoded([kind for _, kind in function.inputs], data[4:])
            if values is not None:
                return function, values
        return None

    def _arguments(self, inputs: Sequence[tuple[str, str]], values: Sequence[Any], depth: int) -> list[dict[str, Any]]:
        shown = []
        for (name, kind), value in zip(inputs, values, strict=True):
            argument = {"name": name, "type": kind, "value": _plain(kind, value)}
            if kind == "bytes" and value and depth < _DEPTH:
                argument |= self._inside(name, value, depth + 1)
            shown.append(argument)
        return shown

    def _inside(self, name: str, value: bytes, depth: int) -> dict[str, Any]:
        """What bytes that are calldata, or a batch of calls, do."""
        if name == "transactions":
            batch = _batch(value)
            if batch is not None:
                return {"calls": [self.inner(*each, depth) for each in batch]}
        if len(value) >= 4 and self._function(value) is not None:
            call = self.call(b"", value, depth)
            return {"calls": [{"function": call["function"], "arguments": call["arguments"]}]}
        return {}


def _decoded(kinds: Sequence[str], data: bytes) -> tuple[Any, ...] | None:
    """The values, if ``data`` is exactly their one canonical encoding."""
    try:
        values = abi_decode(kinds, data)
        return values if abi_encode(kinds, values) == data else None
    except (DecodingError, EncodingError, OverflowError, ValueError, TypeError):
        return None


def _begins(code: bytes, artifact: Artifact) -> bool:
    """Whether ``code`` begins with the artifact's creation code, whatever the addresses of its libraries."""
    head = bytearray(code[: len(artifact.creation_code)])
    for places in artifact.creation_links.values():
        for place in places:
            head[place.start : place.stop] = artifact.creation_code[place.start : place.stop]
    return bytes(head) == artifact.creation_code


def _create2(factory: bytes, salt: bytes, code: bytes) -> bytes:
    return _keccak(b"\xff" + factory + salt + _keccak(code))[12:]


def _batch(packed: bytes) -> list[tuple[bytes, int, bytes]] | None:
    """The calls of MultiSendCallOnly: operation, recipient, value, length, data, one after another."""
    calls, at = [], 0
    while at < len(packed):
        size = _int(packed[at + 53 : at + 85])
        if packed[at] != 0 or at + 85 + size > len(packed):
            return None
        calls.append((packed[at + 1 : at + 21], _int(packed[at + 21 : at + 53]), packed[at + 85 : at + 85 + size]))
        at += 85 + size
    return calls
