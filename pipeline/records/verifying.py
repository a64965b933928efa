"""``ship record verify``: files first, then signatures, then the chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from chains.errors import ShipError
from chains.rpc import Endpoint
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import Target, load_target
from pipeline.plan import Plan
from pipeline.records.endpoints import target_urls
from pipeline.records.facts import ask_all, facts_of
from pipeline.records.files import Evidence, gather
from pipeline.records.finding import RecordFile, find_records, load
from pipeline.records.findings import Finding, RecordFindings
from pipeline.records.witness import Witness, keccak_hex, recover_signer
from pipeline.state.local import ProjectState

__all__ = ["verify_records"]


def verify_records(root: Path, tag: str | None, target: str | None) -> list[RecordFindings]:
    """Verify the records of ``tag`` and ``target``, or all there are. Raises ``RecordNotFound``."""
    project = load_project(root)
    files = find_records(project.root, tag, target)
    state = ProjectState(project.root)
    results: dict[RecordFile, Evidence] = {}
    for name in dict.fromkeys(file.target for file in files):
        of_target = [file for file in files if file.target == name]
        evidence = {file: gather(file, state.target(name)) for file in of_target}
        for file in of_target:
            evidence[file].findings += _signed(evidence[file])
        _ask_chain(project, name, evidence)
        results |= evidence
    return [
        RecordFindings(file.shown(project.root), file.tag, file.target, tuple(results[file].findings)) for file in files
    ]


def _is_solana(evidence: Evidence) -> bool:
    return evidence.record is not None and evidence.record.get("family") == "solana"


def _signed(evidence: Evidence) -> Iterator[Finding]:
    if not _is_solana(evidence):
        return _signatures(evidence)
    from pipeline.records.program_facts import program_signature_findings  # Solana targets alone

    return program_signature_findings(evidence)


# -- signatures ------------------------------------------------------------------------------------------------------


def _signatures(evidence: Evidence) -> Iterator[Finding]:
    """Every transaction the journal holds in raw form: its hash, and who signed it."""
    record, plan = evidence.record, evidence.plan
    if record is None or plan is None or evidence.rows is None:
        yield Finding("signatures", "signer", "note", "not recovered: journal or plan is not whole")
        return
    signed = [row for row in evidence.seen if row.kind == "tx.signed" and row.data["plan"] == record["plan"]]
    problems = []
    for row in signed:
        raw = bytes.fromhex(row.data["raw"].removeprefix("0x"))
        if keccak_hex(raw) != row.data["hash"]:
            problems.append(f"{row.data['action']}: its hash is {keccak_hex(raw)}, recorded was {row.data['hash']}")
            continue
        try:
            signer = recover_signer(raw)
        except ValueError as error:
            problems.append(f"{row.data['action']}: not a signed transaction ({error})")
            continue
        if signer.lower() != record["signer"].lower():
            problems.append(f"{row.data['action']}: signed by {signer}")
    sent = {row.data["hash"] for row in signed}
    unsigned = [t["action"] for t in record["transactions"] if t["plan"] == record["plan"] and t["hash"] not in sent]
    problems += [f"{action}: the journal holds no signature of it" for action in unsigned]
    if problems:
        yield Finding("signatures", "signer", "failed", "; ".join(problems))
    elif signed:
        yield Finding(
            "signatures", "signer", "ok", f"{_count(len(signed), 'transaction')} signed by {record['signer']}"
        )
    else:
        yield Finding("signatures", "signer", "ok", "this release needed no transaction")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


# -- chain -----------------------------------------------------------------------------------------------------------


def _ask_chain(project: Project, name: str, evidence: dict[RecordFile, Evidence]) -> None:
    """Add what the chain says to the evidence of each of one target's records."""
    newest = _newest(project, name)
    try:
        target = load_target(project, name)
        if target.chain.kind == "solana":
            _ask_cluster(project, target, evidence, newest)
            return
        with _witnesses(project, target) as witnesses:
            for file, found in evidence.items():
                if found.record is not None:
                    found.findings += _chain_findings(found, witnesses, newest=file.path == newest)
    except ShipError as error:
        for found in evidence.values():
            found.findings.append(Finding("chain", "endpoint", "unanswered", f"{error.code}: {error.cause}"))


def _ask_cluster(project: Project, target: Target, evidence: dict[RecordFile, Evidence], newest: Path | None) -> None:
    from pipeline.records.program_facts import program_chain_findings  # Solana targets alone

    with target_urls(project, target, _purpose(target)) as urls:
        named = [(url, Endpoint(url).label) for url in urls]
        for file, found in evidence.items():
            if found.record is not None:
                is_newest = file.path == newest and not _moved_on(found)
                found.findings += program_chain_findings(
                    found.record, named, float(target.spec.rpc.timeout_s), newest=is_newest
                )


def _chain_findings(evidence: Evidence, witnesses: Sequence[Witness], *, newest: bool) -> Iterator[Finding]:
    assert evidence.record is not None
    try:
        plans = {digest: plan for digest, plan in evidence.plans.items() if isinstance(plan, Plan)}
        facts = list(facts_of(evidence.record, plans, newest=newest and not _moved_on(evidence)))
    except (KeyError, TypeError, AttributeError) as error:
        yield Finding("chain", "record", "failed", f"it lacks what would have to be asked: {error}")
        return
    identity = [ask_all(fact, witnesses) for fact in facts[:2]]
    yield from identity
    if any(finding.state != "ok" for finding in identity):
        return  # another chain, or none: nothing it says would mean anything
    for fact in facts[2:]:
        yield ask_all(fact, witnesses)
    if not newest or _moved_on(evidence):
        yield Finding("chain", "slots and checks", "note", "not asked: a later release may have changed them")


def _newest(project: Project, name: str) -> Path | None:
    """The target's newest record, by when it was proven."""
    dated = []
    for file in find_records(project.root):
        if file.target == name:
            with suppress(ShipError):  # one that cannot be read is a finding of its own
                dated.append((str(load(file).get("proven_at", "")), file.path))
    return max(dated)[1] if dated else None


def _moved_on(evidence: Evidence) -> bool:
    """Whether transactions came after the record was derived: of an unfinished plan, or a later release."""
    rows = evidence.rows or ()
    return any(row.kind in {"tx.final", "sol.final"} for row in rows[len(evidence.seen) :])


def _purpose(target: Target) -> str:
    return f"ship record verify --chain {target.name}"


@contextmanager
def _witnesses(project: Project, target: Target) -> Iterator[list[Witness]]:
    """Every endpoint of the target, reached by web3."""
    timeout_s = float(target.spec.rpc.timeout_s)
    with target_urls(project, target, _purpose(target)) as urls:
        yield [Witness(url, Endpoint(url).label, timeout_s) for url in urls]
