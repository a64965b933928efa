"""The files behind a record: every digest derived again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.canonical import pretty, sha256_hex
from chains.errors import ShipError
from pipeline.bundle import BundleMissing, load_bundle
from pipeline.journal import read_rows
from pipeline.plan import Envelope, Plan, load_plan, plan_family
from pipeline.record import derive_record, load_record, statement, statement_path
from pipeline.records.finding import RecordFile
from pipeline.records.findings import Finding, State
from pipeline.state.local import TargetState

__all__ = ["Evidence", "gather"]


@dataclass
class Evidence:
    """What the files gave: the record and whatever of journal and plans is whole."""

    record: Mapping[str, Any] | None = None
    rows: Sequence[Row] | None = None
    plans: dict[str, Envelope] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def plan(self) -> Envelope | None:
        return self.plans.get(self.record["plan"]) if self.record else None

    def add(self, what: str, state: State, detail: str = "") -> None:
        self.findings.append(Finding("files", what, state, detail))

    @property
    def seen(self) -> Sequence[Row]:
        """The journal as it was when the record was derived."""
        if self.record is None or self.rows is None:
            return ()
        return self.rows[: self.record["journal"]["rows"]]


def gather(file: RecordFile, state: TargetState) -> Evidence:
    """Look at every file that ``file`` rests on. What is wrong is a finding, never an error."""
    evidence = Evidence()
    _record(file, evidence)
    if evidence.record is None:
        return evidence
    _statement(file, evidence, evidence.record)
    _journal(file, state, evidence)
    _plans(state, evidence)
    _bundle(state, evidence, evidence.record)
    _derivation(evidence, evidence.record)
    return evidence


def _record(file: RecordFile, evidence: Evidence) -> None:
    try:
        record = load_record(file.path)
        data = file.path.read_bytes()
        stated = (record["tag"], record["target"])
        str(record["plan"]), str(record["bundle"]), int(record["journal"]["rows"])
    except ShipError as error:
        evidence.add("record", "altered", error.cause)
        return
    except (KeyError, TypeError, ValueError) as error:
        evidence.add("record", "altered", f"a field is missing or of another kind: {error}")
        return
    evidence.record = record
    if data != pretty(record):
        evidence.add("record", "altered", "not in canonical form")
    elif stated != (file.tag, file.target):
        evidence.add("record", "altered", f"it is of {stated[0]} on {stated[1]}")
    else:
        evidence.add("record", "ok", f"canonical, sha256 {sha256_hex(data)[:12]}")


def _statement(file: RecordFile, evidence: Evidence, record: Mapping[str, Any]) -> None:
    path = statement_path(file.path)
    try:
        data = path.read_bytes()
        stated = json.loads(data)
        subjects = {str(s["name"]): str(s["digest"]["sha256"]) for s in stated["subject"]}
    except OSError as error:
        evidence.add("statement", "missing", f"{path.name}: {error.strerror}")
        return
    except (ValueError, KeyError, TypeError, RecursionError):
        evidence.add("statement", "altered", "not an in-toto statement")
        return
    wanted = {file.path.name: sha256_hex(file.path.read_bytes()), "bundle.json": record["bundle"]}
    if subjects != wanted:
        wrong = sorted(name for name in {*subjects, *wanted} if subjects.get(name) != wanted.get(name))
        evidence.add("statement", "altered", f"its digest of {', '.join(wrong)} is another")
    elif data != pretty(statement(record, file.path.name)):
        evidence.add("statement", "altered", "it says something else than the record")
    else:
        evidence.add("statement", "ok", "names the record and the bundle by sha256")


def _journal(file: RecordFile, state: TargetState, evidence: Evidence) -> None:
    try:
        data = state.journal.read_bytes()
        rows, head, _ = read_rows(state.journal, data)
    except OSError as error:
        evidence.add("journal", "missing", f"{state.journal.name}: {error.strerror}")
        return
    except ShipError as error:
        evidence.add("journal", "altered", error.cause)
        return
    evidence.rows = rows
    evidence.add("journal", "ok", f"{len(rows)} rows, each with the hash of the one before, head {head[:12]}")
    named = f"releases/{file.tag}/{file.path.name}"
    finished = [r.data["sha256"] for r in rows if r.kind == "plan.finished" and r.data.get("record") == named]
    if not finished:
        evidence.add("journal entry", "missing", "the journal does not name this record")
    elif finished[-1] != sha256_hex(file.path.read_bytes()):
        evidence.add("journal entry", "altered", f"the journal names sha256 {finished[-1][:12]}, the file has another")
    else:
        evidence.add("journal entry", "ok", "the journal names this file by sha256")


def _plans(state: TargetState, evidence: Evidence) -> None:
    """The record's plan, and every plan accepted before it: what is live is derived from all of them."""
    assert evidence.record is not None
    own = evidence.record["plan"]
    accepted = [row.data["plan"] for row in evidence.seen if row.kind == "plan.accepted"]
    for digest in dict.fromkeys([*accepted, own]):
        path = state.plan(digest)
        what = "plan" if digest == own else f"plan {digest[:12]}"
        if not path.exists():
            evidence.add(what, "missing", f"plans/{path.name}")
            continue
        try:
            evidence.plans[digest] = _load(path, digest)
        except ShipError as error:
            evidence.add(what, "altered", error.cause)
            continue
        evidence.add(what, "ok", f"its sha256 is {digest[:12]}")


def _load(path: Path, digest: str) -> Envelope:
    if plan_family(path) == "solana":
        from pipeline.programs.plan import load_program_plan  # Solana targets alone

        return load_program_plan(path, expected=digest)
    return load_plan(path, expected=digest)


def _derive(evidence: Evidence) -> dict[str, Any]:
    plan = evidence.plan
    if isinstance(plan, Plan):
        bodies = {digest: one.body for digest, one in evidence.plans.items()}
        return derive_record(plan, bodies, evidence.seen)
    from pipeline.programs.plan import ProgramPlan
    from pipeline.programs.record import derive_program_record

    assert isinstance(plan, ProgramPlan)
    return derive_program_record(plan, {digest: one.body for digest, one in evidence.plans.items()}, evidence.seen)


def _bundle(state: TargetState, evidence: Evidence, record: Mapping[str, Any]) -> None:
    digest = record["bundle"]
    try:
        bundle = load_bundle(state.project.bundles, digest)
    except BundleMissing:
        evidence.add("bundle", "note", f"{digest[:12]} is not in .ship/bundles")
    except ShipError as error:
        evidence.add("bundle", "altered", error.cause)
    else:
        count = len(bundle.manifest["files"]) + 1
        evidence.add("bundle", "ok", f"{count} files, each with its sha256, together {digest[:12]}")


def _derivation(evidence: Evidence, record: Mapping[str, Any]) -> None:
    """The record follows from journal and plans alone."""
    if evidence.rows is None or evidence.plan is None or _plans_missing(evidence):
        evidence.add("derivation", "note", "not derived again: journal or plans are not whole")
        return
    try:
        derived = _derive(evidence)
    except (KeyError, StopIteration, TypeError, IndexError):
        evidence.add("derivation", "altered", "the journal does not hold what the record rests on")
        return
    if pretty(derived) == pretty(record):
        evidence.add("derivation", "ok", "journal and plans give the same bytes again")
        return
    evidence.add(
        "derivation", "altered", f"journal and plans give another record: {', '.join(_differing(record, derived))}"
    )


def _plans_missing(evidence: Evidence) -> bool:
    return any(f.what.startswith("plan") and f.state != "ok" for f in evidence.findings)


def _differing(record: Mapping[str, Any], derived: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*record, *derived}):
        if record.get(key) != derived.get(key):
            yield key
