"""The programs on this machine, and ship itself."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from chains.errors import ShipError
from chains.processes import run_tool
from chains.tools import ToolMissing, base_environment, compiler_store, require_tool
from pipeline import __version__
from pipeline.doctor.findings import Finding, Section

__all__ = ["look_at_tools"]

_OLDEST_PYTHON = (3, 11)
_VERSION_S = 20.0


def look_at_tools(root: Path, needed: Collection[str]) -> Section:
    """ship, Python, and every program a release runs. Those not in ``needed`` only give a warning when they are missing."""
    looks: list[Callable[[], Finding]] = [_ship, _python]
    looks += [partial(_own_tool, name, root, needed=name in needed) for name in ("forge", "anvil", "cast", "slither")]
    looks += [
        partial(_compilers, root),
        partial(_other, "git", "records then name no commit; install git"),
        partial(_other, "node", "only needed where compilers come from npm (scripts/bootstrap)"),
    ]
    with ThreadPoolExecutor(max_workers=len(looks)) as pool:
        return Section("tools", "tools", "Tools", tuple(pool.map(lambda look: look(), looks)))


def _ship() -> Finding:
    return Finding("ship", "ok", __version__, facts={"version": __version__})


def _python() -> Finding:
    version = platform.python_version()
    facts = {"version": version, "path": sys.executable}
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("python", "wrong", version, "Install Python 3.11 or newer, and ship in it.", facts)
    return Finding("python", "ok", f"{version}  {sys.executable}", facts=facts)


def _own_tool(name: str, root: Path, *, needed: bool) -> Finding:
    try:
        tool = require_tool(name, root)
    except ToolMissing as error:
        return Finding(name, "missing" if needed else "warn", _unless_needed(error.cause, needed), error.remedy)
    except ShipError as error:
        return Finding(name, "wrong" if needed else "warn", _unless_needed(error.cause, needed), error.remedy)
    facts = {"version": tool.version, "path": str(tool.path)}
    return Finding(name, "ok", f"{tool.version}  {tool.path}", facts=facts)


def _unless_needed(cause: str, needed: bool) -> str:
    return cause if needed else f"{cause} (not needed here)"


def _compilers(root: Path) -> Finding:
    home = compiler_store(root)
    if home is None:
        return Finding("solc", "ok", "forge fetches the compilers it needs", facts={"versions": []})
    versions = sorted((entry.name for entry in (home / ".svm").iterdir()), key=_numbers)
    return Finding("solc", "ok", f"{', '.join(versions)}  {home / '.svm'}", facts={"versions": versions})


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _other(name: str, without: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, "warn", f"{name} is not on PATH", f"{without[0].upper()}{without[1:]}.")
    try:
        finished = run_tool([path, "--version"], cwd=Path.cwd(), timeout_s=_VERSION_S, env=base_environment())
    except ShipError as error:
        return Finding(name, "warn", error.cause, error.remedy)
    match = re.search(r"\d+\.\d+\.\d+", finished.stdout.decode(errors="replace"))
    version = match[0] if match else "unknown version"
    return Finding(name, "ok", f"{version}  {path}", facts={"version": version, "path": path})
