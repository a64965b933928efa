"""Holding what is live against the bundle of the sources as they are now."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from chains.errors import Resumable, ShipError
from chains.evm.actions import PlannedUnit
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.planner import lay_out
from chains.evm.units import EvmUnits
from pipeline.bundle import Bundle
from pipeline.cached_build import cached_bundle
from pipeline.manifest.units import evm_units
from pipeline.session import Session, accepted_plans
from pipeline.signing.opening import signer_address
from pipeline.status.model import Kind, Verdict

__all__ = ["Compared", "compare"]


@dataclass(frozen=True)
class Compared:
    """Verdicts by unit, and the digest of the bundle; or why there are none."""

    verdicts: Mapping[str, Verdict]
    bundle: str | None
    why_not: str | None


def compare(session: Session, live: Mapping[str, LiveUnit], node: Node) -> Compared:
    """Lay the project's units out against ``live``, without simulating. Compiles nothing, opens no key.

    Raises ``RpcDown``.
    """
    try:
        units = evm_units(session.project, session.target)
    except ShipError as error:
        return Compared({}, None, f"{error.where}: {error.cause}" if error.where else error.cause)
    names: dict[str, Kind] = {unit.name: "contract" for unit in units.contracts}
    names |= {unit.name: "call" for unit in units.calls}
    open_verdicts = {name: Verdict(kind, "not compared", "") for name, kind in names.items()}
    bundle = cached_bundle(session.project, session.target)
    if bundle is None:
        return Compared(open_verdicts, None, "these sources are not built: run `ship build`")
    deployer = _deployer(session)
    if deployer is None:
        return Compared(
            open_verdicts, None, "the target has no usable signer, and its address is part of what is planned"
        )
    try:
        planned = _planned(units, bundle, live, node, deployer)
    except ShipError as error:
        if isinstance(error, Resumable):
            raise
        return Compared(open_verdicts, None, error.cause)
    return Compared({u.name: _verdict(u, names[u.name]) for u in planned}, bundle.digest, None)


def _deployer(session: Session) -> str | None:
    """The target's signer, or when there is none to be had here, that of the newest plan."""
    try:
        return signer_address(session.target, session.project.root)
    except ShipError:
        plans = accepted_plans(session.rows)
        return session.plan(plans[-1]).body.deployer if plans else None


def _planned(
    units: EvmUnits, bundle: Bundle, live: Mapping[str, LiveUnit], node: Node, deployer: str
) -> tuple[PlannedUnit, ...]:
    """What a plan would do about each unit; a changed immutable is a difference here, not a refusal."""
    contracts = tuple(dataclasses.replace(unit, replace=True) for unit in units.contracts)
    open_units = dataclasses.replace(units, contracts=contracts, checks=())
    nonce, _, _ = node.account(deployer)
    return lay_out(open_units, bundle.artifact, live, node, deployer=deployer, nonce=nonce).units


def _verdict(unit: PlannedUnit, kind: Kind) -> Verdict:
    match unit.change:
        case "unchanged":
            return Verdict(kind, "same", "")
        case "skip":
            return Verdict(kind, "same", unit.reason)
        case "upgrade":
            return Verdict(kind, "differs", "upgrade pending")
        case "replace":
            return Verdict(kind, "differs", "code or arguments changed, and it cannot be upgraded")
        case "call":
            return Verdict(kind, "not done", unit.reason)
        case "adopt":
            return Verdict(kind, "not deployed", "its code is already at the address of its salt")
        case _:
            return Verdict(kind, "not deployed", "")
