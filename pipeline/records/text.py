"""Records and their verification for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.canonical import sha256_hex
from chains.chain_data import chain_facts
from chains.errors import printable
from chains.evm.fees import ether
from pipeline.records.finding import RecordFile
from pipeline.records.findings import RecordFindings, exit_code
from pipeline.records.program_text import program_blocks, program_chain, program_cost
from pipeline.ui.table import Cell, Row, state_cell, table

__all__ = ["render_list", "render_record", "render_verified"]


def render_list(records: Sequence[tuple[RecordFile, Mapping[str, Any]]]) -> list[str]:
    """One line a record, in the order of versions."""
    if not records:
        return ["There are no release records yet. `ship deploy` writes one when it is done."]
    rows: list[Row] = [
        tuple(Cell(head, bold=True) for head in ("tag", "target", "chain", "proven at", "units", "cost"))
    ]
    for file, record in records:
        again = f" ({file.revision})" if file.revision > 1 else ""
        rows.append(
            (
                f"{file.tag}{again}",
                file.target,
                _chain(record),
                _time(record["proven_at"]),
                str(len(record["units"])),
                _cost(record),
            )
        )
    return [*table(rows, indent=0), "", "`ship record show TAG` shows one, `ship record verify TAG` proves it."]


def _time(text: str) -> str:
    return f"{text[:19].replace('T', ' ')} UTC"


def _chain(record: Mapping[str, Any]) -> str:
    return program_chain(record) if record.get("family") == "solana" else str(record["chain"]["id"])


def _cost(record: Mapping[str, Any]) -> str:
    if record.get("family") == "solana":
        return program_cost(record)
    try:
        currency = chain_facts(record["chain"]["name"]).currency
    except KeyError:
        currency = "of the chain's currency"
    return ether(int(record["cost"]["wei"]), currency)


def render_record(file: RecordFile, record: Mapping[str, Any], root: Path) -> list[str]:
    """One record: what is where, the transactions, who signed, and what proves it."""
    chain, solana = record["chain"], record.get("family") == "solana"
    payer = {"payer": record["payer"]} if solana and record["payer"] != record["signer"] else {}
    heads = {
        "file": file.shown(root),
        "sha256": sha256_hex(file.path.read_bytes()),
        "commit": f"{record['commit'] or 'none'}{' + uncommitted changes' if record['dirty'] else ''}",
        "bundle": record["bundle"],
        "plan": record["plan"],
        "signer": record["signer"],
        **payer,
        "approved": f"{_time(record['accepted_at'])}, {record['approved_by']}",
        "proven": _time(record["proven_at"]),
        "cost": _cost(record) if solana else f"{_cost(record)} for {record['cost']['gas']:,} gas",
        "ship": record["ship"],
    }
    named = "" if chain["name"] == record["target"] else f"{chain['name']}, "
    title = f"{record['project']} {record['tag']} on {record['target']} ({named}{'genesis' if solana else 'chain'} {_chain(record)})"
    head = [*table([(Cell(title, bold=True),)], indent=0), *table(list(heads.items()))]
    if solana:
        return [*head, *(line for name, rows in program_blocks(record) for line in _block(name, rows))]
    return [
        *head,
        *_block("units", _units(record["units"])),
        *_block("transactions", _transactions(record)),
        *_block("gates", ((_passed(g["status"] == "passed"), g["name"], g["summary"]) for g in record["gates"])),
        *_block("proofs", _proofs(record["proofs"])),
        *_block(
            "checks",
            (
                (_passed(c["passed"]), c["name"], f"{c['call']} of {c['to']} = {printable(str(c['found']), 100)}")
                for c in record["checks"]
            ),
        ),
    ]


def _block(name: str, rows: Iterator[Row] | Sequence[Row]) -> list[str]:
    lines = table(rows)
    return ["", name, *lines] if lines else []


def _units(units: Mapping[str, Any]) -> Iterator[Row]:
    for name, unit in units.items():
        proxy = "" if unit["proxy"] == "none" else unit["proxy"]
        yield name, unit["address"] or ("done" if unit["done"] else ""), unit["change"], proxy
        for part in ("implementation", "beacon", "admin"):
            if unit[part]:
                yield "", unit[part], "", part


def _transactions(record: Mapping[str, Any]) -> Iterator[Row]:
    for t in record["transactions"]:
        earlier = "" if t["plan"] == record["plan"] else "  (an earlier release)"
        yield str(t["nonce"]), t["action"], t["hash"], f"block {t['block_number']}, {t['gas_used']:,} gas{earlier}"


def _proofs(proofs: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for p in proofs:
        readings = f"runtime {p['runtime']}, creation {p['creation']}, re-execution {p['reexecution']}"
        yield _passed(not p["problems"]), p["action"], p["address"], readings


def _passed(passed: bool) -> Cell:
    return state_cell("ok" if passed else "failed")


def render_verified(
    results: Sequence[RecordFindings], *, restore: str = "restore it from version control"
) -> list[str]:
    """One line a finding, and a verdict for each record."""
    if not results:
        return ["There are no release records yet, so there is nothing to verify."]
    lines: list[str] = []
    for result in results:
        rows: list[Row] = [(state_cell(f.state), f.what, printable(f.detail, 400)) for f in result.findings]
        lines += [
            *table([(Cell(result.path, bold=True),)], indent=0),
            *table(rows),
            f"  {_verdict(result, restore)}",
            "",
        ]
    return lines[:-1]


def _verdict(result: RecordFindings, restore: str) -> str:
    match exit_code([result]):
        case 0:
            return "proven: files, signatures and chain agree"
        case 4:
            return "contradicted: do not rely on this record, and find out which side is wrong"
        case 2:
            return f"not proven: a file is missing or altered; {restore}"
        case _:
            return "not proven: the chain did not answer; run it again"
