"""What a project wants on an EVM chain, with parameters filled in and references still open.

``pipeline.manifest`` makes these from ``ship.toml`` and a target; the planner turns them into actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "DEPLOYER",
    "Call",
    "CallUnit",
    "Check",
    "ContractUnit",
    "EvmUnits",
    "GoBack",
    "Proxy",
    "Read",
    "Redirect",
    "Ref",
    "ScriptUnit",
    "Unless",
    "Value",
    "references",
]

Proxy = Literal["none", "uups", "transparent", "beacon"]
Part = Literal["address", "implementation", "admin", "beacon"]


@dataclass(frozen=True)
class Ref:
    """``${contracts.NAME}`` or ``${contracts.NAME.PART}``; an address known only when the plan is made."""

    unit: str
    part: Part = "address"

    def __str__(self) -> str:
        return f"${{contracts.{self.unit}{'' if self.part == 'address' else '.' + self.part}}}"


DEPLOYER = Ref("", "address")
"""``${deployer}``: the address of the target's signer."""


@dataclass(frozen=True)
class Read:
    """``{ read = …, on = …, args = […] }``: a value read from the chain when it is needed.

    ``signature`` has one return type, as ``getPair(address,address)(address)``.
    """

    on: Value
    signature: str
    args: tuple[Value, ...] = ()


Value = bool | int | str | Ref | Read | tuple["Value", ...] | Mapping[str, "Value"]
"""An argument: TOML scalars, arrays as tuples, tables as mappings (for ABI tuples by component name), reads."""


def references(value: Value) -> Iterator[Ref]:
    """Every unit reference inside ``value``, in order (``DEPLOYER`` is not one)."""
    if isinstance(value, Ref):
        if value != DEPLOYER:
            yield value
    elif isinstance(value, Read):
        yield from references(value.on)
        yield from references(value.args)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from references(item)


@dataclass(frozen=True)
class Call:
    """A function call: ``signature`` such as ``initialize(address,uint256)``, without a return type."""

    signature: str
    args: tuple[Value, ...] = ()
    value_wei: int = 0


@dataclass(frozen=True)
class Unless:
    """A read that makes a call unnecessary: ``signature`` has a return type, as ``hasRole(bytes32,address)(bool)``."""

    signature: str
    args: tuple[Value, ...]
    equals: Value


@dataclass(frozen=True)
class ContractUnit:
    """``[contracts.NAME]``. ``source`` is ``path:Contract`` as the compiler names it.

    ``authority`` is the Safe or timelock through which an upgrade goes, or a path of them; ``None`` when the deployer
    may upgrade by itself, or the chain shows who owns the proxy.

    Salts are 32 bytes; with ``sender_guard`` CreateX binds their first 11 to the deployer. ``create3_salt`` alone fixes
    the unit's address, whatever its code. ``unsafe_allow`` maps a finding of the upgrade check to why it is accepted.
    """

    name: str
    source: str
    args: tuple[Value, ...] = ()
    value_wei: int = 0
    proxy: Proxy = "none"
    initialize: Call | None = None
    upgrade: Call | None = None
    proxy_owner: Value = DEPLOYER
    create2_salt: bytes | None = None
    create3_salt: bytes | None = None
    sender_guard: bool = False
    libraries: Mapping[str, Value] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    authority: Value | None = None
    replace: bool = False
    unsafe_allow: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CallUnit:
    """``[calls.NAME]``: a transaction that changes state, skipped when ``unless`` already holds."""

    name: str
    to: Value
    call: Call
    unless: Unless | None = None
    after: tuple[str, ...] = ()
    authority: Value | None = None


@dataclass(frozen=True)
class ScriptUnit:
    """``[scripts.NAME]``: a Foundry script. It runs once; with ``rerun`` again whenever its code has changed."""

    name: str
    source: str
    after: tuple[str, ...] = ()
    rerun: bool = False


@dataclass(frozen=True)
class Check:
    """``[checks.NAME]``: a read after deploying; a failed one stops the release."""

    name: str
    on: Value
    signature: str
    args: tuple[Value, ...]
    equals: Value


@dataclass(frozen=True)
class Redirect:
    """``[rollback.redirect.NAME]``: a call that stands in for going back where a contract cannot change.

    ``restores`` is the unit whose earlier contract is the one in use again when the call is made.
    """

    name: str
    to: Value
    call: Call
    unless: Unless | None = None
    authority: Value | None = None
    restores: str | None = None


@dataclass(frozen=True)
class GoBack:
    """A proxy, or its beacon, moved back to an implementation that lies on chain already.

    ``effect`` is what changes in the unit's live state; ``needs_code`` are the addresses that must hold code for it.
    """

    unit: str
    to: str
    data: bytes
    title: str
    effect: Mapping[str, Any]
    authority: Value | None = None
    needs_code: tuple[str, ...] = ()
    value_wei: int = 0


@dataclass(frozen=True)
class EvmUnits:
    """All EVM units of a project, in the order they stand in ``ship.toml``."""

    contracts: tuple[ContractUnit, ...] = ()
    calls: tuple[CallUnit, ...] = ()
    checks: tuple[Check, ...] = ()
    scripts: tuple[ScriptUnit, ...] = ()
    handover: Value | None = None
    """``[handover]``: who the deployer's rights move to in the end."""
    back: tuple[GoBack, ...] = ()
    """A rollback: what goes back. A release has none."""
    redirects: tuple[tuple[Redirect, Mapping[str, Any]], ...] = ()
    """A rollback: the calls that stand in for going back, each with what it changes in the live state."""
