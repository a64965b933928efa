"""A transparent proxy: its ProxyAdmin, or an account that is its admin itself, moves it back.

Source: OpenZeppelin Contracts 4 (``upgrade``, ``upgradeAndCall``) and 5 (``upgradeAndCall`` alone), ProxyAdmin.sol.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.evm.proxies import encode_call, has_function
from pipeline.rollback.model import Moved, UnitWay
from pipeline.rollback.strategies.base import Scenery, back

__all__ = ["Transparent"]


@dataclass(frozen=True)
class Transparent:
    name: str = "transparent"

    def way(self, moved: Moved, scenery: Scenery) -> UnitWay:
        proxy, implementation = str(moved.after.address), str(moved.before.implementation)
        admin = moved.after.admin
        if admin is None:
            why = f"{moved.name}: who its admin is, is not recorded"
            return UnitWay(moved, self.name, "none", conflicts=(why,))
        code = scenery.code(admin)
        if not code:  # an account: it calls the proxy
            data = encode_call("upgradeTo", ["address"], [implementation])
            return UnitWay(moved, self.name, "full", back(moved, scenery, proxy, data))
        if has_function(code, "upgrade", ["address", "address"]):
            data = encode_call("upgrade", ["address", "address"], [proxy, implementation])
        else:
            data = encode_call("upgradeAndCall", ["address", "address", "bytes"], [proxy, implementation, "0x"])
        return UnitWay(moved, self.name, "full", back(moved, scenery, admin, data))
