"""Reading the history: a journal says what was finished and in which order, the record beside it what that was.

A record that no journal names is shown too, and said to be so: the journal may have been lost, or the record put there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.base import Row
from chains.canonical import sha256_hex
from chains.errors import Refused, ShipError
from chains.jsontext import read_json
from pipeline.history.model import Changed, Event, History, Kind, Problem
from pipeline.journal import read_rows
from pipeline.state.local import ProjectState

__all__ = ["NothingHappened", "read_history"]

_ERRANDS: Mapping[str, Kind] = {
    "contract-ship/rotation": "rotation",
    "contract-ship/finalization": "finalization",
    "contract-ship/buffers-closed": "buffers",
}
"""What is no release, by the kind of its record."""
_BY_NAME = {
    ".rotation-": "contract-ship/rotation",
    ".finalize-": "contract-ship/finalization",
    ".buffers-": "contract-ship/buffers-closed",
}
_CHANGED = {"rotation": "rights", "finalization": "immutable", "buffers": "closed"}
_RECORDS = {"contract-ship/record", *_ERRANDS}
_QUIET = {"unchanged", "skip"}


class NothingHappened(Refused):
    """SHIP-C30: no journal and no record of the target."""

    code = "SHIP-C30"


def read_history(root: Path, target: str | None = None) -> History:
    """Every target's events, or those of ``target``. Raises ``NothingHappened`` where a named target has neither file."""
    records = dict(_records(root))
    state = ProjectState(root)
    journals = {path.parent.name for path in (root / "deployments").glob("*/journal.jsonl")}
    names = sorted({*journals, *(str(r["target"]) for r in records.values())})
    if target is not None and target not in names:
        raise NothingHappened(
            f"there is neither a journal nor a record of {target}",
            remedy=f"There are: {', '.join(names)}." if names else "`ship deploy` makes the first.",
        )
    events: list[Event] = []
    problems: list[Problem] = []
    for name in names if target is None else [target]:
        own = {path: record for path, record in records.items() if record["target"] == name}
        rows: Sequence[Row] = ()
        if name in journals:
            path = state.target(name).journal
            try:
                rows = read_rows(path, path.read_bytes())[0]
            except OSError as error:
                problems.append(Problem(name, f"the journal cannot be read: {error.strerror}"))
            except ShipError as error:
                problems.append(Problem(name, error.cause))
        events += _events(root, name, rows, own)
    return History(tuple(events), tuple(problems))


def _records(root: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Records of releases and rotations by their path. Other files below releases/ are none of ours."""
    for path in sorted((root / "releases").glob("*/*.json")):
        try:
            data = read_json(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and data.get("kind") in _RECORDS and _sound(data):
            yield path.relative_to(root).as_posix(), data


def _sound(data: Mapping[str, Any]) -> bool:
    """Whether all that is read of a record here is of the kind it should be; what else is wrong `ship record verify` says."""
    units = data.get("units", {})
    lists = [data.get(key, []) for key in ("transactions", "moved", "approvals")]
    return (
        isinstance(data.get("target"), str)
        and isinstance(units, dict)
        and all(isinstance(unit, dict) for unit in units.values())
        and all(isinstance(each, list) and all(isinstance(one, dict) for one in each) for each in lists)
        and all(
            isinstance(data.get(key, ""), str | None) for key in ("version", "tag", "commit", "approved_by", "plan")
        )
    )


def _events(root: Path, target: str, rows: Sequence[Row], records: Mapping[str, Mapping[str, Any]]) -> Iterator[Event]:
    accepted = {row.data["plan"]: row for row in rows if row.kind == "plan.accepted"}
    named: set[str] = set()
    listed: list[tuple[str, Event]] = []
    for row in rows:
        if row.kind == "plan.finished":
            path = str(row.data["record"])
            named.add(path)
            event = _finished(root, target, row, accepted.get(row.data["plan"]), records.get(path))
            listed.append((row.at, event))
    for path, record in records.items():
        if path not in named:
            at = str(record.get("proven_at") or record.get("accepted_at") or "")
            listed.append((at, _event(target, record, path, at or None, ("no journal names this record",))))
    # The journal's own order stays: its clock may have been set back, its rows cannot.
    yield from (event for _, event in _merged(listed, len(named)))


def _merged(listed: list[tuple[str, Event]], of_journal: int) -> list[tuple[str, Event]]:
    merged = listed[:of_journal] if len(listed) >= of_journal else list(listed)
    for at, event in sorted(listed[len(merged) :], key=lambda pair: pair[0]):
        place = next((i for i, (other, _) in enumerate(merged) if other > at), len(merged))
        merged.insert(place, (at, event))
    return merged


def _finished(root: Path, target: str, row: Row, accepted: Row | None, record: Mapping[str, Any] | None) -> Event:
    path = str(row.data["record"])
    if record is None:
        known: Mapping[str, Any] = accepted.data if accepted is not None else {}
        kind = next((kind for part, kind in _BY_NAME.items() if part in path), "contract-ship/record")
        stand_in = {
            **known,
            "kind": kind,
            "plan": row.data["plan"],
            "tag": path.split("/")[1] if path.count("/") == 2 else None,
        }
        return _event(target, stand_in, path, row.at, ("the record is missing, or cannot be read",))
    notes = []
    if sha256_hex((root / path).read_bytes()) != row.data.get("sha256"):
        notes.append("the record is not the one that the journal names: `ship record verify` says what differs")
    return _event(target, record, path, row.at, tuple(notes))


def _event(target: str, record: Mapping[str, Any], path: str, at: str | None, notes: tuple[str, ...]) -> Event:
    version = record.get("version")
    approvals = record.get("approvals", ())
    transactions = record.get("transactions", record.get("moved"))
    own = [t for t in transactions or () if t.get("plan", record.get("plan")) == record.get("plan")]
    return Event(
        kind=_kind(record),
        target=target,
        version=version,
        tag=record.get("tag") or (path.split("/")[1] if path.count("/") == 2 else None),
        commit=record.get("commit"),
        dirty=record.get("dirty"),
        at=at,
        approved_by=record.get("approved_by"),
        approvers=tuple(str(approval["approver"]) for approval in approvals if "approver" in approval),
        signer=record.get("signer") or record.get("from"),
        plan=record.get("plan"),
        bundle=record.get("bundle"),
        changes=tuple(_changes(record)),
        transactions=len(own) if transactions is not None else None,
        record=path,
        notes=notes,
    )


def _kind(record: Mapping[str, Any]) -> Kind:
    if (errand := _ERRANDS.get(str(record.get("kind")))) is not None:
        return errand
    way = record.get("way")
    return "rollback" if way == "rollback" else "adoption" if way == "adopted" else "release"


def _changes(record: Mapping[str, Any]) -> Iterator[Changed]:
    errand = _ERRANDS.get(str(record.get("kind")))
    if errand is not None:
        for moved in record.get("moved", ()):
            unit = str(moved.get("unit") or moved.get("contract") or "?")
            yield Changed(unit, _CHANGED[errand], str(moved.get("title") or ""))
        if record.get("to"):
            yield Changed("signer", "rotated", f"{record.get('from')} → {record['to']}")
        return
    if record.get("way") == "rollback":
        yield Changed(
            str(record.get("rolls_back")), "rolled back", f"to {record.get('returns_to') or 'what was there before'}"
        )
    for name, unit in record.get("units", {}).items():
        change = str(unit.get("change", "adopt"))
        if change not in _QUIET:
            yield Changed(
                name, change, str(unit.get("implementation") or unit.get("address") or unit.get("program") or "")
            )
