"""The plan: what is approved, and all that is ever signed.

A pure function of project, target, bundle, recorded state and what the chain was seen to hold. Its sha256 over
canonical JSON is what a person says yes to; a plan whose inputs have moved on is refused as stale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from chains.canonical import canonical, digest, pretty, sha256_hex
from chains.errors import Refused, Where
from chains.evm.actions import EvmPlan
from chains.evm.live import LiveUnit
from chains.files import write_atomic
from chains.jsontext import read_json

__all__ = [
    "Envelope",
    "Plan",
    "PlanInvalid",
    "PlanStale",
    "live_digest",
    "load_plan",
    "plan_family",
    "read_plan",
    "refuse_stale",
    "save_plan",
]

SCHEMA = 1
KIND = "contract-ship/plan"


class PlanInvalid(Refused):
    """SHIP-P01: the file is not a plan, or not the one its name says."""

    code = "SHIP-P01"


class PlanStale(Refused):
    """SHIP-P02: what the plan rests on has changed since."""

    code = "SHIP-P02"


@dataclass(frozen=True)
class Envelope(ABC):
    """A release of one version to one target, whatever its chain's family. ``bundle``, ``inputs`` and ``state`` are sha256 digests.

    ``inputs`` is of the resolved manifests, ``state`` of the live units the plan was compared with; ``commit`` is the
    project's git commit, ``dirty`` whether the work tree differed from it. ``warnings`` are for the person who approves.
    """

    project: str
    version: str
    target: str
    commit: str | None
    dirty: bool
    bundle: str
    inputs: str
    state: str
    body: Any
    warnings: tuple[str, ...] = ()
    promoted_from: str | None = None
    """The tag of the release candidate whose bytes these are; ``commit`` is then the candidate's."""
    rollback: Mapping[str, Any] | None = None
    """Of a rollback (``pipeline.rollback``): what it takes back, what it returns to, and what was accepted with it."""
    family: ClassVar[str] = ""

    @property
    def tag(self) -> str:
        return f"v{self.version}"

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "kind": KIND,
            "project": self.project,
            "version": self.version,
            "target": self.target,
            "commit": self.commit,
            "dirty": self.dirty,
            "bundle": self.bundle,
            "inputs": self.inputs,
            "state": self.state,
            "family": self.family,
            **({"warnings": list(self.warnings)} if self.warnings else {}),
            **({"promoted_from": self.promoted_from} if self.promoted_from is not None else {}),
            **({"rollback": dict(self.rollback)} if self.rollback is not None else {}),
            "body": self.body.to_json(),
        }

    @cached_property
    def digest(self) -> str:
        return digest(self.to_json())

    @classmethod
    @abstractmethod
    def body_from(cls, data: Mapping[str, Any]) -> Any:
        """The family's own part."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            project=data["project"],
            version=data["version"],
            target=data["target"],
            commit=data["commit"],
            dirty=data["dirty"],
            bundle=data["bundle"],
            inputs=data["inputs"],
            state=data["state"],
            body=cls.body_from(data["body"]),
            warnings=tuple(data.get("warnings", ())),
            promoted_from=data.get("promoted_from"),
            rollback=data.get("rollback"),
        )


@dataclass(frozen=True)
class Plan(Envelope):
    """A release to an EVM chain."""

    body: EvmPlan
    family: ClassVar[str] = "evm"

    @classmethod
    def body_from(cls, data: Mapping[str, Any]) -> EvmPlan:
        return EvmPlan.from_json(data)


Kind = TypeVar("Kind", bound=Envelope)


def live_digest(live: Mapping[str, LiveUnit]) -> str:
    """Names a target's recorded state."""
    return digest({name: unit.to_json() for name, unit in live.items()})


def save_plan(path: Path, plan: Envelope) -> None:
    """Write the plan for people and machines; its digest is over the canonical form, not over this file."""
    write_atomic(path, pretty(plan.to_json()))


def load_plan(path: Path, *, expected: str | None = None) -> Plan:
    """Read a plan for an EVM chain; ``expected`` is the digest it must have. Raises ``PlanInvalid``."""
    return read_plan(path, Plan, expected=expected)


def plan_family(path: Path) -> str:
    """The family of the chain a plan is for. Raises ``PlanInvalid``."""
    family = _read(path).get("family")
    return family if isinstance(family, str) else ""


def read_plan(path: Path, kind: type[Kind], *, expected: str | None = None) -> Kind:
    """A plan of one family; ``expected`` is the digest it must have. Raises ``PlanInvalid``."""
    data = _read(path)
    try:
        if data["schema"] != SCHEMA or data["kind"] != KIND:
            raise ValueError("another kind of file, or a newer one")
        if data["family"] != kind.family:
            raise ValueError(f"it is for another family of chains: {data['family']}")
        plan = kind.from_json(data)
        if canonical(plan.to_json()) != canonical(data):
            raise ValueError("fields that a plan does not have")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _not_a_plan(path, error) from error
    found = sha256_hex(canonical(data))
    if expected is not None and found != expected:
        raise PlanInvalid(
            f"the plan has digest {found}, the journal names {expected}",
            where=Where(str(path)),
            remedy="Restore the file from version control.",
        )
    return plan


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = read_json(path.read_bytes())
    except OSError as error:
        raise PlanInvalid(
            f"the plan cannot be read: {error.strerror}",
            where=Where(str(path)),
            remedy="Make one: `ship plan --out FILE`.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _not_a_plan(path, error) from error
    if not isinstance(data, dict):
        raise _not_a_plan(path, ValueError("it is no object"))
    return data


def _not_a_plan(path: Path, error: Exception) -> PlanInvalid:
    return PlanInvalid(
        f"not a plan: {type(error).__name__}: {error}",
        where=Where(str(path)),
        remedy="Make one: `ship plan --out FILE`.",
    )


def refuse_stale(saved: Plan, now: Plan) -> None:
    """Refuse ``saved`` unless it rests on the same inputs as ``now``, a plan just made. Fees and gas may differ."""
    moved = [
        what
        for what, before, after in (
            ("the project", saved.project, now.project),
            ("the version", saved.version, now.version),
            ("the target", saved.target, now.target),
            ("the candidate", saved.promoted_from, now.promoted_from),
            ("the bundle", saved.bundle, now.bundle),
            ("the manifests", saved.inputs, now.inputs),
            ("the recorded state", saved.state, now.state),
            ("the chain", saved.body.chain, now.body.chain),
            ("the signer", saved.body.deployer, now.body.deployer),
            ("the signer's nonce", saved.body.observed["nonce"], now.body.observed["nonce"]),
            ("the limits", saved.body.limits, now.body.limits),
            ("the units", [u.to_json() for u in saved.body.units], [u.to_json() for u in now.body.units]),
            ("the checks", saved.body.checks, now.body.checks),
            ("the actions", _intent(saved), _intent(now)),
        )
        if before != after
    ]
    if moved:
        raise PlanStale(
            f"the saved plan is stale: since it was made, {', '.join(moved)} changed",
            remedy="Make a new plan, have it approved, and deploy that one.",
        )


def _intent(plan: Plan) -> list[dict[str, Any]]:
    """Everything about the actions that a person approves; gas is estimated anew each time."""
    return [{**action.to_json(), "gas_limit": None, "gas_estimate": None} for action in plan.body.actions]
