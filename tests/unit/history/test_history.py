"""The history of a target, from real journals and records as commands write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.canonical import pretty, sha256_hex
from pipeline.history.reading import NothingHappened, read_history
from pipeline.history.text import render
from pipeline.journal import Journal
from pipeline.state.local import ProjectState

NEW, OLD = "0x" + "11" * 20, "0x" + "22" * 20


def _record(version: str, plan: str, **more: Any) -> dict[str, Any]:
    return {
        "schema": 1, "kind": "contract-ship/record", "project": "acme", "version": version, "tag": f"v{version}",
        "target": "base", "commit": "c" * 40, "dirty": False, "bundle": "b" * 64, "plan": plan, "signer": OLD,
        "approved_by": "prompt", "accepted_at": "2026-01-01T00:00:00Z", "proven_at": "2026-01-01T00:00:01Z",
        "units": {"A": {"change": "create", "address": NEW}, "B": {"change": "unchanged", "address": OLD}},
        "transactions": [{"plan": plan}, {"plan": "0" * 64}], **more,
    }  # fmt: skip


class Project:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = Journal(ProjectState(root).target("base").journal)

    def finish(self, name: str, record: dict[str, Any]) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pretty(record))
        accepted = {key: record[key] for key in ("plan", "version", "commit", "dirty", "approved_by")}
        self.journal.append("plan.accepted", {**accepted, "bundle": record.get("bundle")})
        sha256 = sha256_hex(pretty(record))
        self.journal.append("plan.finished", {"plan": record["plan"], "record": name, "sha256": sha256})
        return path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    made.journal.close()


def test_every_kind_in_the_journals_order(project: Project) -> None:
    project.finish("releases/v0.9.0/base.json", _record("0.9.0", "1" * 64, way="adopted"))
    approvals = [{"approver": "ann", "address": NEW}, {"approver": "ben", "address": OLD}]
    project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64, approvals=approvals))
    moved = [{"unit": "A", "title": "grant", "contract": NEW}, {"unit": None, "title": None, "contract": OLD}]
    rotation = {**_record("1.0.0", "3" * 64), "kind": "contract-ship/rotation", "from": OLD, "to": NEW, "moved": moved}
    for key in ("tag", "units", "transactions", "signer", "proven_at"):
        rotation.pop(key)
    project.finish("releases/v1.0.0/base.rotation-1.json", rotation)
    back = _record("0.9.0", "4" * 64, way="rollback", rolls_back="v1.0.0", returns_to="v0.9.0")
    project.finish("releases/v0.9.0/base.2.json", back)
    (project.root / "releases/v0.9.0/base.rollback.json").write_text('{"kind": "contract-ship/rollback"}')
    events = read_history(project.root).events
    assert [(e.kind, e.tag, e.transactions) for e in events] == [
        ("adoption", "v0.9.0", 1),
        ("release", "v1.0.0", 1),
        ("rotation", "v1.0.0", 2),
        ("rollback", "v0.9.0", 1),
    ]
    assert [(c.what, c.change) for c in events[1].changes] == [("A", "create")]
    assert events[1].approvers == ("ann", "ben")
    assert [(c.what, c.change) for c in events[2].changes] == [("A", "rights"), (OLD, "rights"), ("signer", "rotated")]
    assert (events[3].changes[0].what, events[3].changes[0].detail) == ("v1.0.0", "to v0.9.0")
    assert all(event.notes == () for event in events)
    assert sum("approved by" in line for line in render(read_history(project.root))) == 4


def test_what_was_given_up_or_is_under_way_is_no_event(project: Project) -> None:
    record = _record("1.0.0", "2" * 64)
    project.journal.append("plan.accepted", {"plan": "9" * 64, "version": "1.0.0"})
    project.journal.append("plan.abandoned", {"plan": "9" * 64, "reason": "--replan"})
    assert read_history(project.root).events == ()
    project.finish("releases/v1.0.0/base.json", record)
    project.journal.append("plan.accepted", {"plan": "8" * 64, "version": "1.1.0"})
    assert [event.plan for event in read_history(project.root).events] == ["2" * 64]


def test_a_record_that_is_missing_or_altered_is_told(project: Project) -> None:
    gone = project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64))
    altered = project.finish("releases/v1.1.0/base.json", _record("1.1.0", "3" * 64))
    gone.unlink()
    altered.write_bytes(pretty({**json.loads(altered.read_bytes()), "approved_by": "nobody"}))
    first, second = read_history(project.root).events
    assert (first.version, first.tag, first.approved_by, first.notes) == (
        "1.0.0",
        "v1.0.0",
        "prompt",
        ("the record is missing, or cannot be read",),
    )
    assert "not the one that the journal names" in second.notes[0]


@pytest.mark.parametrize("damage", [{"units": []}, {"units": {"A": 1}}, {"transactions": {}}, {"version": 1}])
def test_a_record_of_another_shape_is_told(project: Project, damage: dict[str, Any]) -> None:
    path = project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64))
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **damage}))
    (event,) = read_history(project.root).events
    assert (event.version, event.notes) == ("1.0.0", ("the record is missing, or cannot be read",))


def test_a_record_no_journal_names_stands_where_its_time_puts_it(project: Project) -> None:
    project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64))
    other = project.root / "releases/v0.5.0/base.json"
    other.parent.mkdir()
    other.write_bytes(pretty(_record("0.5.0", "7" * 64, proven_at="2020-01-01T00:00:00Z")))
    events = read_history(project.root).events
    assert [(event.version, event.notes) for event in events] == [
        ("0.5.0", ("no journal names this record",)),
        ("1.0.0", ()),
    ]


def test_a_damaged_journal_is_a_problem_and_its_records_still_show(project: Project) -> None:
    project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64))
    path = ProjectState(project.root).target("base").journal
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    history = read_history(project.root)
    assert [problem.target for problem in history.problems] == ["base"]
    assert [event.notes for event in history.events] == [("no journal names this record",)]


def test_a_target_without_a_past_is_refused(project: Project) -> None:
    project.finish("releases/v1.0.0/base.json", _record("1.0.0", "2" * 64))
    with pytest.raises(NothingHappened) as caught:
        read_history(project.root, "optimism")
    assert caught.value.remedy == "There are: base."
