"""Whether a proxy can be upgraded again after a planned upgrade, and back: tried before anything is sent.

After the plan's actions: the same authority upgrades to a second copy of the new implementation, then back to the old one.
A copy is made by running the planned init code again, since UUPS implementations know their own address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.abi import explain_revert
from chains.evm.artifacts import Artifact
from chains.evm.live import LiveUnit
from chains.evm.probing import PROBER, Probe, Probed, copied_to
from chains.evm.proxies import upgrade_payload
from chains.evm.units import Proxy

__all__ = ["WayBack", "way_back"]


@dataclass(frozen=True)
class WayBack:
    """The probes of one unit, in order: the copy (where its init code is known), on, and back."""

    unit: str
    steps: tuple[str, ...]
    probes: tuple[Probe, ...]

    def problem(self, probed: Sequence[Probed], abis: Sequence[Any]) -> str | None:
        """What stands in the way; ``None`` when every step succeeded."""
        for step, result in zip(self.steps, probed, strict=True):
            if not result.succeeded:
                return f"{step} would fail: {explain_revert(result.data, abis)}"
        return None


def way_back(
    unit: str,
    kind: Proxy,
    artifact: Artifact,
    before: LiveUnit,
    *,
    authority: str,
    implementation: str,
    init_code: bytes | None,
    nonce: int,
) -> WayBack:
    """``before`` is the unit as it is live now, ``implementation`` the planned one, made by ``init_code`` if known."""
    assert before.address
    assert before.implementation

    def upgrade(to: str) -> Probe:
        recipient, data = upgrade_payload(
            kind, proxy=str(before.address), admin_or_beacon=before.beacon or before.admin, implementation=to, call=b"",
            abi=artifact.abi,
        )  # fmt: skip
        return Probe(authority, recipient, data)

    steps, probes = [], []
    if init_code is not None:
        steps += ["making another implementation", "an upgrade to another implementation by the same authority"]
        probes += [Probe(PROBER, None, init_code, nonce), upgrade(copied_to(nonce))]
    else:
        steps.append("another upgrade by the same authority")
        probes.append(upgrade(implementation))
    steps.append(f"going back to the implementation that is live now, {before.implementation},")
    probes.append(upgrade(before.implementation))
    return WayBack(unit, tuple(steps), tuple(probes))
