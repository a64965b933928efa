"""What is released: the version, its commit, and the records that say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.errors import Refused
from pipeline.git import current_commit
from pipeline.journal import read_rows
from pipeline.manifest.project import Project
from pipeline.manifest.target import list_targets
from pipeline.record import load_record, statement, statement_path
from pipeline.records.finding import RecordFile, find_records
from pipeline.release.changelog import changelog_entry
from pipeline.release.errors import NotReady
from pipeline.release.git_work import GitWork
from pipeline.release.version_files import differing_versions
from pipeline.state.local import ProjectState
from pipeline.versioning.files import version_file_problems

__all__ = ["Materials", "Recorded", "gather_materials"]

Reasons = list[tuple[str, str]]


@dataclass(frozen=True)
class Recorded:
    """One target's record of this version. ``before`` is the record of the version it had until then."""

    file: RecordFile
    record: Mapping[str, Any]
    before: Mapping[str, Any] | None

    @property
    def target(self) -> str:
        return self.file.target

    @property
    def sha256(self) -> str:
        return sha256_hex(pretty(self.record))


@dataclass(frozen=True)
class Materials:
    """Everything of a release that lies on this side. ``commit`` is the one that was built and deployed."""

    project: Project
    commit: str
    head: str
    records: tuple[Recorded, ...]
    changes: str

    @property
    def version(self) -> str:
        return self.project.version

    @property
    def tag(self) -> str:
        return f"v{self.version}"

    @property
    def prerelease(self) -> bool:
        return "-" in self.version.partition("+")[0]

    @property
    def title(self) -> str:
        return f"{self.project.name} {self.version}"


def gather_materials(project: Project, version: str | None = None) -> Materials:
    """Read and judge the local files. Raises ``NotReady`` with every reason found.

    ``version``: another than the project's files say, namely the one its candidate was promoted to.
    """
    reasons: Reasons = []
    head = current_commit(project.root)
    if head.id is None:
        reasons.append(("the project is in no git repository", "Commit the project with git."))
    elif head.dirty:
        reasons.append(("the working tree has uncommitted changes", "Commit or remove them: `git status` lists them."))
    reasons += differing_versions(project)
    told = {reason for reason, _ in reasons}
    stated = ((problem.cause, problem.remedy) for problem in version_file_problems(project))
    reasons += [(cause, remedy) for cause, remedy in stated if not any(cause.split()[0] in one for one in told)]
    candidate = f"v{project.version}" if version not in {None, project.version} else None
    project = replace(project, version=version or project.version)
    changes = changelog_entry(project, reasons, candidate.removeprefix("v") if candidate else None)
    records = _records(project, reasons)
    reasons += [
        (
            f"{r.target}: v{version} was not promoted from {candidate} there",
            f"`ship promote {candidate} --chain {r.target}`.",
        )
        for r in records
        if candidate is not None and r.record.get("promoted_from") != candidate
    ]
    commit = _commit(project, head.id, records, reasons)
    if reasons:
        raise NotReady(reasons)
    return Materials(project, commit, head.id or "", tuple(records), changes)


def release_targets(project: Project) -> tuple[str, ...]:
    """Of a candidate those that a promotion requires; else [release] targets, those of [rollout], every manifest."""
    if "-" in project.version.partition("+")[0] and project.spec.promote.require_targets:
        return project.spec.promote.require_targets
    waves = tuple(name for wave in project.spec.rollout.waves for name in wave)
    return project.spec.release.targets or waves or list_targets(project)


def _records(project: Project, reasons: Reasons) -> list[Recorded]:
    targets = release_targets(project)
    if not targets:
        reasons.append(("no target belongs to the release", 'Name them: targets = ["…"] under [release] in ship.toml.'))
    everything = find_records(project.root)
    found = []
    for target in dict.fromkeys(targets):
        own = [file for file in everything if file.target == target]
        this = [file for file in own if file.tag == f"v{project.version}"]
        if not this:
            remedy = f"`ship deploy --chain {target}` releases it there first."
            reasons.append((f"{target} has no record of v{project.version}", remedy))
            continue
        newest = max(this, key=lambda file: file.revision)
        try:
            record = load_record(newest.path)
            _judge(project, newest, record, reasons)
            earlier = [file for file in own if file.tag != newest.tag]
            before = [r for r in (load_record(f.path) for f in earlier) if _rows(r) < _rows(record)]
        except Refused as error:
            reasons.append((f"{newest.shown(project.root)}: {error.cause}", error.remedy))
            continue
        found.append(Recorded(newest, record, max(before, key=_rows, default=None)))
    return found


def _rows(record: Mapping[str, Any]) -> int:
    return int(record["journal"]["rows"])


def _judge(project: Project, file: RecordFile, record: Mapping[str, Any], reasons: Reasons) -> None:
    """The record is whole, is what its journal ended in, and everything in it passed."""
    shown, target = file.shown(project.root), file.target
    restore = f"Restore it from version control; `ship record verify {file.tag} --chain {target}` proves it."
    if file.path.read_bytes() != pretty(record):
        reasons.append((f"{shown} is not as ship wrote it", restore))
    if (record["tag"], record["target"]) != (file.tag, target):
        reasons.append((f"{shown} is of {record['tag']} on {record['target']}", restore))
    if record["dirty"]:
        reasons.append(
            (f"{target} was deployed from uncommitted changes", f"Commit, then `ship deploy --chain {target}` again.")
        )
    stated = statement_path(file.path)
    if not stated.is_file() or stated.read_bytes() != pretty(statement(record, file.path.name)):
        reasons.append((f"{stated.name} is missing or says something else than the record", restore))
    failed = [gate["name"] for gate in record["gates"] if gate["status"] != "passed"]
    failed += [check["name"] for check in record["checks"] if not check["passed"]]
    if failed:
        reasons.append((f"{target}: {', '.join(failed)} did not pass", f"Run `ship deploy --chain {target}` again."))
    _judge_journal(project, file, reasons)


def _judge_journal(project: Project, file: RecordFile, reasons: Reasons) -> None:
    path = ProjectState(project.root).target(file.target).journal
    try:
        rows = read_rows(path, path.read_bytes())[0]
    except OSError as error:
        reasons.append((f"the journal of {file.target} cannot be read: {error.strerror}", "Restore deployments/."))
        return
    last = next((row.kind for row in reversed(rows) if row.kind.startswith("plan.")), "")
    if last not in {"plan.finished", "plan.abandoned"}:
        remedy = f"`ship deploy --chain {file.target}` finishes it."
        reasons.append((f"{file.target} is not final: a deployment there is not finished", remedy))
    named = file.path.relative_to(project.root).as_posix()
    ended = [row.data["sha256"] for row in rows if row.kind == "plan.finished" and row.data.get("record") == named]
    if not ended or ended[-1] != sha256_hex(file.path.read_bytes()):
        reasons.append(
            (f"the journal of {file.target} does not name this {named}", "Restore both from version control.")
        )


def _commit(project: Project, head: str | None, records: list[Recorded], reasons: Reasons) -> str:
    """The commit of the records: the tag stands for what was built, and only records may have been added since."""
    commits = {str(r.record["commit"]): r.target for r in records}
    if None in {r.record["commit"] for r in records}:
        reasons.append(("a target was deployed outside git", "Deploy it again from the repository."))
        return ""
    if len(commits) > 1:
        shown = ", ".join(f"{target} {commit[:12]}" for commit, target in commits.items())
        reasons.append((f"the targets hold different commits: {shown}", "Deploy all of them from one commit."))
        return ""
    commit = next(iter(commits), head or "")
    if head and commit != head and not GitWork(project.root).same_project(commit, head):
        reasons.append(
            (
                f"what was deployed is commit {commit[:12]}, and HEAD ({head[:12]}) has other sources",
                "Check that commit out, or deploy this one.",
            )
        )
    return commit
