"""A plan simulated and judged, with a gas limit for every action that was itself tried.

The limit is what was used, plus what a refund hid, plus the policy's margin, clamped to what a transaction may ask for. A
call hands on at most 63/64 of its gas (EIP-150), so that with a limit an inner call can run dry, or be caught and take
another path, where with plenty it did neither: the plan runs a second time with exactly the limits that will be signed,
and must return and log the same. One that does not is raised, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chains.errors import Refused
from chains.evm.actions import Action, PlannedCheck
from chains.evm.gas import intrinsic_gas
from chains.evm.scene import Outcome, Ran, Scene, SimulationUnsupported, Way
from chains.evm.simulate import check_answers, gas_needed, must_succeed
from chains.evm.simulator import Simulator

__all__ = ["AbsurdGas", "GasCap", "GasTooTight", "Simulated", "simulated"]

_MOST = 8
_MOST_FOR_GAS = 2
"""How far a limit may grow, by a quarter at a time: for another result, and for another use of gas alone."""


class AbsurdGas(Refused):
    """SHIP-E13: an action needs more gas than a block has, or less than is possible."""

    code = "SHIP-E13"


class GasAboveCap(Refused):
    """SHIP-E14: an action needs more gas than the chain lets one transaction use."""

    code = "SHIP-E14"


class GasTooTight(Refused):
    """SHIP-E15: no gas limit was found with which an action does what it does with plenty."""

    code = "SHIP-E15"


@dataclass(frozen=True)
class GasCap:
    """The most one transaction may ask for: what a block has, and on some chains less (EIP-7825)."""

    block: int
    transaction: int | None = None

    @property
    def most(self) -> int:
        return self.block if self.transaction is None else min(self.block, self.transaction)

    def hold(self, action: Action, gas: int) -> None:
        """Raises ``AbsurdGas`` or ``GasAboveCap`` for more than may be."""
        if gas > self.block:
            raise AbsurdGas(f"{action.id} needs {gas} gas, a block has {self.block}", remedy="Split the contract.")
        if gas > self.most:
            raise GasAboveCap(
                f"{action.id} ({action.title}) needs {gas:,} gas, one transaction may use {self.most:,} on this chain (EIP-7825)",
                remedy="Split the contract into several, move code into libraries, or split the call.",
            )


@dataclass(frozen=True)
class Simulated:
    """Actions with gas filled in, the way they were simulated, and whether every limit was tried."""

    actions: tuple[Action, ...]
    way: Way
    tried: bool

    @property
    def gas(self) -> int:
        return sum(action.gas_estimate for action in self.actions)


def simulated(
    simulator: Simulator,
    actions: Sequence[Action],
    checks: Sequence[PlannedCheck],
    *,
    gas_margin_bps: int,
    cap: GasCap,
    abis: Sequence[Sequence[Mapping[str, Any]]],
    tell: Callable[[str], None] = lambda text: None,
) -> Simulated:
    """Run the actions in order, then the checks' reads; ``tell`` hears of limits that had to be raised.

    Raises ``WouldRevert`` with the unit and the decoded reason, ``CheckWouldFail`` with expected and found, ``AbsurdGas``,
    ``GasAboveCap``, ``GasTooTight``, and ``SimulationUnsupported``.
    """
    scene = Scene(simulator.sender, tuple(actions), reads=tuple((c.to, c.data) for c in checks))
    ran = simulator.run(scene)
    filled = []
    for action, outcome in zip(actions, ran.actions, strict=True):
        must_succeed(action, outcome, abis)
        _plausible(action, outcome.gas)
        cap.hold(action, outcome.gas)
        needed = gas_needed(action, outcome.gas)
        limit = min(needed + needed * gas_margin_bps // 10_000, cap.most)
        filled.append(replace(action, gas_estimate=outcome.gas, gas_limit=limit))
    check_answers(checks, [read.returned for read in ran.reads], would=True)
    if not filled:
        return Simulated((), ran.way, tried=True)
    try:
        return Simulated(_tried(simulator, scene, ran, filled, cap, tell), ran.way, tried=True)
    except SimulationUnsupported as error:
        tell(f"the gas limits could not be tried themselves: {error}")
        return Simulated(tuple(filled), ran.way, tried=False)


def _plausible(action: Action, gas: int) -> None:
    """Refunds can take a fifth off; less than that no node would accept, and the transaction would hang."""
    if gas < intrinsic_gas(action) * 4 // 5:
        raise AbsurdGas(
            f"the node says {action.id} takes {gas} gas, its bytes alone cost {intrinsic_gas(action)}",
            remedy="The endpoint's simulation is wrong. Use another one.",
        )


def _tried(
    simulator: Simulator, scene: Scene, plenty: Ran, actions: Sequence[Action], cap: GasCap, tell: Callable[[str], None]
) -> tuple[Action, ...]:
    """The actions with limits under which all of them do what they do with plenty of gas."""
    found, alike = list(actions), set[int]()
    while True:
        ran = simulator.run(replace(scene, limits=tuple(action.gas_limit for action in found)))
        pairs = enumerate(zip(plenty.actions, ran.actions, strict=True))
        number = next((n for n, (one, other) in pairs if _differs(one, other, gas=n not in alike)), None)
        if number is None:
            return tuple(found)
        action, wrong = found[number], _differs(plenty.actions[number], ran.actions[number], gas=False)
        limit = min(action.gas_limit * 5 // 4, cap.most)
        if action.gas_limit < limit <= actions[number].gas_limit * (_MOST if wrong else _MOST_FOR_GAS):
            tell(
                f"{action.id} acts otherwise with {action.gas_limit:,} gas than with plenty: its limit is now {limit:,}"
            )
            found[number] = replace(action, gas_limit=limit)
        elif wrong:
            raise _too_tight(action)
        else:  # some code uses a share of whatever gas it has; what it does is the same
            alike.add(number)


def _differs(plenty: Outcome, limited: Outcome, *, gas: bool) -> bool:
    """Another result, other events, or (``gas``) another use of gas: another path was taken."""

    def events(outcome: Outcome) -> list[tuple[Any, ...]]:
        return [(log.get("address"), log.get("topics"), log.get("data")) for log in outcome.logs]

    if not limited.succeeded or plenty.returned != limited.returned or events(plenty) != events(limited):
        return True
    return gas and plenty.gas != limited.gas


def _too_tight(action: Action) -> GasTooTight:
    return GasTooTight(
        f"{action.id} ({action.title}) does not do with a limit of {action.gas_limit:,} gas what it does with plenty, and "
        "no higher limit was found with which it does",
        remedy="Something in it fails, or is caught, when an inner call gets less gas. Split it, or give the inner call a "
        "fixed amount of gas.",
    )
