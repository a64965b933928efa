"""What ``[policy]`` must satisfy beyond its shape: keys that cannot stand together, and rules not enforced yet."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.manifest.errors import Contradiction, ManifestInvalid, NotBuiltYet, UnknownUnit, did_you_mean
from pipeline.manifest.policy_spec import CONTRACT_KEY, PolicySpec
from pipeline.manifest.validation import Locate

__all__ = ["policy_problems"]


def policy_problems(policy: PolicySpec, contracts: frozenset[str], locate: Locate) -> Iterator[ManifestInvalid]:
    """Every problem of the policy by itself. ``contracts`` are the names a call rule may refer to."""
    most, priority = policy.max_fee_per_gas, policy.max_priority_fee_per_gas
    if most is not None and priority is not None and priority > most:
        yield Contradiction(
            "max-priority-fee-per-gas is above max-fee-per-gas.",
            remedy="The priority fee is a part of the fee: lower it.",
            where=locate(("policy", "max-priority-fee-per-gas")),
        )
    yield from _approvals(policy, locate)
    yield from _calls(policy, contracts, locate)
    for key in ("programs", "instructions"):
        if getattr(policy, key) is not None:
            yield NotBuiltYet(
                f"[policy] {key} is read, and this version signs nothing for Solana that it could be held against.",
                remedy="Remove it until Solana targets are released: a rule that is not enforced would only look like one.",
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
