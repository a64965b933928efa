"""The EVM body of a plan: ordered transactions, each with its whole payload and its predicted outcome.

The plan carries the payload itself, not a recipe for it: what is approved is what is signed (design law 2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from chains.canonical import sha256_hex
from chains.evm.proposal import Proposal

__all__ = ["Action", "ActionKind", "EvmPlan", "PlannedCheck", "PlannedUnit", "Reading", "Ready"]

ActionKind = Literal["create", "create2", "create3", "call", "proposal"]
Change = Literal["create", "upgrade", "replace", "adopt", "call", "unchanged", "skip"]


@dataclass(frozen=True)
class Ready:
    """A read that must return true before the action may be signed, such as a timelock's ``isOperationReady``."""

    to: str
    data: bytes
    delay_s: int

    def to_json(self) -> dict[str, Any]:
        return {"to": self.to, "data": "0x" + self.data.hex(), "delay_s": self.delay_s}


@dataclass(frozen=True)
class Reading:
    """A value the payload holds that was read from the chain: before signing, the same read must give ``answer`` again.

    ``settled``: no earlier action of the plan changes the answer. Otherwise it was read in the plan's simulation, and
    the action waits until its predecessors are mined.
    """

    to: str
    data: bytes
    answer: bytes
    call: str
    settled: bool

    @property
    def key(self) -> str:
        """Names the read, whatever it answers."""
        return f"{self.to.lower()}:0x{self.data.hex()}"

    def to_json(self) -> dict[str, Any]:
        return {
            "to": self.to,
            "data": "0x" + self.data.hex(),
            "answer": "0x" + self.answer.hex(),
            "call": self.call,
            "settled": self.settled,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reading:
        return cls(
            data["to"],
            bytes.fromhex(data["data"][2:]),
            bytes.fromhex(data["answer"][2:]),
            data["call"],
            data["settled"],
        )


@dataclass(frozen=True)
class Action:
    """One transaction. ``to is None`` creates; ``data`` is the whole payload.

    ``address`` is where a creation comes to lie; ``source`` the artifact it is made from; ``args`` the decoded
    arguments for people (name, type, value); ``effect`` what the action changes in the live state of ``unit`` once it
    is final; ``needs_code`` the addresses that must hold code when it is sent, since a call to an empty address
    succeeds silently; ``reads`` what the payload rests on. ``gas_limit`` is 0 until the simulation has filled it in.
    ``made_by`` is whom a constructor sees as ``msg.sender`` where a factory stands between. ``creates`` names contracts
    that come to be inside the transaction.

    A ``proposal`` is no transaction of the deployer's and uses no nonce: ``by``, a Safe, is to make the call, when its
    owners agree (``EvmPlan.proposals``). Its ``nonce`` is the deployer's next one.
    """

    id: str
    unit: str
    kind: ActionKind
    title: str
    nonce: int
    to: str | None
    value_wei: int
    data: bytes
    gas_limit: int = 0
    gas_estimate: int = 0
    address: str | None = None
    source: str | None = None
    args: tuple[Mapping[str, Any], ...] = ()
    effect: Mapping[str, Any] = field(default_factory=dict)
    needs_code: tuple[str, ...] = ()
    ready: Ready | None = None
    made_by: str | None = None
    creates: tuple[Mapping[str, Any], ...] = ()
    reads: tuple[Reading, ...] = ()
    by: str | None = None

    @property
    def payload_digest(self) -> str:
        """sha256 over recipient, value and data: what must not change between plan, signature and resend."""
        to = (self.to or "create").lower()
        return sha256_hex(f"{to}:{self.value_wei}:".encode() + self.data)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "unit": self.unit,
            "kind": self.kind,
            "title": self.title,
            "nonce": self.nonce,
            "to": self.to,
            "value_wei": str(self.value_wei),
            "data": "0x" + self.data.hex(),
            "payload_sha256": self.payload_digest,
            "gas_limit": self.gas_limit,
            "gas_estimate": self.gas_estimate,
            "address": self.address,
            "source": self.source,
            "args": [dict(a) for a in self.args],
            "effect": dict(self.effect),
            "needs_code": list(self.needs_code),
            "ready": self.ready.to_json() if self.ready else None,
            **({"made_by": self.made_by} if self.made_by else {}),
            **({"creates": [dict(c) for c in self.creates]} if self.creates else {}),
            **({"reads": [r.to_json() for r in self.reads]} if self.reads else {}),
            **({"by": self.by} if self.by else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Action:
        ready = data["ready"]
        return cls(
            id=data["id"],
            unit=data["unit"],
            kind=data["kind"],
            title=data["title"],
            nonce=data["nonce"],
            to=data["to"],
            value_wei=int(data["value_wei"]),
            data=bytes.fromhex(data["data"][2:]),
            gas_limit=data["gas_limit"],
            gas_estimate=data["gas_estimate"],
            address=data["address"],
            source=data["source"],
            args=tuple(data["args"]),
            effect=data["effect"],
            needs_code=tuple(data["needs_code"]),
            ready=Ready(ready["to"], bytes.fromhex(ready["data"][2:]), ready["delay_s"]) if ready else None,
            made_by=data.get("made_by"),
            creates=tuple(data.get("creates", ())),
            reads=tuple(Reading.from_json(r) for r in data.get("reads", ())),
            by=data.get("by"),
        )


@dataclass(frozen=True)
class PlannedUnit:
    """What the plan does about one unit. ``after`` is its live state when the plan is done."""

    name: str
    change: Change
    reason: str
    after: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "change": self.change, "reason": self.reason, "after": dict(self.after)}


@dataclass(frozen=True)
class PlannedCheck:
    """A post-deploy read. ``expected`` is the ABI encoding of the value that must come back."""

    name: str
    to: str
    call: str
    data: bytes
    outputs: tuple[str, ...]
    expected: bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "to": self.to,
            "call": self.call,
            "data": "0x" + self.data.hex(),
            "outputs": list(self.outputs),
            "expected": "0x" + self.expected.hex(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlannedCheck:
        return cls(
            data["name"],
            data["to"],
            data["call"],
            bytes.fromhex(data["data"][2:]),
            tuple(data["outputs"]),
            bytes.fromhex(data["expected"][2:]),
        )


@dataclass(frozen=True)
class EvmPlan:
    """Everything that is to happen on one EVM chain, and the observation it rests on.

    ``limits`` and ``estimate`` hold wei amounts as decimal strings, gas as integers. ``observed`` names the block the
    plan was made at and every answer it used, so that the plan is a function of its inputs. ``handover`` is who the
    deployer's rights are to have moved to when the release is complete.
    """

    chain: Mapping[str, Any]
    deployer: str
    actions: tuple[Action, ...]
    units: tuple[PlannedUnit, ...]
    checks: tuple[PlannedCheck, ...]
    limits: Mapping[str, Any]
    estimate: Mapping[str, Any]
    observed: Mapping[str, Any]
    proposals: tuple[Proposal, ...] = ()
    handover: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "chain": dict(self.chain),
            "deployer": self.deployer,
            "actions": [a.to_json() for a in self.actions],
            "units": [u.to_json() for u in self.units],
            "checks": [c.to_json() for c in self.checks],
            "limits": dict(self.limits),
            "estimate": dict(self.estimate),
            "observed": dict(self.observed),
            **({"proposals": [p.to_json() for p in self.proposals]} if self.proposals else {}),
            **({"handover": self.handover} if self.handover else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvmPlan:
        return cls(
            chain=data["chain"],
            deployer=data["deployer"],
            actions=tuple(Action.from_json(a) for a in data["actions"]),
            units=tuple(PlannedUnit(u["name"], u["change"], u["reason"], u["after"]) for u in data["units"]),
            checks=tuple(PlannedCheck.from_json(c) for c in data["checks"]),
            limits=data["limits"],
            estimate=data["estimate"],
            observed=data["observed"],
            proposals=tuple(Proposal.from_json(p) for p in data.get("proposals", ())),
            handover=data.get("handover"),
        )
