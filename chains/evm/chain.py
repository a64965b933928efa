"""An EVM chain as the pipeline uses it: planned for, sent to, proven and observed through one object."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.base import Clock, Journal, Progress
from chains.errors import Refused, Resumable
from chains.evm.actions import Action, EvmPlan, PlannedCheck
from chains.evm.address import checksum
from chains.evm.fees import CostAboveCap, FeeCaps, InsufficientFunds, current_fees, ether
from chains.evm.handover import Heir, will_hold
from chains.evm.l1_fee import l1_fee, with_l1_gas
from chains.evm.live import LiveUnit
from chains.evm.looking import Finality
from chains.evm.node import Head, Node, WrongChain, check_identity, data_or_nothing, hold_genesis, quantity
from chains.evm.planner import Draft, lay_out
from chains.evm.planning import Sources
from chains.evm.proxies import expected_slots
from chains.evm.script_units import Scripts
from chains.evm.sender import Sender, SendSettings, TransactionSigner
from chains.evm.simulate import SimulationUnsupported, intrinsic_gas, shown, simulate
from chains.evm.units import EvmUnits
from chains.evm.verify.bytecode import runtime_problem
from chains.rpc import Endpoint, Rpc, RpcDown, RpcFault, RpcUnknown
from chains.tools import ToolMissing

__all__ = ["ChainIdentity", "CheckResult", "EvmChain", "EvmPolicy", "NoSimulation", "ProvidersDisagree"]


class NoSimulation(Refused):
    """SHIP-E12: the node cannot simulate the plan."""

    code = "SHIP-E12"


class AbsurdGas(Refused):
    """SHIP-E13: an action needs more gas than a block has, or less than is possible."""

    code = "SHIP-E13"


class ProvidersDisagree(Resumable):
    """SHIP-N06: two providers say different things about what only one answer can be true of."""

    code = "SHIP-N06"


def _only_checked(endpoint: Endpoint, chain_id: int, genesis_hash: str) -> None:
    check_identity(endpoint, chain_id, genesis_hash)


def _no_simulation(reason: Exception | str) -> NoSimulation:
    return NoSimulation(
        f"the node cannot simulate the plan (eth_simulateV1): {reason}",
        remedy="Use an endpoint that serves eth_simulateV1 (geth, reth, nethermind, anvil do), or install anvil: ship "
        "then simulates on a fork.",
    )


@dataclass(frozen=True)
class ChainIdentity:
    """Which chain this is. ``genesis_hash`` is ``None`` where the target does not pin it; ``local``: nobody else's."""

    name: str
    id: int
    genesis_hash: str | None
    currency: str
    block_time_s: float
    legacy_fees: bool = False
    local: bool = False
    fee_model: str = "eip1559"


@dataclass(frozen=True)
class EvmPolicy:
    """The target's limits: fee caps in wei, finality rule, window, gas margin in percent, patience in seconds."""

    caps: FeeCaps
    finality: Finality
    window: int
    gas_margin_bps: int
    wait_s: float


@dataclass(frozen=True)
class CheckResult:
    """One post-deploy read. ``found`` is decoded for people."""

    name: str
    call: str
    to: str
    found: str
    passed: bool

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


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
        """Check chain id and genesis block on every endpoint that answers; gives the genesis hash.

        One that is down is put aside, and checked before its word counts once it is back. Raises ``WrongChain`` if one
        serves another chain, ``RpcDown`` if none answers within the patience of the run.
        """
        deadline_s = self.clock.monotonic_s() + self.rpc.patience_s
        while True:
            genesis, problems = self._identities()
            if genesis is not None:
                self.guard(genesis)
                self._confirm_relays()
                return genesis
            if self.clock.monotonic_s() >= deadline_s:
                break
            self.clock.sleep_s(min(1.0, self.rpc.patience_s / 10))
        raise RpcDown(
            f"no endpoint of {self.identity.name} answers: {'; '.join(problems)}",
            done="Nothing was sent.",
            remedy="Check the target's [rpc] endpoints; `ship doctor` tries each of them.",
        )

    def guard(self, genesis_hash: str) -> None:
        """From now on an endpoint that was away is held against chain id and genesis before its word counts."""
        self.rpc.guard = lambda endpoint: _only_checked(endpoint, self.identity.id, genesis_hash)

    def _identities(self) -> tuple[str | None, list[str]]:
        """The genesis hash all endpoints that answer agree on, asked side by side, and what the others said."""

        def ask(endpoint: Endpoint) -> str | RpcUnknown:
            try:
                return check_identity(endpoint, self.identity.id, self.identity.genesis_hash)
            except RpcUnknown as error:
                return error

        endpoints = self.rpc.endpoints
        if self.rpc.alone:
            answers = [ask(endpoint) for endpoint in endpoints]
        else:
            with ThreadPoolExecutor(max_workers=min(len(endpoints), 8)) as threads:
                answers = list(threads.map(ask, endpoints))
        genesis, problems = None, []
        for endpoint, answer in zip(endpoints, answers, strict=True):
            if isinstance(answer, RpcUnknown):
                self.rpc.put_aside(endpoint)
                problems.append(str(answer))
                continue
            genesis = genesis or answer
            hold_genesis(endpoint, answer, genesis, self.identity.id)
        return genesis, problems

    def _confirm_relays(self) -> None:
        """A relay that says which chain it serves must serve this one. Not every relay answers reads."""
        for relay in self.rpc.submit:
            try:
                answer = relay.batch([("eth_chainId", [])])[0]
                found = quantity(answer)
            except (RpcUnknown, ValueError):
                continue
            if found != self.identity.id:
                raise WrongChain(
                    f"the relay {relay.label} serves chain {found}, the target names chain {self.identity.id}",
                    remedy="Correct `submit` under the target's [rpc].",
                )

    def _account(self, deployer: str) -> tuple[int, int, Head]:
        """Nonce, balance and head. Addresses follow from the nonce, so two providers must give the same one (design
        law 3); one that is a block behind catches up within moments. Raises ``ProvidersDisagree`` if it does not.
        """
        deadline_s = self.clock.monotonic_s() + max(10.0, 3 * self.identity.block_time_s)
        request: list[tuple[str, list[Any]]] = [("eth_getTransactionCount", [deployer, "latest"])]
        while True:
            account = Node(self.rpc).account(deployer)
            others = {}
            for label, answers in self.rpc.second_words(request, than=self.rpc.answered_by):
                with contextlib.suppress(ValueError):
                    others[label] = quantity(answers[0])
                if others.get(label) == account[0]:
                    return account
            if not others:
                return account
            if self.clock.monotonic_s() >= deadline_s:
                said = ", ".join(f"{label} says {count}" for label, count in others.items())
                raise ProvidersDisagree(
                    f"the providers disagree about the next nonce of {deployer}: {account[0]}, but {said}",
                    done="Nothing was sent.",
                    remedy="Wait until the deployer has no transaction on its way, then run again; a provider that stays "
                    "behind has to be replaced.",
                )
            self.clock.sleep_s(max(0.25, min(self.identity.block_time_s / 2, 3.0)))

    # -- plan ----------------------------------------------------------------------------------------------------

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
        nonce, balance_wei, head = self._account(deployer)
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
        estimate, limits = self._price(actions, balance_wei, l1_gas)
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

    def _price(self, actions: Sequence[Action], balance_wei: int, l1_gas: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """``(estimate, limits)``. Raises ``InsufficientFunds`` and ``CostAboveCap`` for the worst case."""
        caps = self.policy.caps
        limits: dict[str, Any] = {
            "max_fee_per_gas_wei": str(caps.max_fee_wei) if caps.max_fee_wei is not None else None,
            "max_priority_fee_per_gas_wei": str(caps.max_priority_wei) if caps.max_priority_wei is not None else None,
            "max_cost_wei": str(caps.max_cost_wei) if caps.max_cost_wei is not None else None,
            "gas_margin_bps": self.policy.gas_margin_bps,
        }
        actions = [a for a in actions if a.kind != "proposal"]  # who executes them pays for them
        if not actions:
            return {"gas": 0, "cost_wei": "0", "worst_cost_wei": "0"}, limits
        fees, base_wei = current_fees(self.rpc, caps, legacy=self.identity.legacy_fees)
        value_wei = sum(a.value_wei for a in actions)
        gas, gas_limit = sum(a.gas_estimate for a in actions), sum(a.gas_limit for a in actions)
        price_wei = min(base_wei + (fees.priority_wei or 0), fees.max_wei)
        data_fee = l1_fee(self.rpc, self.identity.fee_model, actions, fees, chain_id=self.identity.id)
        worst_wei = gas_limit * fees.max_wei + value_wei + data_fee.worst_wei
        estimate = {
            "base_fee_wei": str(base_wei),
            **{key: str(value) if value is not None else None for key, value in fees.to_json().items()},
            "gas": gas,
            "value_wei": str(value_wei),
            "cost_wei": str(gas * price_wei + value_wei + data_fee.expected_wei),
            "worst_cost_wei": str(worst_wei),
        }
        if self.identity.fee_model in {"op-stack", "scroll"}:
            estimate |= {"l1_fee_wei": str(data_fee.expected_wei), "worst_l1_fee_wei": str(data_fee.worst_wei)}
        elif self.identity.fee_model == "arbitrum":  # part of the gas, and of the cost above
            estimate |= {"l1_gas": l1_gas, "l1_fee_wei": str(l1_gas * price_wei)}
        symbol = self.identity.currency
        if caps.max_cost_wei is not None and worst_wei > caps.max_cost_wei:
            raise CostAboveCap(
                f"the plan may cost {ether(worst_wei, symbol)}, the policy allows {ether(caps.max_cost_wei, symbol)}",
                remedy="Wait for lower fees, or raise `max-cost` under [policy].",
            )
        if worst_wei > balance_wei:
            raise InsufficientFunds(
                f"the deployer has {ether(balance_wei, symbol)}, the plan may cost {ether(worst_wei, symbol)}",
                remedy=f"Send it at least {ether(worst_wei - balance_wei, symbol)}, then run again.",
            )
        return estimate, limits

    # -- send ----------------------------------------------------------------------------------------------------

    def sender(
        self, plan: EvmPlan, digest: str, journal: Journal, signer: TransactionSigner, sources: Sources
    ) -> Sender:
        """What carries ``plan`` out; see ``Sender.run``."""
        local = self.identity.block_time_s <= 0
        self.guard(plan.chain["genesis_hash"])
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

    # -- prove and observe ---------------------------------------------------------------------------------------

    def check(self, checks: Sequence[PlannedCheck]) -> list[CheckResult]:
        """Read every check in one batch."""
        requests: list[tuple[str, list[Any]]] = [
            ("eth_call", [{"to": c.to, "input": "0x" + c.data.hex()}, "latest"]) for c in checks
        ]
        results = []
        for check, answer in zip(checks, self.rpc.read_all(requests), strict=True):
            if isinstance(answer, RpcFault):
                results.append(CheckResult(check.name, check.call, check.to, f"reverted: {answer.message}", False))
                continue
            raw = data_or_nothing(answer)
            results.append(CheckResult(check.name, check.call, check.to, shown(check, raw), raw == check.expected))
        return results

    def check_slots(self, units: Iterable[LiveUnit]) -> list[CheckResult]:
        """Read implementation, admin and beacon slots of every proxy raw, and hold them against the record."""
        wanted = [
            (unit, name, slot, expected)
            for unit in units
            if unit.address
            for name, slot, expected in expected_slots(unit)
        ]
        requests: list[tuple[str, list[Any]]] = [
            ("eth_getStorageAt", [unit.address, slot, "latest"]) for unit, _, slot, _ in wanted
        ]
        results = []
        for (unit, name, _, expected), answer in zip(wanted, self.rpc.read_all(requests), strict=True):
            raw = data_or_nothing(answer)
            found = checksum(raw[-20:].rjust(20, b"\0"))
            results.append(
                CheckResult(f"{unit.name}.{name}", f"{name} slot", str(unit.address), found, found == expected)
            )
        return results
