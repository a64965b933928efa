"""A beacon: one call moves every proxy that reads it. Which those are is told before anybody agrees.

Source: OpenZeppelin Contracts 4 and 5, UpgradeableBeacon.sol.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.proxies import encode_call
from pipeline.rollback.model import Moved, UnitWay
from pipeline.rollback.strategies.base import Scenery, back

__all__ = ["Beacon"]


@dataclass(frozen=True)
class Beacon:
    name: str = "beacon"

    def way(self, moved: Moved, scenery: Scenery) -> UnitWay:
        beacon = moved.after.beacon
        if beacon is None:
            why = f"{moved.name}: which beacon it reads is not recorded"
            return UnitWay(moved, self.name, "none", conflicts=(why,))
        reading = [unit for unit in scenery.live.values() if unit.beacon == beacon and unit.address]
        shown = ", ".join(f"{unit.name} at {unit.address}" for unit in reading)
        risk = f"the beacon {beacon} moves every proxy that reads it; recorded are: {shown}. Proxies made by others are not known"
        data = encode_call("upgradeTo", ["address"], [str(moved.before.implementation)])
        call = back(moved, scenery, beacon, data, "the beacon of ")
        return UnitWay(moved, self.name, "full", call, risks=(risk,))
