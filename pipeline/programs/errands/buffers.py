"""The buffers of a target's keys, and what each is by the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.base import Row
from chains.solana.layouts import LOADER, elf_sha256, parse_buffer
from chains.solana.lifecycle import fold
from chains.solana.release import SolanaAction, job_of
from pipeline.programs.session import ProgramSession
from pipeline.session import accepted_plans, unfinished_plan

__all__ = ["FoundBuffer", "list_buffers"]

What = Literal["staged", "unfinished", "orphan", "unknown"]
_AT_ONCE = 5
"""Buffers read in one request: each may hold megabytes."""
_JOBS = {"deploy", "upgrade", "stage"}


@dataclass(frozen=True)
class FoundBuffer:
    """``sha256`` is of the bytes without the zeros at their end, ``None`` where nothing was written; ``since`` when its plan began
    with it, by the journal."""

    address: str
    lamports: int
    authority: str
    length: int
    sha256: str | None
    what: What
    about: str
    unit: str | None = None
    plan: str | None = None
    since: str | None = None

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class _Origin:
    plan: str
    action: SolanaAction


def list_buffers(session: ProgramSession, keys: Sequence[str]) -> list[FoundBuffer]:
    """Every buffer that one of ``keys``, the first of which signs, is the authority of, by address. Reads only."""
    owned = {address: key for key in dict.fromkeys(keys) for address, _ in session.cluster.buffers_of(key)}
    origins = _origins(session)
    found = []
    addresses = sorted(owned)
    for start in range(0, len(addresses), _AT_ONCE):
        some = addresses[start : start + _AT_ONCE]
        for address, account in session.cluster.accounts(some, "confirmed").items():
            if account is None or account.owner != str(LOADER) or not account.data:
                continue  # closed or used up since it was listed
            elf = parse_buffer(account).elf
            origin = origins.get(address)
            what, about = _what(session, origin, signed=owned[address] == keys[0])
            found.append(
                FoundBuffer(
                    address=address,
                    lamports=account.lamports,
                    authority=owned[address],
                    length=len(elf),
                    sha256=elf_sha256(elf) if any(elf) else None,
                    what=what,
                    about=about,
                    unit=origin.action.unit if origin else None,
                    plan=origin.plan if origin else None,
                    since=_since(session.rows, origin) if origin else None,
                )
            )
    return found


def _origins(session: ProgramSession) -> Mapping[str, _Origin]:
    """The action that makes each buffer; its address follows from plan and unit. One that only uses a buffer counts while it is
    under way."""
    current = unfinished_plan(session.rows)
    return dict(_made(session, current))


def _made(session: ProgramSession, current: str | None) -> Iterator[tuple[str, _Origin]]:
    for digest in accepted_plans(session.rows):
        body = session.plan(digest).body
        for action in body.actions:
            if action.kind in _JOBS and (digest == current or not action.details.get("staged_by")):
                # Its bytes do not matter for the address, and may not be on this machine.
                yield job_of(action, body, digest, b"").buffer, _Origin(digest, action)


def _what(session: ProgramSession, origin: _Origin | None, *, signed: bool) -> tuple[What, str]:
    if origin is None:
        return "unknown", "made by no plan of this journal"
    plan = session.plan(origin.plan)
    unit = origin.action.unit
    if origin.plan == unfinished_plan(session.rows):
        return "unfinished", f"of the unfinished plan {origin.plan[:12]}, for {unit}"
    if origin.action.kind == "stage" and fold(session.rows, origin.plan, origin.action.id).final is not None:
        way = "the warm way back" if signed else "no warm way back any more, for it is not the signer's,"
        return "staged", f"{_released(session, origin.action)}: {way} of {unit}"
    state = "abandoned" if _abandoned(session.rows, origin.plan) else "finished"
    return "orphan", f"left by the {state} plan {origin.plan[:12]} ({plan.tag}), for {unit}"


def _released(session: ProgramSession, stage: SolanaAction) -> str:
    """Which release the staged bytes are those of."""
    for digest in reversed(accepted_plans(session.rows)):
        plan = session.plan(digest)
        for action in plan.body.actions:
            same = action.details.get("program") == stage.details["program"]
            if same and action.kind in {"deploy", "upgrade"} and action.details["sha256"] == stage.details["sha256"]:
                return f"the bytes of {plan.tag}"
    return "the bytes that ran before"


def _abandoned(rows: Sequence[Row], plan: str) -> bool:
    return any(row.kind == "plan.abandoned" and row.data["plan"] == plan for row in rows)


def _since(rows: Sequence[Row], origin: _Origin) -> str | None:
    mine = (origin.plan, origin.action.id)
    return next(
        (r.at for r in rows if r.kind == "sol.planned" and (r.data["plan"], r.data["unit"]) == mine),
        None,
    )
