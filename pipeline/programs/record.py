"""The record of a release to Solana: what runs where, how it got there, who signed it, and what proves it.

A pure function of the journal, of the same kind as those of EVM chains (``pipeline.record``); ``family`` tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.base import Row
from chains.solana.checking import CheckResult
from chains.solana.lifecycle import UnitState, fold
from chains.solana.live import live_programs, staged_buffers
from chains.solana.release import SolanaAction, SolanaPlan, job_of
from pipeline import __version__
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.proving import ProgramProof
from pipeline.programs.session import ProgramSession
from pipeline.programs.spent import spent_lamports
from pipeline.publishing.verdicts import newest_verdicts
from pipeline.record import KIND, SCHEMA, write_record
from pipeline.steps.record import Recorded, record_path

__all__ = ["RecordPrograms", "derive_program_record"]


def derive_program_record(plan: ProgramPlan, bodies: Mapping[str, SolanaPlan], rows: Sequence[Row]) -> dict[str, Any]:
    """The record of ``plan``, whose proofs and checks the journal holds (``plan.proven``)."""
    accepted = _last(rows, "plan.accepted", plan.digest)
    proven = _last(rows, "plan.proven", plan.digest)
    seen = [row for row in rows if row.seq <= proven.seq]
    body = plan.body
    states = {action.id: fold(seen, plan.digest, action.id) for action in body.actions}
    transactions = [t for action in body.actions for t in _transactions(plan, action, states[action.id])]
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "family": plan.family,
        "project": plan.project,
        "version": plan.version,
        "tag": plan.tag,
        "target": plan.target,
        "chain": dict(body.chain),
        "commit": plan.commit,
        "dirty": plan.dirty,
        **({"promoted_from": plan.promoted_from} if plan.promoted_from is not None else {}),
        "bundle": plan.bundle,
        "plan": plan.digest,
        "inputs": plan.inputs,
        "signer": body.deployer,
        "payer": body.payer,
        "approved_by": accepted.data["approved_by"],
        **({"approvals": accepted.data["approvals"]} if "approvals" in accepted.data else {}),
        **({"way": "rollback", **_rolled(plan.rollback)} if plan.rollback else {}),
        "accepted_at": accepted.at,
        "proven_at": proven.at,
        "gates": accepted.data["gates"],
        "units": _units(plan, bodies, seen, transactions),
        "transactions": transactions,
        "proofs": proven.data["proofs"],
        "checks": proven.data["checks"],
        "cost": {
            "lamports": str(spent_lamports(seen, plan.digest)),
            "rent_lamports": str(body.estimate["rent_lamports"]),
        },
        **_proposals(seen, plan),
        **_builds(seen, plan),
        "rollback": _ways_back(body, bodies, seen),
        "journal": {"rows": proven.seq + 1},
        "ship": proven.data["ship"],
    }


def _proposals(rows: Sequence[Row], plan: ProgramPlan) -> dict[str, Any]:
    """What a multisig's members decided, as it was seen on chain."""
    made = [row.data for row in rows if row.kind == "sol.proposed" and row.data["plan"] == plan.digest]
    decided = {r.data["unit"]: r.data for r in rows if r.kind == "sol.decided" and r.data["plan"] == plan.digest}
    own = {"plan", "unit"}
    listed = [
        {
            "unit": data["unit"],
            **{k: v for k, v in data.items() if k not in own},
            **{k: v for k, v in decided.get(data["unit"], {}).items() if k not in {*own, "index"}},
        }
        for data in made
    ]
    return {"proposals": listed} if listed else {}


def _builds(rows: Sequence[Row], plan: ProgramPlan) -> dict[str, Any]:
    """What a service showed of recorded builds when the record was made; nothing where none was asked."""
    programs = {str(unit.after.get("address")) for unit in plan.body.units}
    keys = ("service", "what", "address", "of", "verdict", "reason", "url")
    shown = [{k: data[k] for k in keys} for data in newest_verdicts(rows).values() if data["address"] in programs]
    return {"sources": shown} if shown else {}


def _rolled(rollback: Mapping[str, Any]) -> dict[str, Any]:
    return {key: rollback[key] for key in ("rolls_back", "returns_to")}


def _units(
    plan: ProgramPlan, bodies: Mapping[str, SolanaPlan], seen: Sequence[Row], transactions: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    live = live_programs(seen, bodies)
    units = {}
    for planned in plan.body.units:
        after = dict(planned.after)
        if planned.name in live:
            found = live[planned.name]
            after |= {"sha256": found.sha256, "authority": found.authority, "slot": found.slot}
        units[planned.name] = {
            **after,
            "kind": "program" if "program_data" in after else "call",
            "change": planned.change,
            "reason": planned.reason,
            "transactions": [t["signature"] for t in transactions if t["unit"] == planned.name],
        }
    return units


def _transactions(plan: ProgramPlan, action: SolanaAction, state: UnitState) -> list[dict[str, Any]]:
    """Each that was signed one by one; the writes of chunks by their number and where they went."""
    final = state.final or {}
    listed: list[dict[str, Any]] = []
    for step, attempts in state.attempts.items():
        last = attempts[-1]
        if last.signature in state.expired:
            continue
        slot = final.get("slot") if final.get("signature") == last.signature else None
        listed.append(
            {
                "plan": plan.digest,
                "action": action.id,
                "unit": action.unit,
                "step": step,
                "title": action.title,
                "signature": last.signature,
                **({"slot": slot} if slot is not None else {}),
            }
        )
    if state.planned and "buffer" in state.planned:
        writes = sum(len(wave["writes"]) for wave in state.waves)
        for entry in listed:
            entry["buffer"] = state.planned["buffer"]
        if listed:
            listed[0]["writes"] = writes
    return listed


def _ways_back(body: SolanaPlan, bodies: Mapping[str, SolanaPlan], seen: Sequence[Row]) -> list[dict[str, Any]]:
    """For every program that was upgraded: the bytes before, whose signature goes back, and a buffer that holds them."""
    staged = staged_buffers(seen, bodies)
    ways = []
    for action in body.actions:
        if action.kind != "upgrade":
            continue
        before = action.details["before_sha256"]
        program = action.details["program"]
        by = staged.get((program, before))
        way = {
            "unit": action.unit,
            "program": program,
            "sha256": before,
            "authority": body.deployer,
            "strategy": "warm" if by else "cold",
            "transactions": ["upgrade"] if by else ["create", "write", "handover", "upgrade"],
        }
        if by is not None:
            stage = next(a for a in bodies[by].actions if a.kind == "stage" and a.details["sha256"] == before)
            # The buffer's address follows from payer and seed; its bytes do not matter for it.
            way["buffer"] = job_of(stage, bodies[by], by, b"").buffer
        ways.append(way)
    return ways


def _last(rows: Sequence[Row], kind: str, plan: str) -> Row:
    return next(row for row in reversed(rows) if row.kind == kind and row.data["plan"] == plan)


@dataclass(frozen=True)
class RecordPrograms:
    """Writes proofs and checks to the journal, then what follows from it, then that the plan is finished."""

    session: ProgramSession
    plan: ProgramPlan
    proofs: Sequence[ProgramProof]
    checks: Sequence[CheckResult]
    title: str = "recording the release"

    def run(self) -> Recorded:
        journal = self.session.journal
        assert journal is not None
        if not any(r.kind == "plan.proven" and r.data["plan"] == self.plan.digest for r in journal.rows):
            evidence = {
                "plan": self.plan.digest,
                "ship": __version__,
                "proofs": [proof.to_json() for proof in self.proofs],
                "checks": [check.to_json() for check in self.checks],
            }
            journal.append("plan.proven", evidence)
        record = derive_program_record(self.plan, self.session.bodies(), journal.rows)
        path = record_path(self.session, self.plan)
        sha256 = write_record(path, record)
        relative = str(path.relative_to(self.session.project.root))
        journal.append("plan.finished", {"plan": self.plan.digest, "record": relative, "sha256": sha256})
        return Recorded(path, sha256)

    def summary(self, result: Recorded) -> str:
        return f"{result.path.relative_to(self.session.project.root)}, sha256 {result.sha256[:12]}"
