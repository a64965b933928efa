"""What bytes mean by the bundle: which contract init code is, which function calldata calls, and with which arguments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chains.evm.artifacts import Artifact, ByteRange
from chains.evm.hashing import checksum, keccak256

__all__ = ["Argument", "Contracts", "Creation", "Invocation", "read_arguments"]

_BYTES32_CALL = ("address", "uint256", "bytes", "bytes32", "bytes32")
_WELL_KNOWN = {
    # OpenZeppelin: proxies, their admin, beacons, timelocks; Safe: execution; CreateX and Ownable.
    "upgradeToAndCall": (("address", "bytes"),),
    "upgradeTo": (("address",),),
    "upgrade": (("address", "address"),),
    "upgradeAndCall": (("address", "address", "bytes"),),
    "schedule": ((*_BYTES32_CALL, "uint256"),),
    "execute": (_BYTES32_CALL,),
    "execTransaction": (
        ("address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "bytes"),
    ),
    "multiSend": (("bytes",),),
    "deployCreate2": (("bytes32", "bytes"),),
    "deployCreate3": (("bytes32", "bytes"),),
}


@dataclass(frozen=True)
class Argument:
    """``value`` as eth-abi gives it; ``name`` is empty where no ABI tells one."""

    name: str
    type: str
    value: Any

    @property
    def shown(self) -> Any:
        return _plain(self.value)


@dataclass(frozen=True)
class Invocation:
    """A call as one known function reads it."""

    function: str
    arguments: tuple[Argument, ...]

    @property
    def signature(self) -> str:
        return f"{self.function}({','.join(a.type for a in self.arguments)})"


@dataclass(frozen=True)
class Creation:
    """Init code as one contract of the bundle reads it."""

    source: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True)
class Contracts:
    """Every contract of a bundle."""

    artifacts: tuple[Artifact, ...]

    @cached_property
    def _functions(self) -> dict[bytes, dict[tuple[str, ...], tuple[str, tuple[str, ...]]]]:
        """By selector: types → function and the names of its parameters. The bundle's names come before none."""
        found: dict[bytes, dict[tuple[str, ...], tuple[str, tuple[str, ...]]]] = {}
        for artifact in self.artifacts:
            for entry in artifact.abi:
                if entry.get("type") == "function":
                    types = tuple(_type(i) for i in entry.get("inputs", ()))
                    names = tuple(str(i.get("name", "")) for i in entry.get("inputs", ()))
                    key = _selector(str(entry["name"]), types)
                    found.setdefault(key, {}).setdefault(types, (str(entry["name"]), names))
        for name, forms in _WELL_KNOWN.items():
            for types in forms:
                found.setdefault(_selector(name, types), {}).setdefault(types, (name, ("",) * len(types)))
        return found

    def invocation(self, data: bytes) -> Invocation | None:
        """The function ``data`` calls, if one of the bundle or a well-known one fits it to the byte."""
        for types, (name, names) in self._functions.get(data[:4], {}).items():
            arguments = read_arguments(types, names, data[4:])
            if arguments is not None:
                return Invocation(name, arguments)
        return None

    def creations(self, init_code: bytes) -> Iterator[Creation]:
        """Every contract of the bundle whose creation code, but for libraries' addresses, begins ``init_code``."""
        for artifact in self.artifacts:
            code = artifact.creation_code
            if not code or not _same(init_code[: len(code)], code, artifact.creation_links.values()):
                continue
            constructor: Mapping[str, Any] = next((e for e in artifact.abi if e.get("type") == "constructor"), {})
            inputs = constructor.get("inputs", ())
            types = tuple(_type(i) for i in inputs)
            arguments = read_arguments(types, tuple(str(i.get("name", "")) for i in inputs), init_code[len(code) :])
            if arguments is not None:
                yield Creation(artifact.source, arguments)


def read_arguments(types: Sequence[str], names: Sequence[str], data: bytes) -> tuple[Argument, ...] | None:
    """``data`` as values of ``types``; ``None`` unless it is their one canonical encoding."""
    from eth_abi.abi import decode, encode
    from eth_abi.exceptions import DecodingError

    try:
        values = decode(list(types), data)
        if encode(list(types), values) != data:
            return None
    except (DecodingError, OverflowError, ValueError):
        return None
    return tuple(Argument(name, kind, value) for name, kind, value in zip(names, types, values, strict=True))


def _selector(name: str, types: Sequence[str]) -> bytes:
    return keccak256(f"{name}({','.join(types)})".encode())[:4]


def _type(entry: Mapping[str, Any]) -> str:
    kind = str(entry["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(c) for c in entry['components'])}){kind[5:]}"


def _same(found: bytes, code: bytes, links: Iterable[tuple[ByteRange, ...]]) -> bool:
    if len(found) != len(code):
        return False
    masked = bytearray(found)
    for places in links:
        for place in places:
            masked[place.start : place.stop] = code[place.start : place.stop]
    return bytes(masked) == code


def _plain(value: Any) -> Any:
    """For comparing with what a plan shows, and for people: text and lists of text."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    return checksum(text) if re.fullmatch(r"0x[0-9a-f]{40}", text) else text
