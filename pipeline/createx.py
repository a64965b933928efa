"""CreateX on the embedded chain, put there when a unit goes through it."""

from __future__ import annotations

from chains.base import Clock
from chains.evm.createx_deploying import install_createx_locally
from chains.rpc import Endpoint, Rpc
from pipeline.manifest.target import Target

__all__ = ["provide_createx"]


def provide_createx(target: Target, url: str, clock: Clock) -> None:
    """Put CreateX on the embedded chain at ``url`` if a unit of ``target`` goes through it."""
    if any(unit.create3 is not None or unit.sender_guard for unit in target.units.spec.contracts.values()):
        install_createx_locally(Rpc([Endpoint(url)], clock=clock), clock)
