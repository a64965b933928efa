"""What a request asks for, in words, read from the bytes that would be signed.

The ABI that travels with the request is believed only where it fits: a function's name has to hash to the selector, and
decoded arguments have to encode to the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import printable
from chains.evm.abi import AbiType, Function, constructor_types, decode, jsonable, selector
from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY, create2_address, create_address
from chains.evm.createx import CREATEX, init_code_of
from chains.evm.fees import ether, gwei
from chains.evm.transaction import UnsignedTransaction
from pipeline.signing.offline.files import Request, RequestedTransaction

__all__ = ["render_request", "worst_wei"]

_LONG = 200


def worst_wei(unsigned: UnsignedTransaction) -> int:
    """The most it can take from the signer: all its gas at its highest fee, and its value."""
    return unsigned.gas_limit * unsigned.fees.max_wei + unsigned.value_wei


def render_request(request: Request) -> str:
    """Plain text for the person at the other machine."""
    plan = request.plan
    state = " + uncommitted changes" if plan.dirty else ""
    lines = [
        f"request  {request.sha256}",
        f"plan     {plan.digest}",
        f"         {_safe(plan.project)} {_safe(plan.version)} to {_safe(plan.target)}, commit {_safe(plan.commit or 'none')}{state}",
        f"signer   {request.signer}",
        f"made     {_safe(request.created_at)}, to be signed until {_safe(request.expires_at)}",
        "",
    ]
    actions = {action.id: action for action in plan.body.actions}
    for requested in request.transactions:
        lines += [*_transaction(requested, actions[requested.action], request), ""]
    total = sum(worst_wei(t.unsigned) for t in request.transactions)
    lines.append(f"{len(request.transactions)} transactions, at most {ether(total, _safe(request.currency))} together")
    return "\n".join(lines)


def _transaction(requested: RequestedTransaction, action: Action, request: Request) -> Iterator[str]:
    unsigned, fees = requested.unsigned, requested.unsigned.fees
    again = ", instead of one with lower fees" if requested.replaces else ""
    yield f"nonce {unsigned.nonce} on chain {unsigned.chain_id}{again}: {_safe(requested.action)}"
    if unsigned.to is None:
        yield f"    creates   {create_address(request.signer, unsigned.nonce)}"
        yield from _init_code(unsigned.data, action.source, request)
    else:
        yield f"    to        {unsigned.to}"
    yield f"    value     {ether(unsigned.value_wei, _safe(request.currency))}"
    if unsigned.to == CREATE2_FACTORY and len(unsigned.data) > 32:
        salt, init_code = unsigned.data[:32], unsigned.data[32:]
        yield f"    creates   {create2_address(CREATE2_FACTORY, salt, init_code)} (CREATE2, salt 0x{salt.hex()})"
        yield from _init_code(init_code, action.source, request)
    elif unsigned.to == CREATEX and action.address is not None:
        yield f"    creates   {action.address} by the plan (through CreateX)"
        yield from _createx(unsigned.data, action.source, request)
    elif unsigned.to is not None:
        yield from _call(unsigned.data, request.abi, "    ")
    tip = "legacy gas price" if fees.priority_wei is None else f"tip {gwei(fees.priority_wei)}"
    worst = ether(worst_wei(unsigned), _safe(request.currency))
    yield f"    gas       {unsigned.gas_limit:,} at {gwei(fees.max_wei)} at most ({tip}): at most {worst}"
    yield f"    signs     {requested.signing_hash}"


def _createx(data: bytes, source: str | None, request: Request) -> Iterator[str]:
    try:
        salt, init_code = init_code_of(data)
    except ValueError:
        yield from _call(data, request.abi, "    ")
        return
    yield f"    salt      0x{salt.hex()}"
    yield from _init_code(init_code, source, request)


def _init_code(init_code: bytes, source: str | None, request: Request) -> Iterator[str]:
    yield f"    init code {len(init_code):,} bytes, sha256 {sha256_hex(init_code)}"
    known = (request.constructors or {}).get(source or "")
    if not isinstance(known, Mapping):
        return
    yield f"    said to be {_safe(str(source))}"
    try:
        inputs, _ = constructor_types([known["abi"]])
        values = _decoded(inputs, init_code[int(known["code_bytes"]) :])
    except (ValueError, KeyError, TypeError, AttributeError):
        inputs, values = (), None
    if values is None:
        yield "    its constructor's arguments could not be read"
        return
    yield from _arguments(inputs, values, request.abi, "    ")


def _call(data: bytes, abi: Sequence[Mapping[str, Any]], indent: str) -> Iterator[str]:
    if not data:
        yield f"{indent}data      none"
        return
    for entry in abi:
        found = _fits(data, entry)
        if found is not None:
            function, values = found
            yield f"{indent}calls     {function.signature} (0x{data[:4].hex()})"
            yield from _arguments(function.inputs, values, abi, indent)
            return
    shown = data.hex() if len(data) <= 100 else f"{data[:100].hex()}…"
    yield f"{indent}calls     0x{data[:4].hex()}, unknown here; {len(data):,} bytes, sha256 {sha256_hex(data)}: 0x{shown}"


def _fits(data: bytes, entry: Mapping[str, Any]) -> tuple[Function, tuple[Any, ...]] | None:
    try:
        function = Function(str(entry["name"]), tuple(AbiType.from_abi(i) for i in entry["inputs"]))
        if selector(function) != data[:4]:
            return None
        values = _decoded(function.inputs, data[4:])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return None if values is None else (function, values)


def _decoded(types: Sequence[AbiType], data: bytes) -> tuple[Any, ...] | None:
    """The values, if they encode to the very same bytes again."""
    from eth_abi.abi import encode

    values = decode(types, data)
    return values if encode([t.type for t in types], values) == data else None


def _arguments(
    types: Sequence[AbiType], values: Sequence[Any], abi: Sequence[Mapping[str, Any]], indent: str
) -> Iterator[str]:
    for kind, value in zip(types, values, strict=True):
        yield f"{indent}  {_safe(kind.name or kind.type)} = {printable(str(jsonable(value)), _LONG)}"
        if kind.type == "bytes" and len(value) >= 4 and any(_fits(value, entry) for entry in abi):
            yield from _call(value, abi, indent + "    ")


def _safe(text: str) -> str:
    return printable(text, 120).replace("\n", " ")
