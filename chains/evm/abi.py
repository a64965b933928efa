"""ABI coding with the checks a release needs: every value is held against its type before anything runs.

Coding itself is eth-abi's. Here: types out of an ABI or a signature, TOML values into Python values, and revert data
into words. Source: Solidity documentation, "Contract ABI Specification".
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode as _abi_decode
from eth_abi.abi import encode as _abi_encode
from eth_abi.abi import is_encodable_type
from eth_abi.exceptions import DecodingError

from chains.errors import Refused, printable
from chains.evm.address import checksum, keccak256
from chains.evm.units import Ref, Value

__all__ = [
    "AbiMismatch",
    "AbiType",
    "Function",
    "constructor_types",
    "decode",
    "encode",
    "explain_revert",
    "find_function",
    "jsonable",
    "parse_signature",
    "selector",
]

Resolve = Callable[[Ref], str]


class AbiMismatch(Refused):
    """SHIP-E01: a value does not fit the ABI type it is for, or a function is not there."""

    code = "SHIP-E01"


@dataclass(frozen=True)
class AbiType:
    """One parameter. ``type`` is canonical (tuples written out); ``components`` are those of the innermost tuple."""

    name: str
    type: str
    components: tuple[AbiType, ...] = ()

    @classmethod
    def from_abi(cls, entry: Mapping[str, Any]) -> AbiType:
        kind = str(entry["type"])
        components = tuple(cls.from_abi(c) for c in entry.get("components", ()))
        if kind.startswith("tuple"):
            kind = f"({','.join(c.type for c in components)}){kind.removeprefix('tuple')}"
        return cls(str(entry.get("name", "")), kind, components)

    @classmethod
    def from_text(cls, text: str) -> AbiType:
        """From a signature's spelling, e.g. ``(uint256,address)[]``. Raises ``ValueError``."""
        kind, end = _read_type(text, 0)
        if end != len(text):
            raise ValueError(f"not an ABI type: {text}")
        return kind

    def item(self) -> AbiType:
        """The element type of an array type."""
        return AbiType(self.name, self.type[: self.type.rindex("[")], self.components)


@dataclass(frozen=True)
class Function:
    """A function as called: name, inputs, and outputs where the signature states them."""

    name: str
    inputs: tuple[AbiType, ...]
    outputs: tuple[AbiType, ...] = ()

    @property
    def signature(self) -> str:
        return f"{self.name}({','.join(i.type for i in self.inputs)})"


_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_WORD = re.compile(r"[a-z]+[0-9x]*")
_BRACKETS = re.compile(r"(?:\[(?:[1-9][0-9]*)?\])*")
_ALIASES = {"uint": "uint256", "int": "int256", "fixed": "fixed128x18", "ufixed": "ufixed128x18"}


def _read_type(text: str, at: int) -> tuple[AbiType, int]:
    """The type that starts at ``at``, and where it ends. Raises ``ValueError``."""
    components: tuple[AbiType, ...] = ()
    if text.startswith("(", at):
        components, at = _read_types(text, at)
        base = f"({','.join(c.type for c in components)})"
    elif word := _WORD.match(text, at):
        base, at = _ALIASES.get(word[0], word[0]), word.end()
    else:
        raise ValueError(f"no type at {text[at:]!r}")
    brackets = _BRACKETS.match(text, at)
    assert brackets
    return AbiType("", base + brackets[0], components), brackets.end()


def _read_types(text: str, at: int) -> tuple[tuple[AbiType, ...], int]:
    """The types between the parentheses that open at ``at``, and where they close. Raises ``ValueError``."""
    if not text.startswith("(", at):
        raise ValueError(f"no parenthesis at {text[at:]!r}")
    if text.startswith("()", at):
        return (), at + 2
    kind, at = _read_type(text, at + 1)
    kinds = [kind]
    while text.startswith(",", at):
        kind, at = _read_type(text, at + 1)
        kinds.append(kind)
    if not text.startswith(")", at):
        raise ValueError(f"not closed at {text[at:]!r}")
    return tuple(kinds), at + 1


def parse_signature(text: str) -> Function:
    """``name(types)`` or ``name(types)(return types)``. Raises ``AbiMismatch``."""
    compact = re.sub(r"\s*([(),])\s*", r"\1", text.strip())
    name = _NAME.match(compact)
    outputs: tuple[AbiType, ...] = ()
    try:
        inputs, end = _read_types(compact, name.end() if name else 0)
        if end < len(compact):
            outputs, end = _read_types(compact, end)
        if name is None or end != len(compact):
            raise ValueError("something before or after it")
        unknown = next((k for k in (*inputs, *outputs) if not is_encodable_type(k.type)), None)
    except (ValueError, RecursionError) as error:
        raise AbiMismatch(
            f"`{printable(text, 200)}` is not a function signature",
            remedy="Write it as `name(type,type)`, and a read as `name(type)(return type)`.",
        ) from error
    if unknown:
        raise AbiMismatch(f"`{unknown.type}` in `{text}` is not an ABI type", remedy="Correct the signature.")
    return Function(name[0], inputs, outputs)


def selector(function: Function) -> bytes:
    """The first four bytes of keccak-256 of the signature."""
    return keccak256(function.signature.encode())[:4]


def constructor_types(abi: Iterable[Mapping[str, Any]]) -> tuple[tuple[AbiType, ...], bool]:
    """``(inputs, payable)`` of the constructor; ``((), False)`` without one."""
    for entry in abi:
        if entry.get("type") == "constructor":
            inputs = tuple(AbiType.from_abi(i) for i in entry.get("inputs", ()))
            return inputs, entry.get("stateMutability") == "payable"
    return (), False


def find_function(text: str, abi: Sequence[Mapping[str, Any]] | None, owner: str) -> Function:
    """The function a signature names, with the component names of ``abi``. Raises ``AbiMismatch`` if it is not there.

    Without an ABI (a contract ``ship`` did not build) the signature alone counts.
    """
    wanted = parse_signature(text)
    if abi is None:
        return wanted
    known = []
    for entry in abi:
        if entry.get("type") != "function":
            continue
        inputs = tuple(AbiType.from_abi(i) for i in entry.get("inputs", ()))
        outputs = tuple(AbiType.from_abi(o) for o in entry.get("outputs", ()))
        function = Function(str(entry["name"]), inputs, wanted.outputs or outputs)
        if function.signature == wanted.signature:
            return function
        known.append(function.signature)
    near = difflib.get_close_matches(wanted.signature, known, n=1, cutoff=0.5)
    raise AbiMismatch(
        f"{owner} has no function `{wanted.signature}`",
        remedy=f"Did you mean `{near[0]}`?" if near else "Correct the signature in ship.toml.",
    )


def encode(types: Sequence[AbiType], values: Sequence[Value], resolve: Resolve, where: str) -> bytes:
    """ABI-encode ``values``; ``resolve`` gives the address of a reference. Raises ``AbiMismatch`` naming the argument."""
    if len(types) != len(values):
        wanted = ", ".join(f"{t.type} {t.name}".strip() for t in types) or "none"
        raise AbiMismatch(
            f"{where} takes {len(types)} arguments ({wanted}), {len(values)} are given",
            remedy="Give one value per parameter, in order.",
        )
    converted = [
        _convert(kind, value, resolve, f"{where}, argument {number} ({kind.name or kind.type})")
        for number, (kind, value) in enumerate(zip(types, values, strict=True), start=1)
    ]
    return _abi_encode([t.type for t in types], converted)


def _wrong(where: str, kind: AbiType, value: Any, hint: str) -> AbiMismatch:
    return AbiMismatch(f"{where}: {printable(repr(value), 80)} is not a {kind.type}", remedy=hint)


def _convert(kind: AbiType, value: Value, resolve: Resolve, where: str) -> Any:
    if kind.type.endswith("]"):
        return _array(kind, value, resolve, where)
    if kind.type.startswith("("):
        return _tuple(kind, value, resolve, where)
    if isinstance(value, Ref):
        if kind.type != "address":
            raise AbiMismatch(
                f"{where}: {value} is an address, the parameter is a {kind.type}", remedy="Pass another value."
            )
        return resolve(value)
    if kind.type == "bool":
        if isinstance(value, bool):
            return value
        raise _wrong(where, kind, value, "Write true or false, without quotes.")
    if kind.type == "string":
        if isinstance(value, str):
            return value
        raise _wrong(where, kind, value, "Write it in quotes.")
    if kind.type == "address":
        return _address(kind, value, where)
    if kind.type.startswith("bytes"):
        return _bytes(kind, value, where)
    if kind.type.startswith(("uint", "int")):
        return _integer(kind, value, where)
    raise _wrong(where, kind, value, "This ABI type has no TOML form.")


def _array(kind: AbiType, value: Value, resolve: Resolve, where: str) -> list[Any]:
    if not isinstance(value, tuple):
        raise _wrong(where, kind, value, "Write an array: [a, b].")
    size = kind.type[kind.type.rindex("[") + 1 : -1]
    if size and int(size) != len(value):
        raise _wrong(where, kind, value, f"It has {len(value)} elements, {size} are wanted.")
    item = kind.item()
    return [_convert(item, v, resolve, f"{where}[{i}]") for i, v in enumerate(value)]


def _tuple(kind: AbiType, value: Value, resolve: Resolve, where: str) -> tuple[Any, ...]:
    if isinstance(value, Mapping):
        names = [c.name for c in kind.components]
        if set(value) != set(names) or not all(names):
            raise _wrong(where, kind, dict(value), f"Its members are: {', '.join(names) or 'without names: use [..]'}.")
        value = tuple(value[name] for name in names)
    if not isinstance(value, tuple) or len(value) != len(kind.components):
        raise _wrong(where, kind, value, f"Write a table or an array of {len(kind.components)} members.")
    pairs = zip(kind.components, value, strict=True)
    return tuple(_convert(c, v, resolve, f"{where}.{c.name or i}") for i, (c, v) in enumerate(pairs))


def _address(kind: AbiType, value: Value, where: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        right = checksum(value)
        if value in {right, value.lower()} or value[2:].isupper():
            return right
        raise _wrong(where, kind, value, f"Its EIP-55 checksum is wrong: if it is the right address, write {right}.")
    raise _wrong(where, kind, value, "Write 0x and 40 hex digits, or a reference such as ${contracts.NAME}.")


def _bytes(kind: AbiType, value: Value, where: str) -> bytes:
    if not (isinstance(value, str) and re.fullmatch(r"0x(?:[0-9a-fA-F]{2})*", value)):
        raise _wrong(where, kind, value, "Write 0x and an even number of hex digits.")
    raw = bytes.fromhex(value[2:])
    size = kind.type.removeprefix("bytes")
    if size and len(raw) != int(size):
        raise _wrong(where, kind, value, f"It has {len(raw)} bytes, {size} are wanted.")
    return raw


def _integer(kind: AbiType, value: Value, where: str) -> int:
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,78}|0x[0-9a-fA-F]{1,64}", value):
        number = int(value, 0) if value.startswith("0x") else int(value)
    if number is None:
        raise _wrong(where, kind, value, "Write a whole number.")
    unsigned = kind.type.startswith("uint")
    bits = int(kind.type.removeprefix("uint" if unsigned else "int"))
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if not low <= number <= high:
        raise _wrong(where, kind, value, f"It must lie between {low} and {high}.")
    return number


def decode(types: Sequence[AbiType], data: bytes) -> tuple[Any, ...]:
    """ABI-decode; addresses come back with checksums. Raises ``ValueError`` where ``data`` does not fit."""
    try:
        values = _abi_decode([t.type for t in types], data)
    except (DecodingError, OverflowError) as error:
        raise ValueError(f"not ABI data for ({', '.join(t.type for t in types)}): {error}") from error
    return tuple(_tidy(kind, value) for kind, value in zip(types, values, strict=True))


def _tidy(kind: AbiType, value: Any) -> Any:
    if kind.type.endswith("]"):
        return tuple(_tidy(kind.item(), item) for item in value)
    if kind.type.startswith("("):
        return tuple(_tidy(c, v) for c, v in zip(kind.components, value, strict=True))
    return checksum(value) if kind.type == "address" else value


def jsonable(value: Any) -> Any:
    """A decoded value as plain JSON: bytes as 0x hex, integers beyond 2**53 as decimal strings."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple | list):
        return [jsonable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return str(value)
    return value


_PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division by zero",
    0x21: "value outside an enum",
    0x22: "broken storage byte array",
    0x31: "pop on an empty array",
    0x32: "index out of bounds",
    0x41: "too much memory",
    0x51: "call of an uninitialized function",
}


def explain_revert(data: bytes, abis: Iterable[Sequence[Mapping[str, Any]]]) -> str:
    """Revert data in words: ``Error(string)``, ``Panic(uint256)``, or a custom error found in one of ``abis``."""
    if not data:
        return "reverted without a reason"
    head, body = data[:4], data[4:]
    with contextlib.suppress(ValueError):  # data that only looks like a known error is shown as it is
        if head == b"\x08\xc3\x79\xa0":
            return f'reverted: "{printable(decode([AbiType("", "string")], body)[0], 300)}"'
        if head == b"\x4e\x48\x7b\x71":
            number = decode([AbiType("", "uint256")], body)[0]
            return f"panicked: {_PANICS.get(number, 'unknown code')} (0x{number:02x})"
    for entry in (entry for abi in abis for entry in abi if entry.get("type") == "error"):
        inputs = tuple(AbiType.from_abi(i) for i in entry.get("inputs", ()))
        if selector(Function(str(entry["name"]), inputs)) == head:
            with contextlib.suppress(ValueError):
                values = decode(inputs, body)
                shown = ", ".join(f"{i.name or i.type}={jsonable(v)}" for i, v in zip(inputs, values, strict=True))
                return printable(f"reverted: {entry['name']}({shown})", 600)
    return f"reverted with unknown data 0x{data[:64].hex()}{'…' if len(data) > 64 else ''}"
