"""The shape of ``[policy]``: what may be signed and spent, who must agree, and when something counts as done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from pipeline.manifest.fields import (
    Address,
    Amount,
    BasisPoints,
    CallSignature,
    Finality,
    Name,
    Spec,
    check_address,
    refuse,
)

__all__ = ["ACTION_KINDS", "CONTRACT_KEY", "PolicySpec"]

ACTION_KINDS = ("create", "create2", "create3", "call", "proposal")
CONTRACT_KEY = re.compile(r"\$\{contracts\.([A-Za-z][A-Za-z0-9_-]{0,63})\}")
_PERIOD = re.compile(r"([1-9][0-9]{0,5})(m|h|d)")
_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400}


def _period(value: Any) -> int:
    match = _PERIOD.fullmatch(value) if isinstance(value, str) else None
    if not match or (seconds := int(match[1]) * _UNIT_S[match[2]]) > 366 * 86_400:
        refuse("BadValue", "This is not a period of up to a year.", 'Write it as "30m", "24h" or "7d".')
    return seconds


Period = Annotated[
    int,
    BeforeValidator(_period),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]{0,5}(m|h|d)$", "title": "period"}),
]
"""Seconds."""


def _callee(value: str) -> str:
    return value if CONTRACT_KEY.fullmatch(value) else check_address(value)


Callee = Annotated[str, AfterValidator(_callee)]
"""An address, or ``${contracts.NAME}``."""

_Base58 = Annotated[str, Field(pattern=r"^[1-9A-HJ-NP-Za-km-z]{32,44}$")]


Instructed = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,127}$")]


def _lamports(value: Any) -> int:
    lamports = value
    if isinstance(value, str):
        match = _SOL.fullmatch(value)
        fraction = (match[2] or "") if match else ""
        places = 9 if match and match[3] == "SOL" else 0
        lamports = int(match[1] + fraction.ljust(places, "0")) if match and len(fraction) <= places else None
    if isinstance(lamports, bool) or not isinstance(lamports, int) or not 0 <= lamports < 1 << 64:
        refuse("BadAmount", "This is not an amount of SOL.", 'Write it as "0.5 SOL" or "5000 lamports".')
    return lamports


_SOL = re.compile(r"([0-9]{1,20})(?:\.([0-9]{1,9}))? (SOL|lamports)")
Lamports = Annotated[
    int,
    BeforeValidator(_lamports),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d{1,9})? (SOL|lamports)$"},
                {"type": "integer", "minimum": 0},
            ],
            "title": "lamports",
        }
    ),
]


class PolicySpec(Spec):
    """``[policy]``: what may be signed and spent, who must agree, and when something counts as done."""

    max_fee_per_gas: Amount | None = Field(default=None, description="The most paid per gas.")
    max_priority_fee_per_gas: Amount | None = Field(default=None, description="The most paid per gas as priority fee.")
    max_cost: Amount | None = Field(
        default=None, description="The most one release may cost, over all runs that it takes."
    )
    max_cost_per_day: Amount | None = Field(
        default=None,
        description="The most the target may spend in 24 hours: what the journal holds as signed, at its worst case "
        "until it is mined.",
    )
    max_value_per_transaction: Amount | None = Field(
        default=None, description="The most one transaction may send along."
    )
    max_value_per_release: Amount | None = Field(
        default=None, description="The most all transactions of a release may send along."
    )
    max_gas_per_transaction: int | None = Field(
        default=None, ge=21_000, le=2**63 - 1, description="The highest gas limit of one transaction."
    )
    require: Literal["software", "service", "hardware"] | None = Field(
        default=None, description="What must keep the key at least: a hardware module, or a service that holds it."
    )
    allow_actions: tuple[Literal["create", "create2", "create3", "call", "proposal"], ...] | None = Field(
        default=None, description="The kinds of action that may be signed; all when left out."
    )
    calls: Mapping[Callee, tuple[CallSignature, ...]] | None = Field(
        default=None,
        description='The functions that may be called, by address or "${contracts.NAME}"; "receive()" is a transfer '
        "without data. Nothing else is then called.",
    )
    finality: Finality | None = Field(
        default=None, description="When a block counts as final; the chain's rule otherwise."
    )
    approvals: int = Field(default=1, ge=0, le=100, description="How many people must approve the plan.")
    approvers: Mapping[Name, Address] = Field(
        default_factory=dict,
        description="Who may approve with `ship approve`: a name and the address of its key. Without any, whoever runs "
        "`ship deploy` is asked.",
    )
    deployer_may_approve: bool = Field(
        default=False, description="Whether an approver may be the key that signs the transactions."
    )
    plan_valid_for_s: Period = Field(
        default=86_400,
        alias="plan-valid-for",
        description="How long a saved plan may be deployed, and an approval counts.",
    )
    max_lamports: Lamports | None = Field(
        default=None,
        description="On Solana: the most one release may cost, rent included, over all runs that it takes.",
    )
    max_unit_price: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000_000,
        description="On Solana: the most paid for a compute unit, in micro-lamports (1,000,000 where left out).",
    )
    programs: tuple[_Base58, ...] | None = Field(
        default=None,
        description="On Solana: the programs that may be invoked, beside those that every release needs (the loader, the system "
        "program, the compute budget). All when left out.",
    )
    instructions: Mapping[_Base58, tuple[Instructed, ...]] | None = Field(
        default=None,
        description="On Solana: the instructions that may be sent to a program, by their names in its IDL (the loader's: "
        "deploy, upgrade, extend, write, set-authority, …). A program that is not named here is not restricted.",
    )
    window: int = Field(default=16, ge=1, le=1_000, description="Transactions in flight at once.")
    staged: bool = Field(
        default=False,
        description="One transaction at a time, each after the one before is mined: for chains that keep no pool.",
    )
    gas_margin_bps: BasisPoints = Field(default=2_000, alias="gas-margin", description="Added to simulated gas.")
    wait_s: int = Field(
        default=900, ge=1, le=604_800, description="How long to wait for a transaction before stopping, in seconds."
    )
