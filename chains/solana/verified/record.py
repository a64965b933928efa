"""The record of a build to be written or brought up to date: one transaction, which the upgrade authority signs.

It names the slot of the deployment it speaks of, so that it is written after each deployment, and never before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, Self

from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from chains.solana.fees import Budget, limit_from, price_from
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import parse_program_data, program_data_address
from chains.solana.publication import PUBLISHED, Rent, need_program
from chains.solana.rpc import Cluster
from chains.solana.sending import Accounts
from chains.solana.settings import Settings
from chains.solana.verified import layout as made
from chains.solana.verified.layout import PROGRAM, Build, RecordedBuild, parse_record, record_address, record_space

__all__ = ["BuildRecord", "PlannedBuild", "plan_build", "read_build"]

_UNITS = 30_000


def _key(text: str) -> Pubkey:
    return Pubkey.from_string(text)


@dataclass(frozen=True)
class BuildRecord:
    """Addresses in base58. ``authority`` is the program's upgrade authority; ``payer`` pays the rent too."""

    plan: str
    unit: str
    program: str
    payer: str
    authority: str
    build: Build

    @cached_property
    def address(self) -> str:
        return str(record_address(_key(self.program), _key(self.authority)))

    @cached_property
    def program_data(self) -> str:
        return str(program_data_address(_key(self.program)))

    @property
    def keys(self) -> Sequence[str]:
        return [self.address, self.program_data, self.authority]

    @property
    def chunks(self) -> None:
        """None: one transaction holds all of it."""

    @property
    def needed(self) -> Sequence[str]:
        return sorted({self.payer, self.authority})

    @property
    def spends(self) -> Mapping[str, str]:
        return {}

    @property
    def digest(self) -> str:
        """Of what the record says, the slot aside."""
        return sha256(self.build.borsh(0)).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "build": {**asdict(self.build), "args": list(self.build.args)}, "address": self.address}

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """What ``to_json`` gave, from a plan or a row of the journal."""
        build = Build(**{**shown["build"], "args": tuple(shown["build"]["args"])})
        return cls(build=build, **{n: shown[n] for n in ("plan", "unit", "program", "payer", "authority")})

    def resumed(self, planned: Mapping[str, Any]) -> Self:
        return replace(self)

    def next_step(self, accounts: Accounts) -> str:
        """Raises ``AuthorityMismatch`` and ``BuildUnreadable``."""
        data = accounts[self.program_data]
        live = parse_program_data(data) if data else None
        if live is None or str(live.authority) != self.authority:
            raise AuthorityMismatch(
                f"the upgrade authority of {self.program} is {live.authority if live else 'nobody'}, the target names "
                f"{self.authority}",
                remedy="Nobody believes another's word on a build: name the upgrade authority as the signer.",
            )
        account = accounts[self.address]
        if account is None or not account.data:
            return "record"
        found = parse_record(account)
        return PUBLISHED if found.says(self.build) and found.slot == live.slot else "record"

    def lamports(self, accounts: Accounts, rent: Rent) -> int:
        return sum(self._funds(accounts, rent))

    def _funds(self, accounts: Accounts, rent: Rent) -> tuple[int, int]:
        """What the record lacks, and the authority: a record that gets shorter gives it lamports, and the cluster lets no account
        hold fewer than keep an empty one."""
        account, authority = accounts[self.address], accounts[self.authority]
        held = account.lamports if account else 0
        whole, own = rent(record_space(self.build)), authority.lamports if authority else 0
        shorter = account is not None and len(account.data) > record_space(self.build) and held > whole
        least = rent(0) - own - (held - whole) if shorter and self.authority != self.payer else 0
        return max(whole - held, 0), max(least, 0)

    def instructions(self, step: str, accounts: Accounts, rent: Rent) -> Sequence[Instruction]:
        """The rent goes to the address first: otherwise the program would take it from the authority."""
        program, authority = _key(self.program), _key(self.authority)
        data, account = accounts[self.program_data], accounts[self.address]
        slot = parse_program_data(data).slot if data else 0
        funds = zip((self.address, self.authority), self._funds(accounts, rent), strict=True)
        paid = [
            transfer(TransferParams(from_pubkey=_key(self.payer), to_pubkey=_key(to), lamports=lamports))
            for to, lamports in funds
            if lamports
        ]
        call = made.update if account is not None and account.data else made.initialize
        return [*paid, call(program, authority, self.build, slot)]


@dataclass(frozen=True)
class PlannedBuild:
    """``rent_lamports`` stays with the record; ``fee_lamports`` at the prices of now."""

    unit: str
    kind: Literal["nothing", "create", "update"]
    publication: BuildRecord | None
    address: str
    transactions: int = 0
    rent_lamports: int = 0
    fee_lamports: int = 0

    def to_json(self) -> dict[str, Any]:
        shown = {key: value for key, value in self.__dict__.items() if key != "publication"}
        return {**shown, "publication": self.publication.to_json() if self.publication else None}


def read_build(cluster: Cluster, program: str, signer: str) -> RecordedBuild | None:
    """What ``signer`` recorded of the program. Raises ``BuildUnreadable``."""
    address = str(record_address(_key(program), _key(signer)))
    account = cluster.accounts([address], "confirmed")[address]
    return parse_record(account) if account is not None and account.data else None


def plan_build(
    cluster: Cluster,
    plan: str,
    unit: str,
    program: str,
    payer: str,
    authority: str,
    build: Build,
    *,
    deploys: bool = False,
    settings: Settings | None = None,
) -> PlannedBuild:
    """``unit`` is the program's. ``deploys``: the plan deploys or upgrades it first, so that a record is out of date in any case.

    Raises ``ServiceMissing``, ``AuthorityMismatch``, ``BuildUnreadable``.
    """
    need_program(cluster, str(PROGRAM), "otter-verify program")
    settings = settings or Settings()
    record = BuildRecord(plan, f"{unit}/build", program, payer, authority, build)
    accounts = cluster.accounts(record.keys, "confirmed")
    account, data = accounts[record.address], accounts[record.program_data]
    if data is not None or not deploys:
        step = record.next_step(accounts)
        if step == PUBLISHED and not deploys:
            return PlannedBuild(record.unit, "nothing", None, record.address)
    recent = cluster.recent_fees([record.address])
    price = price_from(recent, settings.price_percentile, settings.price_cap_micro_lamports)
    return PlannedBuild(
        record.unit,
        "update" if account is not None and account.data else "create",
        record,
        record.address,
        1,
        record.lamports(accounts, cluster.rent),
        Budget(limit_from(_UNITS), price).lamports(len(record.needed)),
    )
