"""A record of a Solana target for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chains.errors import printable
from pipeline.programs.text import sol
from pipeline.ui.table import Row, state_cell

__all__ = ["program_blocks", "program_chain", "program_cost"]


def program_cost(record: Mapping[str, Any]) -> str:
    """What it took: fees, and rent that stays on chain."""
    cost = record["cost"]
    return sol(int(cost["lamports"]) + int(cost["rent_lamports"]))


def program_chain(record: Mapping[str, Any]) -> str:
    """There is no chain id: a cluster is known by its genesis."""
    return f"{record['chain']['genesis_hash'][:12]}…"


def program_blocks(record: Mapping[str, Any]) -> Iterator[tuple[str, list[Row]]]:
    """By the blocks' names."""
    yield "units", list(_units(record["units"]))
    yield "transactions", list(_transactions(record))
    yield "gates", [(_passed(g["status"] == "passed"), g["name"], g["summary"]) for g in record["gates"]]
    yield (
        "proofs",
        [(_passed(not p["problems"]), p["name"], p["address"], _proof(p)) for p in record["proofs"]],
    )
    yield (
        "checks",
        [
            (_passed(c["passed"]), c["name"], f"{c['call']} = {printable(str(c['found']), 100)}")
            for c in record["checks"]
        ],
    )


def _passed(passed: bool) -> Any:
    return state_cell("ok" if passed else "failed")


def _units(units: Mapping[str, Any]) -> Iterator[Row]:
    for name, unit in units.items():
        if unit["kind"] == "program":
            yield name, unit["address"], unit["change"], f"authority {unit['authority']}"
        else:
            yield name, f"instruction of {unit['program']}", unit["change"], ""


def _transactions(record: Mapping[str, Any]) -> Iterator[Row]:
    for t in record["transactions"]:
        where = f"slot {t['slot']}" if "slot" in t else ""
        writes = f"{t['writes']:,} writes to {t['buffer']}" if t.get("writes") else ""
        yield t["action"], t["step"], t["signature"], ", ".join(text for text in (where, writes) if text)


def _proof(proof: Mapping[str, Any]) -> str:
    ways = {"match": "byte for byte", "hash": "by its hash", "differs": "differs"}
    return f"{ways[proof['bytes']]}, sha256 {proof['sha256'][:16]}, slot {proof['slot']}"
