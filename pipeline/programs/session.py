"""A Solana target opened for work: its lock, its cluster, its journal, and what the journal says is live."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from chains.base import Clock, Row, SystemClock
from chains.errors import Where
from chains.rpc import Rpc
from chains.solana.idl import Idl
from chains.solana.live import LiveProgram, live_programs
from chains.solana.localnet import SolanaLocalnet, running, start, stop
from chains.solana.release import SolanaPlan
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from pipeline.bundle import Bundle, load_bundle
from pipeline.journal import Journal
from pipeline.lock import locked
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.plan import Envelope
from pipeline.programs.plan import ProgramPlan, load_program_plan
from pipeline.reaching import endpoint_urls, is_embedded, pool
from pipeline.session import JournalForeign, accepted_plans, plan_file
from pipeline.state.local import ProjectState, TargetState
from pipeline.state.opening import opened_for_reading, opened_for_writing
from pipeline.ui.base import Ui

__all__ = ["ProgramSession", "embedded_cluster", "idls_of", "open_program_session"]

_POLL_LOCAL_S = 0.05
_SLOT_S = 0.4


@dataclass
class ProgramSession:
    """What every command on a Solana target works with. ``journal`` is ``None`` when opened for reading only."""

    project: Project
    target: Target
    state: TargetState
    ui: Ui
    clock: Clock
    cluster: Cluster
    rows: Sequence[Row]
    journal: Journal | None
    settings: Settings
    plans: dict[str, ProgramPlan] = field(default_factory=dict)
    genesis_hash: str = ""

    @property
    def rpc(self) -> Rpc:
        return self.cluster.rpc

    def confirm_chain(self) -> None:
        """Hold the endpoints against the target and the journal; the first run writes down which cluster this is.

        Raises ``ClusterMismatch`` and ``JournalForeign``.
        """
        opened = next((row.data for row in self.rows if row.kind == "open"), None)
        pinned = self.target.chain.genesis
        self.genesis_hash = pinned or self.cluster.genesis_hash()
        self.cluster.hold_to(self.genesis_hash)
        if self.journal is not None and self.rpc.alone and not self.target.chain.local:
            self.ui.note(
                f"{self.target.name} has one RPC endpoint: nothing it says is confirmed by a second provider. ship waits "
                "longer instead; add another under [rpc] endpoints"
            )
        if opened is None:
            if self.journal is not None:
                family = {"family": "solana", "chain_id": None, "genesis_hash": self.genesis_hash}
                self.journal.append("open", {"schema": 1, "target": self.target.name, **family})
            return
        if opened["family"] != "solana" or opened["genesis_hash"] != self.genesis_hash:
            raise JournalForeign(
                f"the journal of {self.target.name} belongs to a chain with genesis {opened['genesis_hash']}, the endpoint "
                f"serves {self.genesis_hash}",
                where=Where(str(self.state.journal)),
                remedy="`ship localnet reset` puts the old journal aside and begins anew."
                if self.target.chain.local
                else "Point the target at the cluster it was deployed to, or give the new one a target of its own.",
            )

    def live(self) -> dict[str, LiveProgram]:
        """The recorded programs, from every final deployment."""
        return live_programs(self.rows, self.bodies())

    def bodies(self) -> dict[str, SolanaPlan]:
        return {digest: self.plan(digest).body for digest in accepted_plans(self.rows)}

    def plan(self, digest: str) -> ProgramPlan:
        """An accepted plan, by digest; its file is held against it."""
        if digest not in self.plans:
            self.plans[digest] = load_program_plan(plan_file(self.state, digest), expected=digest)
        return self.plans[digest]

    def know(self, plan: Envelope) -> None:
        """Remember a plan that was just accepted."""
        assert isinstance(plan, ProgramPlan)
        self.plans[plan.digest] = plan

    def second_look(self, plan: Envelope, bundle: Bundle) -> None:
        """Have the plan's instructions read by a second reader, which must agree. Raises ``RenderersDisagree``."""
        from pipeline.programs.second_look import second_look

        assert isinstance(plan, ProgramPlan)
        second_look(plan, bundle)

    def render(self, plan: Envelope) -> str:
        """The plan for people."""
        from pipeline.programs.text import render_program_plan

        assert isinstance(plan, ProgramPlan)
        return render_program_plan(plan)

    def chain_time_s(self, plan: Envelope | None = None) -> int | None:
        """Seconds since 1970 by the cluster's own clock: now, or when ``plan`` was made.

        A node need not know when a block was made (the local one does not for empty ones, others forget). Slots tell the age
        then, which is what this is asked for: at 0.4 s each, and a plan cannot make itself younger by them.
        """
        slot = self.cluster.height("confirmed").slot
        now_s = self.cluster.block_time_s(slot)
        if plan is None:
            return int(time.time()) if now_s is None else now_s
        made = plan.body.observed["slot"]
        made_s = self.cluster.block_time_s(made)
        if now_s is not None and made_s is not None:
            return made_s
        return (int(time.time()) if now_s is None else now_s) - int((slot - made) * _SLOT_S)

    def bundle(self, digest: str) -> Bundle:
        return load_bundle(self.state.project.bundles, digest)


def idls_of(bundle: Bundle) -> Mapping[str, Idl]:
    """The IDL of each program that has one."""
    from chains.jsontext import read_json

    found = {name: bundle.program(name, "idl.json") for name in bundle.programs}
    return {name: Idl(read_json(data)) for name, data in found.items() if data is not None}


@contextmanager
def embedded_cluster(project: Project, state: TargetState, *, owns: bool) -> Iterator[SolanaLocalnet]:
    """The local cluster, started if need be; stopped afterwards unless ``ship localnet up`` keeps it.

    One that a killed run left behind is used and then stopped too, by whoever holds the target's lock.
    """
    already = running(state.localnet)
    net = already or start(state.localnet, project.root)
    try:
        yield net
    finally:
        if (already is None or owns) and not state.localnet_kept.exists():
            stop(net)


def _settings(target: Target) -> Settings:
    policy, usual = target.spec.policy, Settings()
    cap = policy.max_unit_price
    return Settings(
        wait_s=float(policy.wait_s),
        price_cap_micro_lamports=usual.price_cap_micro_lamports if cap is None else cap,
        # A local cluster is on this machine, embedded or not: asking it often costs nobody anything.
        poll_s=_POLL_LOCAL_S if target.chain.local else usual.poll_s,
        resend_s=1.0 if target.chain.local else usual.resend_s,
    )


@contextmanager
def open_program_session(
    project: Project, target: Target, ui: Ui, *, purpose: str, write: bool, clock: Clock | None = None
) -> Iterator[ProgramSession]:
    """Open a Solana target. With ``write`` its lock is held and its journal can be appended to.

    Raises ``TargetLocked``, ``JournalCorrupt``, ``NoEndpoint``, with shared state what opening that raises, and whatever the local cluster raises.
    """
    clock = clock or SystemClock()
    state = ProjectState(project.root).target(target.name)
    with ExitStack() as stack:
        embedded = is_embedded(target)
        if write or (embedded and running(state.localnet) is None):
            stack.enter_context(locked(state.lock, purpose))
        if embedded:
            urls = [stack.enter_context(embedded_cluster(project, state, owns=write)).url]
        else:
            urls = endpoint_urls(project, target)
        journal: Journal | None = None
        if write:
            journal = stack.enter_context(opened_for_writing(project, target, state, ui, clock, purpose))
            rows: Sequence[Row] = journal.rows
        else:
            rows = opened_for_reading(project, target, state, ui, purpose)
        cluster = Cluster(pool(project, target, urls, clock))
        yield ProgramSession(project, target, state, ui, clock, cluster, rows, journal, _settings(target))
