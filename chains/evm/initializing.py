"""Who can still initialize: after a plan, nobody may be able to, neither the proxy again nor the bare implementation.

Proven by trying, as a stranger, every initializer on the state the plan leaves behind. OpenZeppelin's way is the
``initializer`` and ``reinitializer(N)`` modifiers and ``_disableInitializers()`` in the constructor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eth_abi.abi import encode

from chains.evm.abi import AbiType, explain_revert, parse_signature, selector
from chains.evm.artifacts import Artifact
from chains.evm.probing import PROBER, Probe, Probed

__all__ = ["Attempt", "Verdict", "attempts", "judge"]

_INITIALIZED = {
    bytes.fromhex("f92ee8a9"),  # InvalidInitialization(), OpenZeppelin 5
    bytes.fromhex("0dc149f0"),  # AlreadyInitialized(), solady and others
}
_WORDS = re.compile(r"already.*initiali[sz]ed|(?<!not )(?<!un)initiali[sz]ed", re.IGNORECASE)

Verdict = Literal["closed", "open", "unproven"]


@dataclass(frozen=True)
class Attempt:
    """One initializer, on one address. ``on`` is ``proxy`` or ``implementation``; ``modifier`` is as in the source."""

    unit: str
    on: Literal["proxy", "implementation"]
    function: str
    modifier: str | None
    probe: Probe


def attempts(
    unit: str, artifact: Artifact, initialize: str | None, *, proxy: str | None, implementation: str
) -> Iterator[Attempt]:
    """Every initializer of the contract, and the one the project calls, on the bare implementation and on the proxy."""
    functions = {}
    for entry in artifact.abi:
        if entry.get("type") == "function":
            inputs = tuple(AbiType.from_abi(i) for i in entry.get("inputs", ()))
            signature = f"{entry['name']}({','.join(i.type for i in inputs)})"
            functions[selector(parse_signature(signature)).hex()] = (signature, inputs)
    modifiers = {s: m for s, m in (artifact.initializers or {}).items() if m != "onlyInitializing" and s in functions}
    chosen = selector(parse_signature(initialize)).hex() if initialize else None
    for found in dict.fromkeys([*([chosen] if chosen in functions else []), *modifiers]):
        signature, inputs = functions[str(found)]
        data = bytes.fromhex(str(found)) + encode([i.type for i in inputs], [_some(i) for i in inputs])
        places: list[tuple[Literal["proxy", "implementation"], str]] = [("implementation", implementation)]
        if proxy is not None:
            places.append(("proxy", proxy))
        for on, address in places:
            yield Attempt(unit, on, signature, modifiers.get(str(found)), Probe(PROBER, address, data))


def _some(kind: AbiType) -> Any:
    """A value of the type that is not zero, since initializers often refuse zeros for other reasons."""
    name = kind.type
    if name.endswith("]"):
        size = name[name.rindex("[") + 1 : -1]
        return [_some(kind.item()) for _ in range(int(size))] if size else []
    if name.startswith("("):
        return tuple(_some(component) for component in kind.components)
    if name == "bool":
        return True
    if name == "address":
        return PROBER
    if name == "string":
        return "ship"
    if name.startswith("bytes"):
        return b"\x01" * int(name.removeprefix("bytes") or 1)
    return 1


def judge(probed: Probed, abis: Sequence[Any]) -> tuple[Verdict, str]:
    """``open`` when a stranger gets through; ``closed`` when it is refused for being initialized; else not proven."""
    if probed.succeeded:
        return "open", "anybody can call it"
    reason = explain_revert(probed.data, abis)
    if probed.data[:4] in _INITIALIZED or _WORDS.search(reason):
        return "closed", reason
    return "unproven", reason
