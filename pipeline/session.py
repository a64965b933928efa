"""A target opened for work: its lock, its chain, its journal, and what the journal says is live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chains.base import Clock, Row, SystemClock
from chains.errors import NeedsPerson, Refused, Where
from chains.evm.actions import EvmPlan
from chains.evm.chain import EvmChain
from chains.evm.fees import FeeCaps
from chains.evm.live import LiveUnit, live_units
from chains.evm.localnet import Localnet, running, start, stop
from chains.evm.node import quantity
from chains.evm.pricing import EvmPolicy
from chains.tools import find_tool
from pipeline.bundle import Bundle
from pipeline.createx import provide_createx
from pipeline.journal import Journal
from pipeline.lock import locked
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.plan import Envelope, Plan, load_plan
from pipeline.reaching import Reached, endpoint_urls, is_embedded, reach
from pipeline.state.local import ProjectState, TargetState
from pipeline.state.opening import opened_for_reading, opened_for_writing
from pipeline.ui.base import Ui

__all__ = [
    "JournalForeign",
    "Session",
    "accepted_plans",
    "embedded_chain",
    "open_session",
    "plan_file",
    "unfinished_plan",
]


class JournalForeign(Refused):
    """SHIP-J03: the journal belongs to another chain than the target now names."""

    code = "SHIP-J03"


class PlanMissing(NeedsPerson):
    """SHIP-J04: the journal names a plan whose file is gone."""

    code = "SHIP-J04"


@dataclass
class Session:
    """What every command on a target works with. ``journal`` is ``None`` when opened for reading only."""

    project: Project
    target: Target
    state: TargetState
    ui: Ui
    clock: Clock
    chain: EvmChain
    rows: Sequence[Row]
    journal: Journal | None
    plans: dict[str, Plan] = field(default_factory=dict)
    genesis_hash: str = ""

    def confirm_chain(self, deployer: str | None = None) -> None:
        """Hold the endpoints against the target and the journal; the first run writes down which chain this is."""
        self.genesis_hash = self.chain.confirm_identity(deployer)
        if self.journal is not None and self.chain.rpc.alone and not self.target.chain.local:
            self.ui.note(
                f"{self.target.name} has one RPC endpoint: nothing it says is confirmed by a second provider. ship waits "
                "longer instead; add another under [rpc] endpoints"
            )
        identity = {"chain_id": self.chain.identity.id, "genesis_hash": self.genesis_hash}
        opened = next((row.data for row in self.rows if row.kind == "open"), None)
        if opened is None:
            if self.journal is not None:
                self.journal.append("open", {"schema": 1, "target": self.target.name, "family": "evm", **identity})
            return
        known = {key: opened[key] for key in identity}
        if known != identity:
            local = self.target.chain.local
            raise JournalForeign(
                f"the journal of {self.target.name} belongs to chain {known['chain_id']} with genesis "
                f"{known['genesis_hash']}, the endpoint serves chain {identity['chain_id']} with {self.genesis_hash}",
                where=Where(str(self.state.journal)),
                remedy="`ship localnet reset` puts the old journal aside and begins anew."
                if local
                else "Point the target at the chain it was deployed to, or give the new chain a target of its own.",
            )

    def second_look(self, plan: Envelope, bundle: Bundle) -> None:
        """Have the plan's bytes read by a second reader, which must agree. Raises ``RenderersDisagree``."""
        from pipeline.approvals.second_look import second_look  # start-up: a run with nothing to do needs none of it

        assert isinstance(plan, Plan)
        second_look(plan, bundle)

    def render(self, plan: Envelope) -> str:
        """The plan for people."""
        from pipeline.plan_text import render_plan

        assert isinstance(plan, Plan)
        return render_plan(plan, self.chain.identity.currency)

    def know(self, plan: Envelope) -> None:
        """Remember a plan that was just accepted."""
        assert isinstance(plan, Plan)
        self.plans[plan.digest] = plan

    def chain_time_s(self, plan: Envelope | None = None) -> int | None:
        """Seconds since 1970 by the chain's own clock: now, or when ``plan`` was made; ``None`` if it does not say."""
        block = hex(plan.body.observed["block_number"]) if plan is not None else "latest"
        (answer,) = self.chain.rpc.read_all([("eth_getBlockByNumber", [block, False])])
        return quantity(answer["timestamp"]) if isinstance(answer, dict) else None

    def live(self) -> dict[str, LiveUnit]:
        """The recorded state, from every final transaction."""
        return live_units(self.rows, self.bodies())

    def births(self) -> dict[str, int]:
        """By unit, the block of its first final transaction."""
        units = {(d, a.id): a.unit for d, body in self.bodies().items() for a in body.actions}
        born: dict[str, int] = {}
        for row in self.rows:
            if row.kind == "tx.final":
                unit = units.get((row.data["plan"], row.data["action"]), "")
                born[unit] = min(row.data["block_number"], born.get(unit, row.data["block_number"]))
        return born

    def bodies(self) -> dict[str, EvmPlan]:
        return {digest: self.plan(digest).body for digest in accepted_plans(self.rows)}

    def plan(self, digest: str) -> Plan:
        """An accepted plan, by digest; its file is held against it."""
        if digest not in self.plans:
            self.plans[digest] = load_plan(plan_file(self.state, digest), expected=digest)
        return self.plans[digest]


def plan_file(state: TargetState, digest: str) -> Path:
    """The file of an accepted plan. Raises ``PlanMissing``."""
    path = state.plan(digest)
    if not path.exists():
        raise PlanMissing(
            f"the plan {digest[:12]}… that the journal names is missing",
            where=Where(str(path)),
            remedy="Restore deployments/ from version control: without it nothing can be resumed safely.",
        )
    return path


def accepted_plans(rows: Sequence[Row]) -> list[str]:
    """Digests of all plans that were ever accepted, oldest first."""
    return [row.data["plan"] for row in rows if row.kind == "plan.accepted"]


def unfinished_plan(rows: Sequence[Row]) -> str | None:
    """The digest of the accepted plan that was neither finished nor abandoned."""
    current: str | None = None
    for row in rows:
        if row.kind == "plan.accepted":
            current = row.data["plan"]
        elif row.kind in {"plan.finished", "plan.abandoned"}:
            current = None
    return current


def _policy(target: Target) -> EvmPolicy:
    policy = target.spec.policy
    return EvmPolicy(
        caps=FeeCaps(policy.max_fee_per_gas, policy.max_priority_fee_per_gas, policy.max_cost),
        finality=target.finality,
        window=1 if policy.staged else policy.window,
        gas_margin_bps=policy.gas_margin_bps,
        wait_s=float(policy.wait_s),
    )


@contextmanager
def embedded_chain(project: Project, target: Target, state: TargetState, *, owns: bool) -> Iterator[Localnet]:
    """The local chain, started if need be; stopped afterwards unless ``ship localnet up`` keeps it.

    One that a killed run left behind is used and then stopped too, by whoever holds the target's lock.
    """
    chain_id = target.chain.chain_id or 0
    already = running(state.localnet, chain_id)
    net = already or start(state.localnet, find_tool("anvil", project.root), chain_id=chain_id)
    try:
        yield net
    finally:
        if (already is None or owns) and not state.localnet_kept.exists():
            stop(net)


@contextmanager
def open_session(
    project: Project,
    target: Target,
    ui: Ui,
    *,
    purpose: str,
    write: bool,
    clock: Clock | None = None,
    reached: Reached | None = None,
) -> Iterator[Session]:
    """Open a target. With ``write`` its lock is held and its journal can be appended to. ``reached`` is from ``ask_ahead``.

    Raises ``TargetLocked``, ``JournalCorrupt``, ``NoEndpoint``, with shared state what opening that raises, and whatever the local chain raises.
    """
    clock = clock or SystemClock()
    state = ProjectState(project.root).target(target.name)
    with ExitStack() as stack:
        embedded = is_embedded(target)
        if write or (embedded and running(state.localnet, target.chain.chain_id or 0) is None):
            stack.enter_context(locked(state.lock, purpose))
        if embedded:
            urls = [stack.enter_context(embedded_chain(project, target, state, owns=write)).url]
            provide_createx(target, urls[0], clock)
        else:
            urls = [] if reached is not None else endpoint_urls(project, target)
        journal: Journal | None = None
        if write:
            journal = stack.enter_context(opened_for_writing(project, target, state, ui, clock, purpose))
            rows: Sequence[Row] = journal.rows
        else:
            rows = opened_for_reading(project, target, state, ui, purpose)
        if reached is None:
            reached = reach(project, target, urls, clock)
        chain = EvmChain(
            reached.rpc,
            reached.identity,
            _policy(target),
            clock,
            ui,
            lambda: find_tool("anvil", project.root),
            reached.confirmed,
        )
        yield Session(project, target, state, ui, clock, chain, rows, journal)
