"""Whether a source gives a contract, as Etherscan judges: runtime code, creation input, constructor arguments.

Written apart from ship's own proof and from Sourcify's library, so that a mistake in one of them shows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.support.explorers.compiling import Refusal, Worker
from tests.support.explorers.indexing import IndexedChain

__all__ = ["Match", "Mismatch", "Source", "judge"]

# CBOR maps of a metadata hash and a compiler version: ipfs (0.6 on), bzzr1 (0.5). They also lie inside the code, where a
# contract carries the init code of another.
_METADATA = re.compile(
    rb"\xa2\x64ipfs\x58\x22\x12\x20.{32}\x64solc\x43.{3}\x00\x33|\xa2\x65bzzr1\x58\x20.{32}\x64solc\x43.{3}\x00\x32",
    re.DOTALL,
)
_LIBRARY_GUARD = b"\x73" + bytes(20) + b"\x30\x14"  # PUSH20 of a library's own address, which is known once it is there


@dataclass(frozen=True)
class Source:
    """What was handed in. ``contract`` is ``path:Name``, ``compiler`` the long version."""

    contract: str
    compiler: str
    standard_json: Mapping[str, Any]
    arguments: bytes

    @property
    def name(self) -> str:
        return self.contract.rpartition(":")[2]

    @property
    def path(self) -> str:
        return self.contract.rpartition(":")[0]


@dataclass(frozen=True)
class Match:
    """``exact`` with the metadata's hash, ``partial`` without. ``arguments`` are the ones on chain."""

    kind: Literal["exact", "partial"]
    arguments: bytes
    abi: list[dict[str, Any]]


class Mismatch(Exception):
    """The source does not give the contract; the text is for whoever handed it in, ``code`` is Sourcify's word for it."""

    def __init__(self, message: str, code: str = "no_match") -> None:
        super().__init__(message)
        self.code = code


def judge(worker: Worker, chain: IndexedChain, address: str, source: Source) -> Match:
    """Recompile and compare. Raises ``Mismatch``."""
    compiled = _compile(worker, source)
    evm = compiled["evm"]
    runtime, creation = _code(evm["deployedBytecode"]["object"]), _code(evm["bytecode"]["object"])
    immutables = evm["deployedBytecode"].get("immutableReferences") or {}
    masked = [(ref["start"], ref["length"]) for refs in immutables.values() for ref in refs]
    if runtime.startswith(_LIBRARY_GUARD):
        masked.append((1, 20))
    kinds = [_compare(_blank(runtime, masked), _blank(chain.code(address), masked))]
    arguments = source.arguments
    if made := chain.creation(address):
        kinds.append(_compare(creation, made.init[: len(creation)]))
        arguments = made.init[len(creation) :]
    if None in kinds:
        raise Mismatch("Compiled contract deployment bytecode does NOT match the transaction deployment bytecode.")
    if arguments != source.arguments:
        raise Mismatch("Invalid constructor arguments provided. Please verify that they are in ABI-encoded format")
    return Match("exact" if set(kinds) == {"exact"} else "partial", arguments, compiled["abi"])


def _compile(worker: Worker, source: Source) -> dict[str, Any]:
    try:
        output = worker.compile(source.compiler, source.standard_json)
    except Refusal as refused:
        raise Mismatch(refused.message) from None
    if errors := [e for e in output.get("errors", ()) if e["severity"] == "error"]:
        raise Mismatch(f"Solidity Compilation Error: {errors[0]['formattedMessage'].strip()}")
    found = output["contracts"].get(source.path, {}).get(source.name)
    if found is None:
        raise Mismatch(f"Unable to find contract name '{source.name}' (i.e names are case senstive)")
    return dict(found)


def _code(text: str) -> bytes:
    try:
        code = bytes.fromhex(text)
    except ValueError:  # `__$…$__` where a library's address belongs
        raise Mismatch(
            "Please check for missing Library or invalid name (i.e names are case senstive). "
            "Library was required but suitable match not found"
        ) from None
    if not code:
        raise Mismatch("The contract has no code: it is abstract or an interface")
    return code


def _blank(code: bytes, ranges: list[tuple[int, int]]) -> bytes:
    data = bytearray(code)
    for start, length in ranges:
        if start + length <= len(data):
            data[start : start + length] = bytes(length)
    return bytes(data)


def _compare(compiled: bytes, found: bytes) -> Literal["exact", "partial"] | None:
    if compiled == found:
        # Without a hash in it the metadata may be anything.
        return "exact" if _METADATA.search(compiled) else "partial"
    return "partial" if _METADATA.sub(b"", compiled) == _METADATA.sub(b"", found) else None
