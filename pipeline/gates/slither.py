"""The gate ``slither``: static analysis of the release build, without compiling again.

Which findings count is decided here and not with Slither's own filters: ``--filter-paths`` drops a finding when *any*
place it names matches (a reentrancy of the project's that passes through a library is lost), and matches absolute paths.
Here a finding is left out only when *every* place it names lies in a dependency or a test. Slither's exit code says
nothing reliable (255 for findings, 1 for failures): its JSON is judged, and a missing one is an error.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chains.canonical import sha256_hex
from chains.errors import printable
from chains.evm.foundry import Workspace
from chains.processes import run_tool
from chains.tools import require_tool
from pipeline.bundle import Bundle
from pipeline.fingerprints import ABSENT, file_digests
from pipeline.gates.base import GateContext, GateError, Verdict
from pipeline.gates.baseline import Accepted, read_baseline
from pipeline.gates.sarif import filter_sarif

__all__ = ["Finding", "Slither", "SlitherConfig"]

Impact = Literal["informational", "low", "medium", "high"]
_RANK = {"optimization": 0, "informational": 1, "low": 2, "medium": 3, "high": 4}
_SHOWN = 30
_OWN_CONFIG = "slither.config.json"


@dataclass(frozen=True)
class SlitherConfig:
    """``[gates] slither``. ``baseline`` is an absolute path; ``exclude`` are detectors not to run."""

    fail_on: Impact = "medium"
    baseline: Path | None = None
    exclude: tuple[str, ...] = ()
    timeout_s: float = 1_800.0


@dataclass(frozen=True)
class Finding:
    """One result of a detector, at the first place that lies in the project."""

    id: str
    check: str
    impact: str
    where: str
    description: str


@dataclass(frozen=True)
class Slither:
    """Fails on findings of ``fail_on`` impact or worse that the baseline does not accept."""

    config: SlitherConfig = SlitherConfig()
    name: str = "slither"

    def question(self, bundle: Bundle, workspace: Workspace) -> Mapping[str, Any]:
        tool = require_tool("slither", workspace.root)
        return {
            "bundle": bundle.digest,
            "slither": tool.version,
            "fail_on": self.config.fail_on,
            "exclude": sorted(self.config.exclude),
            "libs": list(workspace.config.libs),
            "baseline": self._baseline_digest(),
        }

    def _baseline_digest(self) -> str:
        path = self.config.baseline
        if path is None:
            return ABSENT
        read_baseline(path)  # refused before anything runs
        return sha256_hex(path.read_bytes())

    def run(self, context: GateContext) -> Verdict:
        accepted = read_baseline(self.config.baseline) if self.config.baseline else ()
        found = self._findings(context)
        kept = {finding.id for finding in found}
        filter_sarif(context.folder / "slither.sarif", {f.id: f.impact for f in found}, kept)
        return self._judge(found, accepted, context)

    def _findings(self, context: GateContext) -> list[Finding]:
        workspace, report = context.workspace, context.folder / "slither.json"
        slither = require_tool("slither", workspace.root)
        nothing = context.folder / "config.json"
        nothing.write_text("{}")
        command: list[str | Path] = [
            *_interpreter(slither.path), ".", "--ignore-compile", "--compile-force-framework", "foundry",
            "--foundry-build-info-directory", workspace.paths.release, "--json", report, "--sarif",
            context.folder / "slither.sarif", "--config-file", nothing, "--triage-database", context.folder / "triage.json",
            "--disable-color",
        ]  # fmt: skip
        if self.config.exclude:
            command += ["--exclude", ",".join(sorted(self.config.exclude))]
        finished = run_tool(
            command, cwd=workspace.root, timeout_s=self.config.timeout_s, env=workspace.environment, group=context.group
        )
        nothing.unlink()
        try:
            data = json.loads(report.read_bytes())
        except (OSError, ValueError) as error:
            raise GateError(
                f"Slither wrote no report (exit code {finished.exit_code}): {finished.text[-1500:]}",
                remedy="Run `slither .` in the project to see what it needs.",
            ) from error
        if data.get("success") is not True:
            raise GateError(
                f"Slither could not analyse the project: {data.get('error') or finished.text[-1500:]}",
                remedy="Run `slither .` in the project to see what it needs.",
            )
        results = (data.get("results") or {}).get("detectors") or []
        try:
            read = [_finding(result, workspace) for result in results]
        except (KeyError, TypeError, AttributeError) as error:
            raise GateError(
                f"Slither's report has an unknown form ({type(error).__name__}: {error})",
                remedy="Use the version of Slither ship was tried with: `ship doctor` names it.",
            ) from error
        return sorted(
            (finding for finding in read if finding is not None),
            key=lambda f: (-_RANK.get(f.impact.lower(), 4), f.check, f.where, f.id),
        )

    def _judge(self, found: Sequence[Finding], accepted: Sequence[Accepted], context: GateContext) -> Verdict:
        by_id = {entry.id: entry for entry in accepted}
        limit = _RANK[self.config.fail_on]
        # An impact Slither has not had so far counts as high.
        failing = [f for f in found if _RANK.get(f.impact.lower(), 4) >= limit and f.id not in by_id]
        stale = [entry for entry in accepted if entry.id not in {f.id for f in found}]
        details = [_describe(f) for f in failing[:_SHOWN]]
        if len(failing) > _SHOWN:
            details.append(f"… and {len(failing) - _SHOWN} more")
        details += [
            printable(f"accepted by {by_id[f.id].by}: {f.impact} {f.check} at {f.where}: {by_id[f.id].reason}", 500)
            for f in found
            if f.id in by_id
        ]
        details += [
            printable(f"stale in the baseline, no longer found: {e.check} at {e.where} (id {e.id})", 500) for e in stale
        ]
        root = context.workspace.root
        if (root / _OWN_CONFIG).exists():
            details.append(
                f"{_OWN_CONFIG} is not read: it can hide findings without a reason; use the baseline or `exclude`"
            )
        counts = Counter(f.impact.lower() for f in found)
        shown = ", ".join(f"{counts[i]} {i}" for i in sorted(counts, key=lambda i: -_RANK.get(i, 4))) or "no findings"
        notes = [shown]
        notes += [f"{len(found_accepted)} accepted"] if (found_accepted := [f for f in found if f.id in by_id]) else []
        notes += [f"{len(stale)} stale in the baseline"] if stale else []
        summary = "; ".join(notes)
        if failing:
            summary = f"{len(failing)} of {self.config.fail_on} impact or worse ({summary})"
        return Verdict(
            "failed" if failing else "passed",
            summary,
            tuple(details),
            ("slither.json", "slither.sarif"),
            read=file_digests(root, _sources(context.workspace.paths.release), text=True),
        )


def _interpreter(slither: Path) -> list[str | Path]:
    """The script of our own environment runs under our own interpreter (its first line may be too long for the kernel)."""
    if slither.parent == Path(sys.executable).parent:
        return [sys.executable, "-m", "slither"]
    return [slither]


def _sources(release: Path) -> list[str]:
    names: set[str] = set()
    for file in release.glob("*.json"):
        names.update(json.loads(file.read_bytes())["input"]["sources"])
    return sorted(names)


def _finding(result: Mapping[str, Any], workspace: Workspace) -> Finding | None:
    """``None`` when every place it names lies in a dependency or a test."""
    places = [element["source_mapping"] for element in result.get("elements", ()) if element.get("source_mapping")]
    own = [place for place in places if _own(place, workspace)]
    if places and not own:
        return None
    where = _where(own[0]) if own else "the project"
    return Finding(result["id"], result["check"], result["impact"], where, " ".join(result["description"].split()))


def _own(place: Mapping[str, Any], workspace: Workspace) -> bool:
    config = workspace.config
    path = os.path.relpath(place["filename_absolute"], workspace.root)
    if any(config.within(path, folder) for folder in config.libs):
        return False
    if path.endswith(".t.sol"):
        return False
    inside_src = config.within(path, config.src)
    in_tests = config.within(path, config.test) and not config.within(config.src, config.test)
    return inside_src or not in_tests


def _describe(finding: Finding) -> str:
    text = printable(f"{finding.impact} {finding.check} at {finding.where}: {finding.description}", 360)
    return f"{text}\nid {finding.id}"


def _where(place: Mapping[str, Any]) -> str:
    lines = place.get("lines") or []
    path = place.get("filename_relative") or place["filename_absolute"]
    if not lines:
        return str(path)
    return f"{path}#L{lines[0]}" + (f"-L{lines[-1]}" if len(lines) > 1 else "")
