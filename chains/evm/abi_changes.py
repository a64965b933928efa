"""What differs between two ABIs, as somebody who calls the contract or reads its events sees it. Pure.

Names of parameters are not compared: no encoded byte depends on them. Neither is the constructor, which nobody can call on
a contract that is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chains.compatibility import Change, added_and_removed

__all__ = ["abi_changes"]

_Facts = Mapping[str, Mapping[str, str]]
"""By ``function transfer(address,uint256)``: what must stay as it is, and how it is written."""


def abi_changes(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """Removals and changes break, additions add; the order in the ABI means nothing."""
    before, after = _facts(old), _facts(new)
    yield from added_and_removed(before, after)
    for where, facts in before.items():
        for what, value in facts.items():
            now = after.get(where, facts)[what]
            if now != value:
                yield Change("breaking", where, f"{what} {value} before, {now} now")


def _facts(abi: Iterable[Mapping[str, Any]]) -> _Facts:
    found: dict[str, Mapping[str, str]] = {}
    for entry in abi:
        kind = str(entry.get("type", "function"))
        if kind == "constructor":
            continue
        signature = f"{entry['name']}({','.join(_types(entry, 'inputs'))})" if entry.get("name") else ""
        found[f"{kind} {signature}".strip()] = dict(_held(kind, entry))
    return found


def _types(entry: Mapping[str, Any], key: str) -> list[str]:
    from chains.evm.abi import AbiType  # start-up: eth-abi comes with it

    return [AbiType.from_abi(parameter).type for parameter in entry.get(key, ())]


def _held(kind: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if kind in {"function", "fallback", "receive"}:
        yield "returns", f"({','.join(_types(entry, 'outputs'))})"
        yield "is", _mutability(entry)
    elif kind == "event":
        # An indexed parameter is in a topic: who filters or decodes the event needs to know where it is.
        marks = [" indexed" * bool(parameter.get("indexed")) for parameter in entry.get("inputs", ())]
        parameters = (f"{kind}{mark}" for kind, mark in zip(_types(entry, "inputs"), marks, strict=True))
        yield "has", f"({', '.join(parameters)})"
        yield "is", "anonymous" if entry.get("anonymous") else "not anonymous"


def _mutability(entry: Mapping[str, Any]) -> str:
    """Compilers before 0.4.16 wrote ``constant`` and ``payable`` instead."""
    old_form = "view" if entry.get("constant") else "payable" if entry.get("payable") else "nonpayable"
    return str(entry.get("stateMutability", old_form))
