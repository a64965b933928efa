"""An EVM chain as the pipeline uses it: planned for, sent to, proven and observed through one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Clock, Journal, Progress
from chains.errors import Refused
from chains.evm.actions import Action, EvmPlan, PlannedCheck
from chains.evm.handover import Heir, will_hold
from chains.evm.identity import ChainIdentity, agreed_account, confirm, guard
from chains.evm.l1_fee import with_l1_gas
from chains.evm.live import LiveUnit
from chains.evm.node import Head, Node
from chains.evm.observing import CheckResult, read_checks, read_slots
from chains.evm.planner import Draft, lay_out
from chains.evm.planning import Sources
from chains.evm.pricing import EvmPolicy, price
from chains.evm.script_units import Scripts
from chains.evm.sender import Sender, SendSettings, TransactionSigner
from chains.evm.simulate import SimulationUnsupported, intrinsic_gas, simulate
from chains.evm.units import EvmUnits
from chains.evm.verify.bytecode import runtime_problem
from chains.rpc import Rpc
from chains.tools import ToolMissing

__all__ = ["AbsurdGas", "EvmChain", "NoSimulation"]


class NoSimulation(Refused):
    """SHIP-E12: the node cannot simulate the plan."""

    code = "SHIP-E12"


class AbsurdGas(Refused):
    """SHIP-E13: an action needs more gas than a block has, or less than is possible."""

    code = "SHIP-E13"


def _no_simulation(reason: Exception | str) -> NoSimulation:
    return NoSimulation(
        f"the node cannot simulate the plan (eth_simulateV1): {reason}",
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

    def confirm_identity(self) -> str:
        """Check chain id and genesis block on every endpoint that answers; gives the genesis hash (``identity.confirm``)."""
        return confirm(self.rpc, self.identity, self.clock)

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
        draft = lay_out(units, sources, live, node, deployer=deployer, nonce=nonce, scripts=scripts)
        if draft.handover is not None:
            heir = self._heir(draft, draft.handover, deployer, head.timestamp_s, since or {})
            draft = lay_out(units, sources, live, node, deployer=deployer, nonce=nonce, scripts=scripts, heir=heir)
        actions = self._simulated(draft, deployer, head, [sources(u.source).abi for u in units.contracts])
        for action in actions:
            if action.gas_limit > head.gas_limit:
                raise AbsurdGas(
                    f"{action.id} needs {action.gas_limit} gas, a block has {head.gas_limit}",
                    remedy="Split the contract, or lower the gas margin if the estimate alone fits.",
                )
            # Refunds can take a fifth off; less than that no node would accept, and the transaction would hang.
            if action.gas_estimate < intrinsic_gas(action) * 4 // 5:
                raise AbsurdGas(
                    f"the node says {action.id} takes {action.gas_estimate} gas, its bytes alone cost "
                    f"{intrinsic_gas(action)}",
                    remedy="The endpoint's simulation is wrong. Use another one.",
                )
        l1_gas = 0
        if self.identity.fee_model == "arbitrum":
            actions, l1_gas = with_l1_gas(self.rpc, actions, sender=deployer)
        estimate, limits = price(self.rpc, self.identity, self.policy, actions, balance_wei=balance_wei, l1_gas=l1_gas)
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

    def _heir(self, draft: Draft, to: str, deployer: str, now_s: int, since: Mapping[str, int]) -> Heir:
        try:
            return will_hold(
                self.rpc, draft.actions, draft.live, draft.fresh, deployer=deployer, to=to, now_s=now_s, since=since
            )
        except SimulationUnsupported as error:
            raise _no_simulation(error) from error

    def _simulated(
        self, draft: Draft, deployer: str, head: Head, abis: Sequence[Sequence[Mapping[str, Any]]]
    ) -> tuple[Action, ...]:
        if not draft.actions:
            return ()
        margin = self.policy.gas_margin_bps
        try:
            return simulate(
                self.rpc,
                draft.actions,
                draft.checks,
                sender=deployer,
                now_s=head.timestamp_s,
                gas_margin_bps=margin,
                abis=abis,
            ).actions
        except SimulationUnsupported as error:
            reason = str(error)
            if self.anvil is None:
                raise _no_simulation(reason) from error
        from chains.evm.fork import simulate_on_fork  # needed where a node lacks the method, and by nobody else

        self.progress.note(f"the node has no usable eth_simulateV1 ({reason}): simulating on an anvil fork")
        try:
            return simulate_on_fork(
                self.rpc,
                self.anvil(),
                head,
                draft.actions,
                draft.checks,
                sender=deployer,
                gas_margin_bps=margin,
                abis=abis,
                clock=self.clock,
            ).actions
        except (SimulationUnsupported, ToolMissing) as error:
            raise _no_simulation(f"{reason}; {error}") from error

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
