"""A release record is a function of the journal: the same bytes whenever and however often it is derived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.canonical import sha256_hex
from chains.evm.actions import PlannedUnit
from chains.evm.live import LiveUnit
from pipeline.journal import Journal
from pipeline.plan import Plan
from pipeline.record import RecordInvalid, derive_record, load_record, statement_path, write_record
from tests.support import fault_proxy as fp
from tests.support.anvil import anvil
from tests.support.deployment import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with anvil() as node, fp.fault_proxy(node.url) as proxy:
        yield Rig(node, proxy, tmp_path / "journal.jsonl").usual()


def released(rig: Rig) -> tuple[Plan, Journal]:
    """The rig's plan, deployed and proven."""
    from dataclasses import replace

    units = tuple(
        PlannedUnit(a.unit, "create", "new", LiveUnit(a.unit, address=a.address).to_json()) for a in rig.plan.actions
    )
    rig.plan = replace(rig.plan, units=units)
    plan = Plan("acme", "1.0.0", "local", "c" * 40, False, "b" * 64, "1" * 64, "2" * 64, rig.plan)
    rig.digest = plan.digest
    journal = Journal(rig.path)
    journal.append("plan.accepted", {"plan": plan.digest, "approved_by": "--yes", "gates": []})
    journal.close()
    rig.run()
    journal = Journal(rig.path)
    journal.append("plan.proven", {"plan": plan.digest, "proofs": [], "checks": [], "ship": "0.1.0"})
    return plan, journal


def test_the_same_journal_gives_the_same_record(rig: Rig, tmp_path: Path) -> None:
    plan, journal = released(rig)
    first = derive_record(plan, {plan.digest: plan.body}, journal.rows)
    sha256 = write_record(tmp_path / "r.json", first)
    before = {p.name: p.read_bytes() for p in (tmp_path / "r.json", statement_path(tmp_path / "r.json"))}
    # What comes later in the journal, another process, a second writing: nothing changes.
    journal.append("plan.finished", {"plan": plan.digest, "record": "r.json", "sha256": sha256})
    journal.close()
    again = Journal(rig.path)
    assert write_record(tmp_path / "r.json", derive_record(plan, {plan.digest: plan.body}, again.rows)) == sha256
    again.close()
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "r.json", statement_path(tmp_path / "r.json"))}


def test_the_record_tells_what_the_chain_tells(rig: Rig, tmp_path: Path) -> None:
    plan, journal = released(rig)
    record: dict[str, Any] = derive_record(plan, {plan.digest: plan.body}, journal.rows)
    journal.close()
    write_record(tmp_path / "r.json", record)
    assert load_record(tmp_path / "r.json") == json.loads(json.dumps(record))
    spent = 0
    for transaction, action in zip(record["transactions"], plan.body.actions, strict=True):
        receipt = rig.node.call("eth_getTransactionReceipt", transaction["hash"])
        assert int(receipt["blockNumber"], 16) == transaction["block_number"]
        assert receipt["blockHash"] == transaction["block_hash"]
        assert transaction["address"] == action.address
        spent += int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
    assert record["cost"]["wei"] == str(spent)
    statement = json.loads(statement_path(tmp_path / "r.json").read_bytes())
    assert statement["subject"][0] == {
        "name": "r.json",
        "digest": {"sha256": sha256_hex((tmp_path / "r.json").read_bytes())},
    }
    assert {u: record["units"][u]["address"] for u in ("First", "Second")} == {
        a.unit: a.address for a in plan.body.actions[:2]
    }


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema":2,"kind":"contract-ship/record"}', "[" * 99_999, '{"schema":1.5}']
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(RecordInvalid) as caught:
        load_record(tmp_path / "r.json")
    assert caught.value.exit_code == 2
