"""What ``[policy]`` must satisfy beyond its shape: keys that cannot stand together, and rules not enforced yet."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.manifest.errors import Contradiction, ManifestInvalid, UnknownUnit, did_you_mean
from pipeline.manifest.policy_spec import CONTRACT_KEY, PolicySpec
from pipeline.manifest.validation import Locate

__all__ = ["policy_problems"]


def policy_problems(
    policy: PolicySpec, contracts: frozenset[str], locate: Locate, kind: str = "evm"
) -> Iterator[ManifestInvalid]:
    """Every problem of the policy by itself. ``contracts`` are the names a call rule may refer to, ``kind`` is the chain's."""
    most, priority = policy.max_fee_per_gas, policy.max_priority_fee_per_gas
    if most is not None and priority is not None and priority > most:
        yield Contradiction(
            "max-priority-fee-per-gas is above max-fee-per-gas.",
            remedy="The priority fee is a part of the fee: lower it.",
            where=locate(("policy", "max-priority-fee-per-gas")),
        )
    yield from _approvals(policy, locate)
    yield from _calls(policy, contracts, locate)
    yield from _of_the_other_family(policy, kind, locate)


_EVM_KEYS = (
    "max_fee_per_gas",
    "max_priority_fee_per_gas",
    "max_cost",
    "max_cost_per_day",
    "max_value_per_transaction",
    "max_value_per_release",
    "max_gas_per_transaction",
    "allow_actions",
    "calls",
)
_SOLANA_KEYS = ("max_lamports", "max_unit_price", "programs", "instructions")


def _of_the_other_family(policy: PolicySpec, kind: str, locate: Locate) -> Iterator[ManifestInvalid]:
    """A rule that this chain's transactions cannot be held against would only look like one."""
    for name in _EVM_KEYS if kind == "solana" else _SOLANA_KEYS:
        if getattr(policy, name) is not None:
            key = name.replace("_", "-")
            yield Contradiction(
                f"[policy] {key} means nothing on this chain, so that nothing would be held to it.",
                remedy="Remove it. On Solana: max-lamports, max-unit-price, programs, instructions."
                if kind == "solana"
                else "Remove it: it is a rule for Solana targets.",
                where=locate(("policy", key)),
            )


def _approvals(policy: PolicySpec, locate: Locate) -> Iterator[ManifestInvalid]:
    where = locate(("policy", "approvals"))
    if policy.approvals > 1 and not policy.approvers:
        yield Contradiction(
            f"{policy.approvals} approvals are wanted, and nobody is named who may give them.",
            remedy='Name them: approvers = { alice = "0x…", bob = "0x…" }.',
            where=where,
        )
    elif policy.approvers and policy.approvals > len(policy.approvers):
        yield Contradiction(
            f"{policy.approvals} approvals are wanted, and {len(policy.approvers)} approvers are named.",
            remedy="Name more approvers, or ask for fewer approvals.",
            where=where,
        )
    owners: dict[str, str] = {}
    for name, address in policy.approvers.items():
        if address in owners:
            yield Contradiction(
                f"{name} and {owners[address]} have the same key: one person would count twice.",
                remedy="Give each approver a key of their own.",
                where=locate(("policy", "approvers", name)),
            )
        owners.setdefault(address, name)


def _calls(policy: PolicySpec, contracts: frozenset[str], locate: Locate) -> Iterator[ManifestInvalid]:
    for callee in policy.calls or {}:
        match = CONTRACT_KEY.fullmatch(callee)
        if match and match[1] not in contracts:
            yield UnknownUnit(
                f'There is no contract "{match[1]}".{did_you_mean(match[1], contracts)}',
                remedy="Name a contract of ship.toml, or an address.",
                where=locate(("policy", "calls", callee)),
            )
