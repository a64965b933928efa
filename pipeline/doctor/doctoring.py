"""The whole look: tools, project, targets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chains.errors import ShipError
from pipeline.doctor.findings import Finding, Report, Section
from pipeline.doctor.target import look_at_target, refused
from pipeline.doctor.tools import look_at_tools
from pipeline.git import current_commit
from pipeline.manifest.errors import ProjectNotFound
from pipeline.manifest.project import PROJECT_FILE, Project, load_project
from pipeline.manifest.target import default_target, list_targets

__all__ = ["examine"]


def examine(root: Path, only: str | None = None) -> Report:
    """Look at everything, or at the tools alone where there is no project. ``only`` names one target.

    Raises ``ProjectNotFound`` when a target is named and there is no project.
    """
    try:
        project: Project | None = load_project(root)
        section = _project_section(project) if project else None
    except ProjectNotFound:
        if only is not None:
            raise
        project = section = None
    except ShipError as error:
        project, section = None, Section("project", "project", "Project", (refused(error, PROJECT_FILE),))
    names = _targets(project, only)
    with ThreadPoolExecutor(max_workers=len(names) + 1) as pool:
        tools = pool.submit(look_at_tools, root, _needed(project))
        looks = [pool.submit(look_at_target, project, name) for name in names] if project else []
        sections = [tools.result(), *([section] if section else []), *(look.result() for look in looks)]
    return Report(tuple(sections))


def _targets(project: Project | None, only: str | None) -> list[str]:
    if project is None:
        return []
    return [only] if only is not None else list(list_targets(project)) or [default_target(project)]


def _needed(project: Project | None) -> set[str]:
    """Programs without which nothing can be released. Outside a project: all that a usual one needs."""
    if project is not None and not project.spec.contracts and project.spec.programs:
        return set()
    needed = {"forge", "anvil"}
    if project is None or project.gates.slither is not None:
        needed.add("slither")
    return needed


def _project_section(project: Project) -> Section:
    spec = project.spec
    counts = {"contracts": len(spec.contracts), "calls": len(spec.all_calls), "checks": len(spec.all_checks)}
    if spec.programs:
        counts = {"programs": len(spec.programs), **counts}
    shown = ", ".join(f"{count} {what if count != 1 else what[:-1]}" for what, count in counts.items())
    findings = [Finding(PROJECT_FILE, "ok", f"{project.name} {project.version}: {shown}", facts=counts)]
    commit = current_commit(project.root)
    if commit.id is None:
        remedy = "Put the project under version control, or records cannot say what they were built from."
        findings.append(Finding("commit", "warn", "not a git repository with a commit", remedy))
    else:
        dirty = " + uncommitted changes" if commit.dirty else ""
        facts = {"commit": commit.id, "dirty": commit.dirty}
        findings.append(Finding("commit", "ok", f"{commit.id[:12]}{dirty}", facts=facts))
    return Section("project", "project", "Project", tuple(findings))
