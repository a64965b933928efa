"""Building an Anchor workspace with the tools that are there, or taking what was built before."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from chains.base import Progress
from chains.errors import Refused, Where
from chains.processes import ProcessGroup, run_tool
from chains.tools import base_environment

__all__ = ["ProgramBuildFailed", "ProgramToolMissing", "compile_programs"]

_BUILD_S = 1_800.0
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "anchor": ("anchor", "build"),
    "anchor-verifiable": ("anchor", "build", "--verifiable"),
    "cargo-build-sbf": ("cargo-build-sbf",),
}


class ProgramToolMissing(Refused):
    """SHIP-B33: the project asks for a build tool that is not on PATH."""

    code = "SHIP-B33"


class ProgramBuildFailed(Refused):
    """SHIP-B34: the programs do not build."""

    code = "SHIP-B34"


def compile_programs(
    root: Path, how: str, *, progress: Progress | None = None, group: ProcessGroup | None = None
) -> str:
    """Build the workspace in ``root`` the way ``[solana] build`` says; gives what built it, with its version.

    Raises ``ProgramToolMissing`` and ``ProgramBuildFailed`` with the end of the tool's output.
    """
    way = _way(root, how)
    if way == "prebuilt":
        return "prebuilt"
    command = _COMMANDS[way]
    if shutil.which(command[0]) is None:
        raise ProgramToolMissing(
            f"{command[0]} is not on PATH, and [solana] build = {how!r} asks for it",
            remedy='Install it, or build elsewhere and write build = "prebuilt".',
        )
    if progress is not None:
        progress.note(f"building programs: {' '.join(command)}")
    done = run_tool(command, cwd=root, timeout_s=_BUILD_S, env=base_environment(), group=group)
    if done.exit_code:
        tail = "\n".join(done.text.splitlines()[-20:])
        raise ProgramBuildFailed(
            f"{' '.join(command)} ended with {done.exit_code}:\n{tail}",
            where=Where(str(root)),
            remedy="Repair the build.",
        )
    asked = run_tool((command[0], "--version"), cwd=root, timeout_s=60.0, env=base_environment(), group=group)
    version = asked.text.splitlines()
    return f"{' '.join(command)} ({version[0] if version else 'no version'})"


def _way(root: Path, how: str) -> str:
    if how != "auto":
        return how
    rust = any(root.glob("programs/*/Cargo.toml"))
    if rust and shutil.which("anchor") and (root / "Anchor.toml").is_file():
        return "anchor"
    return "cargo-build-sbf" if rust and shutil.which("cargo-build-sbf") else "prebuilt"
