"""``${…}`` inside values: parameters, contracts, the deployer, hashes.

| written | becomes | may stand in longer text |
|---|---|---|
| ``${params.x}`` | the target's parameter, with its type | if it is text or an integer |
| ``${contracts.X}``, ``.implementation``, ``.admin``, ``.beacon`` | that address; left open until the plan is made | no |
| ``${deployer}`` | the address of the target's signer | no; in units of programs yes |
| ``${programs.X}``, ``${payer}`` | in units of programs: that address in base58 | yes |
| ``${read:X.owner()(address)}`` | what that function of contract X, without arguments, gives; a table for others, see below | no |
| ``${keccak:TEXT}`` | keccak256 of the UTF-8 text, 0x and 64 hex digits | yes |
| ``${project.name}``, ``${project.version}``, ``${chain.name}`` | text | yes |
| ``${chain.id}`` | an integer | yes |
| ``$${`` | the two characters ``${`` | yes |

A table ``{ read = "getPair(address,address)(address)", on = "${contracts.Factory}", args = [...] }`` in the place of a value
is read from the chain when it is needed. A struct with members of just these names is written as an array.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from chains.errors import Where
from chains.evm.hashing import keccak256
from chains.evm.units import DEPLOYER, Read, Ref, Value
from pipeline.manifest.errors import (
    BadReference,
    BadSignature,
    MissingParam,
    UnknownReference,
    did_you_mean,
)
from pipeline.manifest.positions import Path
from pipeline.manifest.signatures import SignatureError, parse_signature

__all__ = ["PARTS", "Scope", "as_read", "resolve", "written"]

PARTS: Mapping[str, tuple[str, ...]] = {
    "none": ("address",),
    "uups": ("address", "implementation"),
    "transparent": ("address", "implementation", "admin"),
    "beacon": ("address", "implementation", "beacon"),
}
"""Which parts of a contract can be referred to, by its proxy."""

_TOKEN = re.compile(r"\$\$\{|\$\{([^}]*)\}|\$\{")
_KINDS = (
    "params.",
    "contracts.",
    "read:",
    "deployer",
    "keccak:",
    "project.name",
    "project.version",
    "chain.id",
    "chain.name",
)


@dataclass(frozen=True)
class Scope:
    """What references can refer to. ``params`` are unresolved; ``param_where`` gives their places.

    ``params`` of ``None`` leaves them open: a project is checked before its target is known.
    """

    contracts: Mapping[str, str]
    project_name: str
    project_version: str
    params: Mapping[str, Any] | None = None
    params_file: str = "the target's manifest"
    chain_id: int | None = None
    chain_name: str | None = None
    param_where: Callable[[Path], Where] | None = None
    resolving: tuple[str, ...] = field(default=())
    programs: frozenset[str] = frozenset()
    addresses: Mapping[str, str] | None = None
    """On Solana: what ``deployer``, ``payer`` and ``programs.X`` stand for."""


def resolve(value: Any, scope: Scope, path: Path, locate: Callable[[Path], Where]) -> Value:
    """``value`` with every reference replaced. Raises a ``ManifestInvalid`` that names the place."""
    if isinstance(value, Mapping):
        resolved = {key: resolve(item, scope, (*path, key), locate) for key, item in value.items()}
        return as_read(resolved, lambda: locate(path))
    if isinstance(value, tuple):
        return tuple(resolve(item, scope, (*path, position), locate) for position, item in enumerate(value))
    if isinstance(value, str) and "${" in value:
        return _resolve_text(value, scope, lambda: locate(path))
    return cast("Value", value)


def as_read(table: Mapping[str, Value], where: Callable[[], Where]) -> Value:
    """A resolved table as the ``Read`` it writes, or as it is. Raises ``BadSignature``."""
    if not {"read", "on"} <= set(table) <= {"read", "on", "args"}:
        return table
    args = table.get("args", ())
    if not isinstance(args, tuple):
        raise BadSignature("The args of a read are an array.", remedy='Write args = ["…"].', where=where())
    return _read(table["read"], table["on"], args, where)


def _read(text: Value, on: Value, args: tuple[Value, ...], where: Callable[[], Where]) -> Read:
    example = 'Write it as "getPair(address,address)(address)": name, parameter types, the one type it returns.'
    try:
        signature = parse_signature(text if isinstance(text, str) else "")
    except SignatureError as error:
        raise BadSignature(f"This is not a function to read: {error}.", remedy=example, where=where()) from None
    if signature.outputs != 1:
        raise BadSignature("A value is read from a function that returns one value.", remedy=example, where=where())
    if signature.inputs != len(args):
        raise BadSignature(
            f"{signature.name} takes {signature.inputs} arguments, {len(args)} are given.",
            remedy='Give them as args: { read = "…", on = "…", args = […] }.',
            where=where(),
        )
    return Read(on, str(text), args)


def _resolve_text(text: str, scope: Scope, where: Callable[[], Where]) -> Value:
    whole = _TOKEN.fullmatch(text)
    if whole and whole.group() != "$${":
        return _one(whole, scope, where)

    def embedded(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        found = _one(match, scope, where)
        if isinstance(found, bool) or not isinstance(found, int | str):
            raise BadReference(
                f"{match.group()} cannot stand inside longer text: it is not text or an integer.",
                remedy="Make it the whole value.",
                where=where(),
            )
        return str(found)

    return _TOKEN.sub(embedded, text)


def _one(match: re.Match[str], scope: Scope, where: Callable[[], Where]) -> Value:
    name = match[1]
    if name is None:
        raise BadReference(
            "A reference starts with ${ and does not end.",
            remedy="Close it with }, or write $${ for the two characters ${.",
            where=where(),
        )
    if scope.addresses is not None and name in scope.addresses:
        return scope.addresses[name]
    if name == "deployer":
        return DEPLOYER
    if name == "payer" or name.startswith("programs."):
        raise _of_programs(name, scope, where)
    if name.startswith("keccak:"):
        return "0x" + keccak256(name.removeprefix("keccak:").encode()).hex()
    if name.startswith("contracts."):
        return _contract(name, scope, where)
    if name.startswith("read:"):
        unit, _, signature = name.removeprefix("read:").removeprefix("contracts.").partition(".")
        return _read(signature, _contract(f"contracts.{unit}", scope, where), (), where)
    if name.startswith("params."):
        return _param(name.removeprefix("params."), scope, where)
    known: dict[str, str | int | None] = {
        "project.name": scope.project_name,
        "project.version": scope.project_version,
        "chain.name": scope.chain_name,
        "chain.id": scope.chain_id,
    }
    if name in known:
        return _known(name, known[name], scope, where)
    raise UnknownReference(
        f"${{{_short(name)}}} refers to nothing.{did_you_mean(name, [*known, 'deployer'])}",
        remedy=f"References start with {', '.join(_KINDS)}; write $${{ for the two characters ${{.",
        where=where(),
    )


def _of_programs(name: str, scope: Scope, where: Callable[[], Where]) -> UnknownReference:
    unit = name.removeprefix("programs.")
    if name != "payer" and unit not in scope.programs:
        return UnknownReference(
            f"There is no [programs.{_short(unit)}].{did_you_mean(unit, scope.programs)}",
            remedy="Refer to a program of ship.toml.",
            where=where(),
        )
    return UnknownReference(
        f"${{{_short(name)}}} has a meaning in the calls and checks of programs only.",
        remedy="Write the value itself.",
        where=where(),
    )


def _known(name: str, value: str | int | None, scope: Scope, where: Callable[[], Where]) -> Value:
    if value is not None:
        return value
    if scope.params is None:
        return 0 if name == "chain.id" else ""
    raise UnknownReference(f"This chain has no {name}.", remedy="Write the value itself.", where=where())


def _contract(name: str, scope: Scope, where: Callable[[], Where]) -> Value:
    unit, dot, part = name.removeprefix("contracts.").partition(".")
    if unit not in scope.contracts:
        known = ", ".join(scope.contracts) or "none"
        raise UnknownReference(
            f"There is no [contracts.{_short(unit)}].{did_you_mean(unit, scope.contracts)}",
            remedy=f"Refer to a contract of ship.toml: {known[:500]}.",
            where=where(),
        )
    parts = PARTS[scope.contracts[unit]]
    if dot and (part not in parts or part == "address"):
        others = " and ".join(f".{other}" for other in parts[1:])
        raise UnknownReference(
            f"{unit} has no .{_short(part)}: its proxy is {scope.contracts[unit]}.{did_you_mean(part, parts[1:])}",
            remedy=f"Use ${{contracts.{unit}}}" + (f", or with {others}." if others else "."),
            where=where(),
        )
    return Ref(unit, cast("Any", part or "address"))


def _param(name: str, scope: Scope, where: Callable[[], Where]) -> Value:
    if scope.params is None:
        return ""
    if name not in scope.params:
        raise MissingParam(
            f"{scope.params_file} has no parameter {_short(name)}.{did_you_mean(name, scope.params)}",
            remedy=f"Add {_short(name)} = … under [params] in {scope.params_file}.",
            where=where(),
        )
    if name in scope.resolving:
        raise BadReference(
            f"The parameter {name} refers to itself: {' → '.join((*scope.resolving, name))}.",
            remedy="Write the value itself in one of them.",
            where=where(),
        )
    inner = Scope(**{**scope.__dict__, "resolving": (*scope.resolving, name)})
    outer = scope.param_where or (lambda _path: where())
    return resolve(scope.params[name], inner, ("params", name), outer)


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:60] + "…"


def written(value: Value) -> Any:
    """``value`` as canonical JSON can hold it: references as they are written, text with ``${`` escaped."""
    if isinstance(value, Ref):
        return "${deployer}" if value == DEPLOYER else str(value)
    if isinstance(value, Read):
        return {"read": value.signature, "on": written(value.on), "args": written(value.args)}
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: written(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [written(item) for item in value]
    return value
