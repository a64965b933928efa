"""Which approvals count: by a named approver, of exactly this plan, with the key that is named, once each, in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chains.evm.hashing import checksum
from pipeline.approvals.files import Approval
from pipeline.approvals.message import ApprovalMessage
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.plan import Envelope
from pipeline.signing.base import SECP256K1_N

__all__ = ["Judged", "judge", "signed_by"]

_CLOCKS_DIFFER_S = 600


@dataclass(frozen=True)
class Judged:
    """``valid`` holds one approval an approver; ``refused`` says of the others why they do not count."""

    valid: tuple[Approval, ...]
    refused: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(approval.approver for approval in self.valid)


def judge(approvals: Iterable[Approval], plan: Envelope, policy: PolicySpec, *, now_s: float | None) -> Judged:
    """Hold ``approvals`` against plan and policy. ``now_s`` is ``None`` for those that were accepted in time before."""
    valid: dict[str, Approval] = {}
    refused = []
    for approval in approvals:
        problem = _problem(approval, plan, policy, now_s)
        if problem is None and approval.approver in valid:
            problem = "it is the second by the same approver"
        if problem is None:
            valid[approval.approver] = approval
        else:
            refused.append(f"{approval.approver}: {problem}")
    return Judged(tuple(valid.values()), tuple(refused))


def signed_by(digest: bytes, signature: bytes) -> str:
    """Whose key made this signature (``r ‖ s ‖ v``, low s, v 27 or 28). Raises ``ValueError``."""
    if len(signature) != 65 or signature[64] not in {27, 28}:
        raise ValueError("not a signature of 65 bytes with v 27 or 28")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
    if not (0 < r < SECP256K1_N and 0 < s <= SECP256K1_N // 2):
        raise ValueError("its numbers are out of range")
    from chains.evm.safe.signatures import recover

    return recover(digest, r, s, signature[64] - 27)


def _problem(approval: Approval, plan: Envelope, policy: PolicySpec, now_s: float | None) -> str | None:
    expected = ApprovalMessage.of(plan, approval.message.expires)
    given, wanted = approval.message.to_json(), expected.to_json()
    other = [name for name in wanted if given[name] != wanted[name]]
    if other:
        return f"it is of another plan (its {', '.join(other)} differs)"
    listed = policy.approvers.get(approval.approver)
    if listed is None:
        return "no approver of that name is listed"
    if not 0 <= approval.message.expires < 2**64:
        return "it expires at no time there is"
    try:
        signer = signed_by(expected.digest(), approval.signature)
    except ValueError as error:
        return f"its signature is refused: {error}"
    if signer != listed or approval.address != listed:
        return f"it was signed by {signer}, listed is {listed}"
    # On Solana the plan's own key is of another kind than any approver's.
    if plan.family == "evm" and signer == checksum(plan.body.deployer) and not policy.deployer_may_approve:
        return "the key that signs the transactions may not approve them"
    if now_s is not None:
        return _time_problem(approval.message.expires, policy, now_s)
    return None


def _time_problem(expires: int, policy: PolicySpec, now_s: float) -> str | None:
    if expires <= now_s:
        return "it has expired"
    if expires > now_s + policy.plan_valid_for_s + _CLOCKS_DIFFER_S:
        return "it would count for longer than `plan-valid-for` allows"
    return None
