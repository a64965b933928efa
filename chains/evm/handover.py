"""``[handover]``: the deployer's rights as planned actions that give them away, the strongest last.

What the deployer will hold is read from the simulated end of the plan, events included, so that contracts this very
plan creates are handed over in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import checksum
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.proxies import encode_call
from chains.evm.rights import Place, Read, Right, past_events, places_of, rights_in
from chains.evm.roles import ADMIN_ROLE, role_name
from chains.evm.scene import Scene
from chains.evm.simulator import Simulator

__all__ = ["HandoverPointless", "Heir", "handed_over", "shown", "tell", "will_hold"]

Abis = Callable[[str], Sequence[Mapping[str, Any]] | None]


class HandoverPointless(Refused):
    """SHIP-E34: `[handover]` names the deployer itself."""

    code = "SHIP-E34"


class HandoverImpossible(Refused):
    """SHIP-E35: a role would be given up and nobody known would have it afterwards."""

    code = "SHIP-E35"


class Drafted(Protocol):
    """A plan as it is laid out. ``fresh`` are the lower-case addresses it creates."""

    @property
    def actions(self) -> tuple[Action, ...]: ...
    @property
    def live(self) -> Mapping[str, LiveUnit]: ...
    @property
    def fresh(self) -> frozenset[str]: ...


@dataclass(frozen=True)
class Heir:
    """Who the rights go to, and the rights there are at the end of the plan without a handover."""

    to: str
    rights: tuple[Right, ...]


def will_hold(
    simulator: Simulator,
    draft: Drafted,
    *,
    deployer: str,
    to: str,
    since: Mapping[str, int],
) -> Heir:
    """Simulate the plan and see what the deployer holds after it.

    Raises ``SimulationUnsupported`` and what ``logs`` raises.
    """
    deployer = checksum(deployer)
    if to == deployer:
        raise HandoverPointless(
            f"[handover] names {to}, which is the deployer itself",
            remedy="Name the Safe, timelock or key that governs.",
        )
    places = places_of(draft.live.values())
    old = [place for place in places if place.address.lower() not in draft.fresh]
    events = past_events(Node(simulator.rpc), old, deployer, since)
    acts = draft.actions
    made = [log for one in simulator.run(Scene(deployer, acts, logs=True)).actions for log in one.logs] if acts else []
    account = deployer.lower()[2:]
    events += [log for log in made if len(log["topics"]) == 4 and str(log["topics"][2]).lower()[-40:] == account]

    def read_all(reads: Sequence[Read]) -> list[bytes]:
        if not reads:
            return []
        ran = simulator.run(Scene(deployer, acts, reads=tuple(reads)))
        return [read.returned if read.succeeded else b"" for read in ran.reads]

    return Heir(to, tuple(rights_in(places, deployer, to, read_all, events)))


def shown(right: Right, abis: Abis) -> str:
    """A right in words."""
    if right.kind == "role":
        return f"{role_name(right.role, abis(right.place.address))} in {right.place} ({right.place.address})"
    word = {"admin": "proxy admin", "pending-owner": "pending owner", "default-admin": "default admin"}
    return f"{word.get(right.kind, right.kind)} of {right.place} ({right.place.address})"


def tell(rights: Sequence[Right], abis: Abis) -> str:
    return "; ".join(shown(right, abis) for right in rights)


def handed_over(heir: Heir, deployer: str, abis: Abis) -> Iterator[tuple[Action, bool]]:
    """The actions, and with each whether it is the heir's to do (an acceptance): grants, renunciations, owners last.

    Raises ``HandoverImpossible``.
    """
    roles = [right for right in heir.rights if right.kind == "role"]
    stuck = [right for right in roles if not right.grantable and not right.heir_has]
    if stuck:
        raise HandoverImpossible(
            f"the deployer would hold roles it cannot grant to {heir.to}, and giving them up could leave nobody with "
            f"them: {tell(stuck, abis)}",
            remedy="Give these roles to their holders when deploying, or renounce them by a call of your own.",
        )
    for right in roles:
        if right.grantable and not right.heir_has:
            yield _role_action(right, "grantRole", heir.to, abis), False
    for right in sorted(roles, key=lambda r: r.role == ADMIN_ROLE):
        yield _role_action(right, "renounceRole", deployer, abis), False
    for right in heir.rights:
        if right.kind == "owner":
            if right.heir != heir.to:
                yield _action(right.place, "owner", f"owner of {right.place}", "transferOwnership", heir.to), False
            if right.two_step:
                yield _action(right.place, "accept", f"accept {right.place}", "acceptOwnership"), True
        elif right.kind == "default-admin" and right.heir != heir.to:
            title = f"default admin of {right.place}"
            yield _action(right.place, "default-admin", title, "beginDefaultAdminTransfer", heir.to), False


def _action(place: Place, name: str, title: str, function: str, *to: str) -> Action:
    data = encode_call(function, ["address"] * len(to), list(to))
    shown_args = tuple({"name": "to", "type": "address", "value": address} for address in to)
    suffix = f"{place.part}.{name}" if place.part else name
    return Action(
        id=f"{place.unit}.handover.{suffix}", unit=place.unit, kind="call", title=f"hand over: {title}", nonce=0,
        to=place.address, value_wei=0, data=data, args=shown_args, needs_code=(place.address,),
    )  # fmt: skip


def _role_action(right: Right, function: str, account: str, abis: Abis) -> Action:
    name = role_name(right.role, abis(right.place.address))
    verb = "grant" if function == "grantRole" else "renounce"
    data = encode_call(function, ["bytes32", "address"], ["0x" + right.role.hex(), account])
    suffix = f"{right.place.part}." if right.place.part else ""
    return Action(
        id=f"{right.place.unit}.handover.{suffix}{verb}.{name}", unit=right.place.unit, kind="call",
        title=f"hand over: {verb} {name} in {right.place}", nonce=0, to=right.place.address, value_wei=0, data=data,
        args=({"name": "account", "type": "address", "value": account},), needs_code=(right.place.address,),
    )  # fmt: skip
