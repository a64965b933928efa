"""What is live on one chain, as far as the journal tells: the effects of every action that became final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chains.base import Row
from chains.evm.actions import EvmPlan
from chains.evm.lifecycle import not_taken_back

__all__ = ["LiveUnit", "live_units"]


@dataclass(frozen=True)
class LiveUnit:
    """A unit's recorded state. Addresses have checksums; ``*_init_code`` are sha256 of init code with arguments.

    ``created`` maps the sha256 of init code to the address it was deployed at, also for implementations that no proxy
    uses yet, so that an interrupted upgrade does not deploy them again. ``done`` is the payload digest of a call unit.
    ``reads`` keeps what was read from the chain for its arguments, by read, so that planning again does not ask anew.

    An adopted contract whose creation the chain does not show has no ``init_code``. Then ``runtime_code`` is the sha256 of
    its runtime code with immutables masked, which is proven, and ``declared_init_code`` that of the init code the project
    gave when it was adopted, whose arguments are not.
    """

    name: str
    address: str | None = None
    source: str | None = None
    proxy: str = "none"
    implementation: str | None = None
    beacon: str | None = None
    admin: str | None = None
    init_code: str | None = None
    implementation_init_code: str | None = None
    implementation_source: str | None = None
    done: str | None = None
    created: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)
    runtime_code: str | None = None
    declared_init_code: str | None = None

    def merge(self, effect: Mapping[str, Any]) -> LiveUnit:
        """This unit after an action's effect."""
        changed = dict(effect)
        created = {**self.created, **changed.pop("created", {})}
        reads = {**self.reads, **changed.pop("reads", {})}
        return replace(self, **changed, created=created, reads=reads)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON. What few units have is left out where it is empty."""
        body = {**self.__dict__, "created": dict(self.created), "reads": dict(self.reads)}
        rare = ("reads", "runtime_code", "declared_init_code")
        return {key: value for key, value in body.items() if value or key not in rare}


def live_units(rows: Sequence[Row], plans: Mapping[str, EvmPlan]) -> dict[str, LiveUnit]:
    """Fold the journal into live units. ``plans`` holds every plan the rows name, by digest."""
    live: dict[str, LiveUnit] = {}
    effects = {digest: {a.id: (a.unit, a.effect) for a in plan.actions} for digest, plan in plans.items()}
    for row in not_taken_back(rows):
        if row.kind == "tx.final":
            if row.data["action"] not in effects[row.data["plan"]]:
                continue  # the execution of a proposal, whose own row tells what it did
            unit, effect = effects[row.data["plan"]][row.data["action"]]
        elif row.kind == "proposal.executed":
            for action in row.data["actions"]:
                unit, effect = effects[row.data["plan"]][action]
                live[unit] = live.get(unit, LiveUnit(unit)).merge(effect)
            continue
        elif row.kind == "unit.adopted":
            unit, effect = row.data["unit"], row.data["effect"]
        else:
            continue
        live[unit] = live.get(unit, LiveUnit(unit)).merge(effect)
    return live
