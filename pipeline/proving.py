"""Proving everything that is live on a target, whichever of its plans put it there.

Used by the verify step of a deployment and by ``ship verify``, so that both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.base import Row
from chains.canonical import sha256_hex
from chains.errors import ShipError
from chains.evm.actions import Action
from chains.evm.artifacts import Artifact
from chains.evm.live import LiveUnit, live_units
from chains.evm.node import data_or_nothing
from chains.evm.verify.bytecode import Proof, proof_of, proof_requests, runtime_problem
from chains.rpc import Request, Rpc
from pipeline.adopting.evidence import Made, adopted_creations
from pipeline.bundle import Bundle
from pipeline.plan import Plan

__all__ = ["Bundles", "Creation", "Proven", "live_creations", "prove_live"]

Bundles = Callable[[str], Bundle]
"""Gives the bundle of a digest, every file checked; raises ``BundleMissing`` or ``BundleDamaged``."""

_SALT = bytes(32)


@dataclass(frozen=True)
class Creation:
    """One live contract and where it comes from.

    ``part`` is ``address``, ``implementation`` or ``beacon``, of a script the rest of its action's id. ``action`` is the
    creating one; ``None`` when the contract was there already and was adopted: then ``source`` and ``init_code_sha256``
    are what is known of it, if anything, and ``made`` how the adoption, or a trace, saw it being created. ``seen_in`` is the
    transaction of ours inside which a contract created it.
    """

    unit: str
    part: str
    address: str
    plan: Plan
    action: Action | None
    transaction: str | None
    source: str | None
    init_code_sha256: str | None
    made: Made | None = None
    seen_in: str | None = None

    @property
    def name(self) -> str:
        return self.unit if self.part == "address" else f"{self.unit}.{self.part}"


@dataclass(frozen=True)
class Proven:
    """What came out for one live contract. ``proof`` is ``None`` when nothing could be read; ``error`` says why."""

    creation: Creation
    proof: Proof | None
    error: ShipError | None = None
    reason: str = ""

    @property
    def state(self) -> str:
        if self.proof is None:
            return "missing" if self.error else "unproven"
        return "failed" if self.proof.problems else "proven"

    def to_json(self) -> dict[str, Any]:
        creation = self.creation
        return {
            "unit": creation.unit,
            "part": creation.part,
            "address": creation.address,
            "version": creation.plan.version,
            "bundle": creation.plan.bundle,
            "plan": creation.plan.digest,
            "transaction": creation.transaction,
            "state": self.state,
            "proof": self.proof.to_json() if self.proof else None,
            "reason": self.error.cause if self.error else self.reason or None,
        }


def live_creations(rows: Sequence[Row], plans: Mapping[str, Plan]) -> list[Creation]:
    """Every contract that is live by the journal: of each unit its address, implementation and beacon.

    ``plans`` holds all plans that were ever accepted, by digest. What a later release replaced is not live.
    """
    made: dict[str, tuple[Plan, Action, str | None]] = {}
    touched: dict[str, Plan] = {}
    for row in rows:
        if row.kind == "tx.final":
            plan = plans[row.data["plan"]]
            action = next((a for a in plan.body.actions if a.id == row.data["action"]), None)
            if action is None:
                continue  # the execution of a proposal creates nothing
            touched[action.unit] = plan
            if action.address:
                made[action.address.lower()] = (plan, action, row.data["hash"])
        elif row.kind == "unit.adopted":
            plan = touched[row.data["unit"]] = plans[row.data["plan"]]
            made |= _made_by_others(row, plan)
    live = live_units(rows, {digest: plan.body for digest, plan in plans.items()})
    seen = adopted_creations(rows)
    creations = []
    for unit in live.values():
        for part, address, source, init_code in _parts(unit):
            if address.lower() in made:
                plan, action, transaction = made[address.lower()]
                creation = Creation(unit.name, part, address, plan, action, transaction, action.source, None)
            else:
                how = seen.get(address.lower())
                known = how.source if how else source
                creation = Creation(unit.name, part, address, touched[unit.name], None, None, known, init_code, how)
            creations.append(creation)
        if unit.done is not None:  # a script: each contract it deployed is a part, called as its action
            for address in unit.created.values():
                plan, action, transaction = made[address.lower()]
                part = action.id.removeprefix(f"{unit.name}.")
                creations.append(Creation(unit.name, part, address, plan, action, transaction, action.source, None))
    return creations


def _made_by_others(row: Row, plan: Plan) -> dict[str, tuple[Plan, Action, str | None]]:
    """The contract that came to a creation's address while the plan was being sent: by no transaction of ours."""
    actions = [a for a in plan.body.actions if a.address and a.id == row.data.get("action")]
    return {str(action.address).lower(): (plan, action, None) for action in actions}


def _parts(unit: LiveUnit) -> Iterator[tuple[str, str, str | None, str | None]]:
    """``(part, address, source, sha256 of init code)``; the two last as far as the live state knows them."""
    plain = unit.proxy == "none"
    if unit.address:
        yield "address", unit.address, unit.source if plain else None, unit.init_code
    if unit.implementation:
        yield "implementation", unit.implementation, unit.implementation_source, unit.implementation_init_code
    if unit.beacon:
        yield "beacon", unit.beacon, None, None


def prove_live(rpc: Rpc, creations: Iterable[Creation], bundles: Bundles) -> Iterator[Proven]:
    """Prove each against the bundle it was deployed from: runtime, creation input, re-execution; all read in one batch.

    A bundle that is missing or damaged is an answer too (``Proven.error``), so that the rest is still proven.
    Raises ``RpcDown``.
    """
    loaded: dict[str, Bundle | ShipError] = {}
    prepared = [_prepared(creation, bundles, loaded) for creation in creations]
    requests = [request for one in prepared if isinstance(one, _Ready) for request in one.requests]
    answers = iter(rpc.read_all(requests))
    for one in prepared:
        if isinstance(one, Proven):
            yield one
        else:
            own = [next(answers) for _ in one.requests]
            yield Proven(one.creation, one.proof(own))


@dataclass(frozen=True)
class _Ready:
    """A creation that can be proven: what to ask, and against what to hold the answers."""

    creation: Creation
    artifact: Artifact
    action: Action
    whole: bool

    @property
    def requests(self) -> list[Request]:
        made = self.creation.made
        sender = made.creator if made else self.creation.plan.body.deployer
        asked = proof_requests(self.action, sender=sender, transaction_hash=self.creation.transaction)
        return asked if self.whole else asked[:1]

    def proof(self, answers: list[Any]) -> Proof:
        if self.whole:
            return proof_of(self.artifact, self.action, answers, transaction_hash=self.creation.transaction)
        problem = runtime_problem(self.artifact, self.action, data_or_nothing(answers[0]))
        return Proof(
            unit=self.creation.unit,
            action=self.creation.name,
            address=self.creation.address,
            source=self.artifact.source,
            runtime="mismatch" if problem else "match",
            creation="match",
            reexecution="unavailable",
            problems=(problem,) if problem else (),
        )


def _prepared(creation: Creation, bundles: Bundles, loaded: dict[str, Bundle | ShipError]) -> _Ready | Proven:
    digest = creation.plan.bundle
    if digest not in loaded:
        try:
            loaded[digest] = bundles(digest)
        except ShipError as error:
            loaded[digest] = error
    bundle = loaded[digest]
    if isinstance(bundle, ShipError):
        return Proven(creation, None, bundle)
    if creation.source is None:
        return Proven(creation, None, reason="it was there before, and nothing is recorded of how it was made")
    try:
        artifact = bundle.artifact(creation.source)
    except ShipError as error:
        return Proven(creation, None, error)
    if creation.action is not None:
        return _Ready(creation, artifact, creation.action, whole=True)
    return _adopted(creation, artifact)


def _adopted(creation: Creation, artifact: Artifact) -> _Ready | Proven:
    """Of an adopted contract there is no transaction of ours: its runtime code, and re-execution where it took no arguments."""
    if creation.made is not None:
        action = creation.made.action(creation.unit, creation.name, creation.address, artifact)
        return _Ready(creation, artifact, action, whole=True)
    if artifact.creation_links:
        return Proven(creation, None, reason="it was there before, and which libraries it links is not recorded")
    action = Action(
        id=creation.name,
        unit=creation.unit,
        kind="create2",
        title="",
        nonce=0,
        to=None,
        value_wei=0,
        data=_SALT + artifact.creation_code,
        address=creation.address,
        source=artifact.source,
    )
    whole = sha256_hex(artifact.creation_code) == creation.init_code_sha256
    return _Ready(creation, artifact, action, whole=whole)
