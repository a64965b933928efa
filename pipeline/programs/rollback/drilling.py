"""Recorded rollbacks of a Solana target held against what is live: nothing is sent, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from solders.pubkey import Pubkey

from chains.errors import ShipError
from chains.solana import loader
from chains.solana.layouts import elf_sha256, parse_buffer, parse_program_data, program_data_address
from chains.solana.transactions import compile_message, populate
from pipeline.programs.rollback.ahead import released_as
from pipeline.programs.session import ProgramSession
from pipeline.programs.store import find_bytes
from pipeline.rollback.drilled import Reason, Rehearsal
from pipeline.rollback.record import find_rollbacks
from pipeline.state.local import ProjectState

__all__ = ["drill_programs"]


def drill_programs(session: ProgramSession) -> Iterator[Rehearsal]:
    """One for each record whose release reached the cluster."""
    touched = {row.data["plan"] for row in session.rows if row.kind == "sol.final"}
    for path, record in find_rollbacks(ProjectState(session.project.root).target(session.target.name)):
        if record["plan"] in touched:
            shown = path.relative_to(session.project.root).as_posix()
            yield _rehearsed(session, record, shown)


def _rehearsed(session: ProgramSession, record: Mapping[str, Any], shown: str) -> Rehearsal:
    live = session.live()
    told = (record["id"], record["release"], record["returns_to"], shown, record["capability"])
    moved = [name for name, state in record["before"].items() if name in live and live[name].sha256 != state["sha256"]]
    if not moved:
        return Rehearsal(*told, state="none" if record["returns_to"] is None or not record["before"] else "there")
    reasons = [reason for name in moved for reason in _reasons(session, name, record)]
    return Rehearsal(*told, state="broken" if reasons else "holds", reasons=tuple(reasons))


def _reasons(session: ProgramSession, name: str, record: Mapping[str, Any]) -> Iterator[Reason]:
    unit, before = session.live()[name], record["before"][name]
    key = str(program_data_address(Pubkey.from_string(unit.program)))
    turn = next((t for t in record["transactions"] if t["unit"] == name), None)
    buffer = turn["buffer"] if turn else None
    accounts = session.cluster.accounts([key, *([buffer] if buffer else [])], "confirmed")
    data = accounts[key]
    if data is None or not data.data:
        yield Reason("code", name, f"there is no program at {unit.program} any more")
        return
    found = parse_program_data(data)
    if str(found.authority) != unit.authority:
        yield Reason(
            "authority", name, f"the upgrade authority is {found.authority or 'nobody'}, recorded was {unit.authority}"
        )
    if elf_sha256(found.elf) != unit.sha256:
        yield Reason("code", name, f"it runs {elf_sha256(found.elf)[:16]}…, recorded was {unit.sha256[:16]}…")
    try:
        plan = _plan_of(session, name, before["sha256"])
        elf = find_bytes(session, name, released_as(session, plan, name, before["sha256"]))
    except ShipError as error:
        yield Reason("code", name, error.cause)
        return
    if buffer is not None:
        yield from _warm(session, name, buffer, accounts[buffer], elf)


def _plan_of(session: ProgramSession, name: str, sha256: str) -> str:
    """The plan that released these bytes first."""
    for row in session.rows:
        if row.kind == "sol.final" and row.data["unit"] == name and row.data.get("sha256") == sha256:
            return str(row.data["plan"])
    raise AssertionError("a recorded state that no row made")


def _warm(session: ProgramSession, name: str, buffer: str, account: Any, elf: bytes) -> Iterator[Reason]:
    """The one transaction, tried on the cluster as it is."""
    if account is None or not account.data:
        yield Reason("code", name, f"the buffer {buffer} is closed: going back would write the bytes anew")
        return
    held, unit = parse_buffer(account), session.live()[name]
    if held.elf != elf:
        yield Reason("code", name, f"the buffer {buffer} does not hold the bytes any more")
        return
    payer = session.plan(unit.plan).body.payer
    made = loader.upgrade(
        Pubkey.from_string(unit.program),
        Pubkey.from_string(buffer),
        Pubkey.from_string(unit.authority),
        Pubkey.from_string(payer),
    )
    message = compile_message(Pubkey.from_string(payer), [made], "1" * 32)
    raw = populate(message, [bytes(64)] * message.header.num_required_signatures)
    error, logs, _ = session.cluster.simulate(raw)
    if error is not None:
        yield Reason("code", name, f"the upgrade would fail: {error} {' | '.join(logs[-2:])}")
