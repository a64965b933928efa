"""An EVM chain as the pipeline uses it: planned for, sent to, proven and observed through one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Clock, Journal, Progress
from chains.errors import Refused
from chains.evm.actions import EvmPlan, PlannedCheck
from chains.evm.gas_limits import GasCap, simulated
from chains.evm.handover import Heir, will_hold
from chains.evm.identity import ChainIdentity, agreed_account, confirm, guard
from chains.evm.l1_fee import with_l1_gas
from chains.evm.live import LiveUnit
from chains.evm.node import Head, Node
from chains.evm.observing import CheckResult, read_checks, read_slots
from chains.evm.planner import Draft, lay_out
from chains.evm.planning import Sources
from chains.evm.pricing import EvmPolicy, price
from chains.evm.scene import SimulationUnsupported
from chains.evm.script_units import Scripts
from chains.evm.sender import Sender, SendSettings, TransactionSigner
from chains.evm.simulator import Simulator
from chains.evm.units import EvmUnits
from chains.evm.verify.bytecode import runtime_problem
from chains.rpc import Rpc

__all__ = ["EvmChain", "NoSimulation"]


class NoSimulation(Refused):
    """SHIP-E12: no way to simulate the plan is left."""

    code = "SHIP-E12"


def _no_simulation(reason: Exception | str) -> NoSimulation:
    return NoSimulation(
        f"the plan cannot be simulated: {reason}",
        remedy="Use an endpoint that serves eth_simulateV1 (geth, reth, nethermind, anvil do), or install anvil: ship "
        "then simulates on a fork.",
    )


@dataclass
class EvmChain:
    """One chain reached through one set of endpoints. ``anvil`` finds the program that forks it, where that is needed."""

    rpc: Rpc
    identity: ChainIdentity
    policy: EvmPolicy
    clock: Clock
    progress: Progress
    anvil: Callable[[], Path] | None = None
    confirmed: Callable[[str], str] | None = None

    def confirm_identity(self, deployer: str | None = None) -> str:
        """Check chain id and genesis block on every endpoint that answers; gives the genesis hash (``identity.confirm``).

        What a plan for ``deployer`` will ask is asked along.
        """
        if deployer is not None and self.confirmed is not None:
            return self.confirmed(deployer)
        return confirm(self.rpc, self.identity, self.clock)

    def account(self, deployer: str) -> tuple[int, int, Head]:
        """Nonce, balance and head, as of a moment ago at most and without a second opinion: for looking, not for planning."""
        return Node(self.rpc).account(deployer, max_age_s=self.identity.moment_s)

    def simulator(self, sender: str, head: Head | None = None) -> Simulator:
        """What tries plans for ``sender``, to be closed afterwards; on ``head`` where that was just read."""
        simulator = Simulator(self.rpc, sender, self.clock, self.progress, self.anvil)
        if head is not None:
            simulator.rest_on(head)
        return simulator

    def plan(
        self,
        units: EvmUnits,
        sources: Sources,
        live: Mapping[str, LiveUnit],
        *,
        deployer: str,
        genesis_hash: str,
        scripts: Scripts | None = None,
        since: Mapping[str, int] | None = None,
    ) -> EvmPlan:
        """Lay out, simulate, price. ``since`` gives the block of each live unit. Raises the ``Refused`` of whatever does
        not fit."""
        node = Node(self.rpc)
        nonce, balance_wei, head = agreed_account(self.rpc, self.identity, self.clock, deployer)
        with self.simulator(deployer, head) as simulator:

            def drafted(heir: Heir | None = None) -> Draft:
                return lay_out(
                    units, sources, live, node, deployer=deployer, nonce=nonce, scripts=scripts, heir=heir,
                    simulator=simulator,
                )  # fmt: skip

            draft = drafted()
            try:
                if draft.handover is not None:
                    draft = drafted(
                        will_hold(simulator, draft, deployer=deployer, to=draft.handover, since=since or {})
                    )
                shown = simulated(
                    simulator,
                    draft.actions,
                    draft.checks,
                    gas_margin_bps=self.policy.gas_margin_bps,
                    cap=GasCap(head.gas_limit, self.identity.transaction_gas_cap),
                    abis=[sources(u.source).abi for u in units.contracts],
                    tell=self.progress.note,
                )
            except SimulationUnsupported as error:
                raise _no_simulation(error) from error
        actions = shown.actions
        l1_gas = 0
        if self.identity.fee_model == "arbitrum":
            actions, l1_gas = with_l1_gas(self.rpc, actions, sender=deployer)
        estimate, limits = price(self.rpc, self.identity, self.policy, actions, balance_wei=balance_wei, l1_gas=l1_gas)
        if actions:
            estimate |= {"simulated_by": shown.way, "limits_tried": shown.tried}
        return EvmPlan(
            chain={"name": self.identity.name, "id": self.identity.id, "genesis_hash": genesis_hash},
            deployer=deployer,
            actions=actions,
            units=draft.units,
            checks=draft.checks,
            limits=limits,
            estimate=estimate,
            observed={
                "block_number": head.number,
                "block_hash": head.hash,
                "nonce": nonce,
                "balance_wei": str(balance_wei),
                "reads": [dict(r) for r in draft.reads],
            },
            proposals=draft.proposals,
            handover=draft.handover,
        )

    def sender(
        self, plan: EvmPlan, digest: str, journal: Journal, signer: TransactionSigner, sources: Sources
    ) -> Sender:
        """What carries ``plan`` out; see ``Sender.run``."""
        local = self.identity.block_time_s <= 0
        guard(self.rpc, self.identity, plan.chain["genesis_hash"])
        return Sender(
            rpc=self.rpc,
            journal=journal,
            signer=signer,
            clock=self.clock,
            progress=self.progress,
            plan=plan,
            digest=digest,
            settings=SendSettings(
                finality=self.policy.finality,
                window=self.policy.window,
                wait_s=self.policy.wait_s,
                poll_s=0.02 if local else max(0.1, min(self.identity.block_time_s / 8, 3.0)),
                resend_after_s=1.0 if local else max(2.0, 2 * self.identity.block_time_s),
                stuck_after_s=30.0 if local else max(30.0, 10 * self.identity.block_time_s),
                foreign_after_s=5.0 if local else max(30.0, 10 * self.identity.block_time_s),
                legacy_fees=self.identity.legacy_fees,
                moment_s=self.identity.moment_s,
                second_look_s=0.0 if local or self.identity.local else max(1.0, min(self.identity.block_time_s, 15.0)),
            ),
            caps=self.policy.caps.within(plan.limits),
            prove=lambda action, code: runtime_problem(sources(str(action.source)), action, code),
            abis=[sources(a.source).abi for a in plan.actions if a.source],
        )

    def check(self, checks: Sequence[PlannedCheck]) -> list[CheckResult]:
        """Read every check in one batch."""
        return read_checks(self.rpc, checks)

    def check_slots(self, units: Iterable[LiveUnit]) -> list[CheckResult]:
        """Hold the raw slots of every proxy against the record."""
        return read_slots(self.rpc, units)
