"""The tests of Solana programs: a command of the project's, over the very bytes that are released.

Nothing is remembered from one run to the next: what the command reads is not known.
"""

from __future__ import annotations

import os

from chains.base import Progress
from chains.processes import ProcessGroup, run_tool
from chains.tools import base_environment
from pipeline.bundle import Bundle
from pipeline.gates.base import GateResult
from pipeline.gates.runner import GatesFailed
from pipeline.making import program_files
from pipeline.manifest.gates_spec import ProgramTestsGate
from pipeline.manifest.project import Project

__all__ = ["run_program_tests"]

NAME = "program-tests"
_LINES = 40


def run_program_tests(project: Project, bundle: Bundle, asked: ProgramTestsGate, progress: Progress) -> GateResult:
    """The result, a pass. Raises ``GatesFailed``, and what ``run_tool`` raises.

    The command finds the programs where the build put them; that those are the bundle's is held before and after it ran.
    ``SHIP_BUNDLE`` names the bundle's folder.
    """
    environment = {**base_environment(), "SHIP_BUNDLE": str(bundle.folder), "PATH": os.environ.get("PATH", "")}
    progress.item(NAME, "running", asked.command[0])
    before = _same_bytes(project, bundle)
    done = run_tool(
        asked.command,
        cwd=project.root / project.solana.root,
        timeout_s=float(asked.timeout_s),
        env=environment,
        group=ProcessGroup(),
    )
    tail = tuple(done.text.splitlines()[-_LINES:])
    changed = [name for name in bundle.programs if not (before[name] and _same_bytes(project, bundle)[name])]
    if changed:
        summary = f"{', '.join(changed)} in the workspace is not what was built for this release"
    elif done.exit_code:
        summary = f"{' '.join(asked.command)} ended with {done.exit_code}"
    else:
        summary = f"{' '.join(asked.command)} passed"
    failed = bool(changed or done.exit_code)
    result = GateResult(
        NAME, "failed" if failed else "passed", summary, tail if failed else (), bundle.digest, done.duration_s
    )
    progress.item(NAME, result.status, summary)
    if failed:
        raise GatesFailed((result,))
    return result


def _same_bytes(project: Project, bundle: Bundle) -> dict[str, bool]:
    found = program_files(project)
    return {name: found[name]["so"] == bundle.program(name, "so") for name in bundle.programs}
