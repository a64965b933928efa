"""A UUPS proxy: the implementation in place carries the function that moves it back, or nothing does.

Source: ERC-1822; OpenZeppelin Contracts 4 and 5, UUPSUpgradeable.sol. Version 4's ``upgradeToAndCall`` calls the new
implementation even with no data, so that ``upgradeTo`` is taken where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.proxies import encode_call, has_function
from pipeline.rollback.model import Moved, UnitWay
from pipeline.rollback.strategies.base import Scenery, back

__all__ = ["Uups"]


@dataclass(frozen=True)
class Uups:
    name: str = "uups"

    def way(self, moved: Moved, scenery: Scenery) -> UnitWay:
        proxy, implementation = str(moved.after.address), str(moved.before.implementation)
        code = scenery.code(str(moved.after.implementation))
        if has_function(code, "upgradeTo", ["address"]):
            data = encode_call("upgradeTo", ["address"], [implementation])
        elif has_function(code, "upgradeToAndCall", ["address", "bytes"]):
            data = encode_call("upgradeToAndCall", ["address", "bytes"], [implementation, "0x"])
        else:
            why = (
                f"{moved.name}: the implementation {moved.after.implementation} has no function that upgrades its proxy"
            )
            return UnitWay(moved, self.name, "none", conflicts=(why,))
        return UnitWay(moved, self.name, "full", back(moved, scenery, proxy, data))
