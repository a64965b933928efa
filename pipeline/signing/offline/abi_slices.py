"""The parts of the project's ABIs that a request needs to be shown in words: no more than its own calls use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chains.evm.abi import AbiType, Function, constructor_types, decode, selector
from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY
from chains.evm.createx import init_code_of
from pipeline.bundle import Bundle

__all__ = ["slices"]


def slices(
    bundle: Bundle, actions: Sequence[Action]
) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Mapping[str, Any]]]:
    """``(functions, constructors by artifact)``. A selector nothing in the bundle has is left out."""
    constructors: dict[str, Mapping[str, Any]] = {}
    wanted: set[bytes] = set()
    for action in actions:
        init_code = _init_code(action)
        if init_code is None:
            wanted.add(action.data[:4])
        elif action.source is not None:
            artifact = bundle.artifact(action.source)
            entry = next((e for e in artifact.abi if e.get("type") == "constructor"), None)
            if entry is not None:
                size = len(artifact.creation_code)
                constructors[action.source] = {"abi": dict(entry), "code_bytes": size}
                wanted |= set(_selectors(constructor_types([entry])[0], init_code[size:]))
    functions = _functions(bundle, wanted)
    for action in actions:  # calls inside calls, as an upgrade's
        entry = functions.get(action.data[:4])
        if entry is not None:
            wanted |= set(_selectors(_inputs(entry), action.data[4:]))
    functions |= _functions(bundle, wanted - set(functions))
    return tuple(functions[key] for key in sorted(functions)), constructors


def _functions(bundle: Bundle, wanted: set[bytes]) -> dict[bytes, Mapping[str, Any]]:
    found: dict[bytes, Mapping[str, Any]] = {}
    for source in bundle.sources:
        if not wanted - set(found):
            break
        for entry in bundle.artifact(source).abi:
            if entry.get("type") == "function" and (key := _selector(entry)) in wanted:
                found.setdefault(key, {name: entry[name] for name in ("type", "name", "inputs")})
    return found


def _init_code(action: Action) -> bytes | None:
    if action.to is None:
        return action.data
    if action.kind == "create2" and action.to == CREATE2_FACTORY:
        return action.data[32:]
    if action.kind in {"create2", "create3"}:
        return init_code_of(action.data)[1]
    return None


def _inputs(entry: Mapping[str, Any]) -> tuple[AbiType, ...]:
    return tuple(AbiType.from_abi(i) for i in entry.get("inputs", ()))


def _selector(entry: Mapping[str, Any]) -> bytes:
    return selector(Function(str(entry["name"]), _inputs(entry)))


def _selectors(types: Sequence[AbiType], data: bytes) -> Iterator[bytes]:
    """First four bytes of every ``bytes`` argument, which may be a call."""
    for kind, value in zip(types, decode(types, data), strict=True):
        if kind.type == "bytes" and len(value) >= 4:
            yield value[:4]
