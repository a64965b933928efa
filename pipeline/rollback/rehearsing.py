"""A way back, tried: the release's actions, then the calls back by whoever can make them, then the old release's checks.

Everything on one simulated state, so that nothing is sent (``chains.evm.simulator``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from chains.evm.abi import AbiType, decode, explain_revert
from chains.evm.actions import Action, PlannedCheck
from chains.evm.address import checksum
from chains.evm.proxies import encode_call
from chains.evm.scene import Outcome, Probe, Scene, SimulationUnsupported
from chains.evm.simulate import shown
from chains.evm.simulator import Simulator
from chains.evm.units import GoBack

__all__ = ["Rehearsed", "rehearse"]

_OWNER = encode_call("owner", [], [])


@dataclass(frozen=True)
class Rehearsed:
    """``by`` gives for each call, in order, who can make it; ``None`` with a reason in ``problems``.

    ``differing`` are the old release's checks that read otherwise after going there and back than they read before.
    """

    how: str
    by: tuple[str | None, ...]
    problems: Mapping[int, str]
    checks: int
    differing: tuple[str, ...]
    owners: tuple[str | None, ...] = ()


def rehearse(
    simulator: Simulator,
    actions: Sequence[Action],
    calls: Sequence[GoBack],
    candidates: Callable[[GoBack, str | None], Sequence[str]],
    checks: Sequence[PlannedCheck],
) -> Rehearsed:
    """``candidates`` are who may be able to make a call, given ``owner()`` of what is called, likeliest first.

    Raises ``SimulationUnsupported`` where nothing can be tried, or where the actions themselves would fail.
    """
    reads = tuple((check.to, check.data) for check in checks)
    before = simulator.run(Scene(simulator.sender, (), reads=reads)).reads if reads else ()
    first = simulator.run(Scene(simulator.sender, tuple(actions), reads=tuple((c.to, _OWNER) for c in calls)))
    if not all(outcome.succeeded for outcome in first.actions):
        raise SimulationUnsupported("an action of the plan would fail now")
    owners = tuple(_address(read) for read in first.reads)
    tried = [list(candidates(call, owner)) for call, owner in zip(calls, owners, strict=True)]
    turn = [0] * len(calls)
    while True:
        by = [who[at] for who, at in zip(tried, turn, strict=True)]
        probes = [Probe(sender, call.to, call.data) for sender, call in zip(by, calls, strict=True)]
        probes += [Probe(simulator.sender, to, data) for to, data in reads]
        ran = simulator.run(Scene(simulator.sender, tuple(actions), probes=tuple(probes)))
        results = ran.probes[: len(calls)]
        failed = [n for n, result in enumerate(results) if not result.succeeded]
        more = [n for n in failed if turn[n] + 1 < len(tried[n])]
        if not more:
            break
        for n in more:
            turn[n] += 1
    problems = {n: f"{by[n]} cannot: {explain_revert(results[n].revert, [])}" for n in failed}
    after = ran.probes[len(calls) :]
    differing = [
        _difference(check, one, other)
        for check, one, other in zip(checks, before, after, strict=True)
        if not failed and (one.succeeded, one.returned) != (other.succeeded, other.returned)
    ]
    done = tuple(None if n in problems else who for n, who in enumerate(by))
    return Rehearsed(ran.way, done, problems, len(checks), tuple(differing), owners)


def _difference(check: PlannedCheck, before: Outcome, after: Outcome) -> str:
    told = [shown(check, o.returned) if o.succeeded else "reverts" for o in (before, after)]
    return f"check {check.name}: `{check.call}` read {told[0]} before, and reads {told[1]} after going back"


def _address(read: Outcome) -> str | None:
    try:
        found = checksum(str(decode([AbiType("", "address")], read.returned)[0])) if read.succeeded else None
    except ValueError:
        return None
    return found if found and int(found, 16) else None
