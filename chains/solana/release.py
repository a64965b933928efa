"""A release to a Solana cluster as a person approves it: every action in its order, what it may cost, what was seen.

An action's ``details`` hold all that its transactions are made of, save what is only known when they are signed: the blockhash, the
price of a compute unit up to the limit, and the plan's own digest, from which the buffers' addresses follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.solana.job import Job

__all__ = ["Kind", "PlannedUnit", "SolanaAction", "SolanaPlan", "instruction_from", "instruction_json", "job_of"]

Kind = Literal["deploy", "upgrade", "stage", "call", "publish", "authority", "finalize", "close"]
Change = Literal["create", "upgrade", "call", "unchanged", "skip"]


@dataclass(frozen=True)
class SolanaAction:
    """One thing to be done, by one or many transactions. Lamports: ``rent`` stays on chain, ``borrowed`` comes back."""

    id: str
    kind: Kind
    unit: str
    title: str
    transactions: int
    fee_lamports: int
    rent_lamports: int = 0
    borrowed_lamports: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "details": dict(self.details)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SolanaAction:
        return cls(**data)


@dataclass(frozen=True)
class PlannedUnit:
    """What happens to a unit; ``after`` is what will be live: the program's address, hash and authority."""

    name: str
    change: Change
    reason: str
    after: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "after": dict(self.after)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlannedUnit:
        return cls(**data)


@dataclass(frozen=True)
class SolanaPlan:
    """``deployer`` is the key that signs deployments, ``payer`` the one that pays and writes. ``limits``: ``max_lamports``,
    ``price_cap_micro_lamports``. ``observed``: slot, block height and the payer's balance when the plan was made."""

    chain: Mapping[str, Any]
    deployer: str
    payer: str
    actions: tuple[SolanaAction, ...]
    units: tuple[PlannedUnit, ...]
    checks: tuple[Mapping[str, Any], ...]
    limits: Mapping[str, Any]
    estimate: Mapping[str, Any]
    observed: Mapping[str, Any]
    handover: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "chain": dict(self.chain),
            "deployer": self.deployer,
            "payer": self.payer,
            "actions": [action.to_json() for action in self.actions],
            "units": [unit.to_json() for unit in self.units],
            "checks": [dict(check) for check in self.checks],
            "limits": dict(self.limits),
            "estimate": dict(self.estimate),
            "observed": dict(self.observed),
            **({"handover": self.handover} if self.handover else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SolanaPlan:
        made = dict(data)
        made["actions"] = tuple(SolanaAction.from_json(entry) for entry in data["actions"])
        made["units"] = tuple(PlannedUnit.from_json(entry) for entry in data["units"])
        made["checks"] = tuple(data["checks"])
        return cls(**made)


def job_of(action: SolanaAction, plan: SolanaPlan, digest: str, elf: bytes) -> Job:
    """The job that carries out a deploy, an upgrade or a stage of the plan with this digest."""
    details = action.details
    return Job(
        digest,
        action.id,
        action.kind,  # type: ignore[arg-type]
        details["program"],
        plan.payer,
        plan.deployer,
        elf,
        details["max_length"],
        details["extend_bytes"],
        details["before_sha256"],
        details.get("staged_by"),
    )


def instruction_json(made: Instruction) -> dict[str, Any]:
    metas = [{"key": str(m.pubkey), "signer": m.is_signer, "writable": m.is_writable} for m in made.accounts]
    return {"program": str(made.program_id), "accounts": metas, "data": bytes(made.data).hex()}


def instruction_from(written: Mapping[str, Any]) -> Instruction:
    metas: Sequence[AccountMeta] = [
        AccountMeta(Pubkey.from_string(m["key"]), m["signer"], m["writable"]) for m in written["accounts"]
    ]
    return Instruction(Pubkey.from_string(written["program"]), bytes.fromhex(written["data"]), metas)
