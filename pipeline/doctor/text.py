"""The doctor's report for people."""

from __future__ import annotations

from pipeline.doctor.findings import Report
from pipeline.ui.table import Cell, Row, state_cell, table

__all__ = ["render_report"]


def render_report(report: Report) -> list[str]:
    """One block a subject, every finding on a line, with its remedy below when it is not ok."""
    findings = [f for section in report.sections for f in section.findings]
    widths = max(len(f.state) for f in findings), max(len(f.item) for f in findings)
    lines: list[str] = []
    for section in report.sections:
        rows: list[Row] = []
        for finding in section.findings:
            state = state_cell(finding.state)
            padded = Cell(f"{state.text:<{widths[0]}}", state.colour)
            rows.append((padded, f"{finding.item:<{widths[1]}}", finding.found))
            if finding.state != "ok" and finding.remedy:
                rows.append((" " * widths[0], " " * widths[1], Cell(f"→ {finding.remedy}", "cyan")))
        lines += [*table([(Cell(section.title, bold=True),)], indent=0), *table(rows), ""]
    return [*lines, _last_line(report)]


def _last_line(report: Report) -> str:
    bad, warnings = report.count("missing", "wrong"), report.count("warn")
    noted = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    if report.ok:
        return f"Everything a release needs is here{noted}."
    return f"{bad} thing{'s' if bad != 1 else ''} to put right before a release{noted}."
