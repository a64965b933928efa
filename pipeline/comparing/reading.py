"""The records and bundles that ``ship diff`` compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.errors import Refused
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.comparing.comparing import Side, compare
from pipeline.manifest.project import Project
from pipeline.records.finding import RecordFile, find_records, load
from pipeline.state.local import ProjectState

__all__ = ["NothingInCommon", "diff"]


class NothingInCommon(Refused):
    """SHIP-C31: no target has a record of both versions."""

    code = "SHIP-C31"


def diff(project: Project, old: str, new: str, target: str | None) -> dict[str, Any]:
    """The document of ``ship diff --json``. Raises ``RecordNotFound``, ``BundleDamaged`` and ``NothingInCommon``."""
    root = project.root
    before, after = _newest(root, old, target), _newest(root, new, target)
    common = sorted({*before} & {*after})
    if not common:
        raise NothingInCommon(
            f"no target has a record of both {old} ({', '.join(sorted(before))}) and {new} ({', '.join(sorted(after))})",
            remedy="Name two versions that one target had.",
        )
    return {
        "schema": 1,
        "kind": "contract-ship/diff",
        "project": project.name,
        "from": next(iter(before.values())).tag,
        "to": next(iter(after.values())).tag,
        "targets": [compare(name, _side(root, before[name]), _side(root, after[name])) for name in common],
        "only_before": sorted({*before} - {*after}),
        "only_after": sorted({*after} - {*before}),
    }


def _newest(root: Path, version: str, target: str | None) -> Mapping[str, RecordFile]:
    """Of several revisions the last, leaving out rollbacks to this version as long as there is its own release."""
    files: dict[str, RecordFile] = {}
    for file in find_records(root, version, target):
        if file.target not in files or load(file).get("way") != "rollback":
            files[file.target] = file
    return files


def _side(root: Path, file: RecordFile) -> Side:
    record = load(file)
    bundle: Bundle | None
    try:
        bundle = load_bundle(ProjectState(root).bundles, str(record["bundle"]))
    except BundleMissing:
        bundle = None
    return Side(file.shown(root), record, bundle)
