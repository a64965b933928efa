"""Building a Foundry project for release."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Progress
from chains.canonical import sha256_hex
from chains.errors import Refused, Where
from chains.evm.build_info import Contract, read_build_info
from chains.evm.forge_config import ForgeConfig, read_config
from chains.processes import Finished, ProcessGroup, run_tool
from chains.tools import Tool, compiler_store, forge_environment, require_tool

__all__ = ["BuildFailed", "BuildOutput", "BuildPaths", "CompilerMissing", "Workspace", "build", "open_workspace"]

BUILD_TIMEOUT_S = 1_800.0


class BuildFailed(Refused):
    """SHIP-B11: the compiler refused the sources."""

    code = "SHIP-B11"


class CompilerMissing(Refused):
    """SHIP-B12: a compiler the project needs is not on this machine."""

    code = "SHIP-B12"


@dataclass(frozen=True)
class BuildPaths:
    """Where forge writes; absolute. ``build_info`` gets a file for each compiler run, those of the tests too; ``release``
    keeps the ones of the release build alone."""

    out: Path
    cache: Path
    build_info: Path
    release: Path


@dataclass(frozen=True)
class Workspace:
    """A project and where its release build lies. ``environment`` is what forge runs with, for the build and the tests.

    ``own_compilers``: the compilers of our toolchain folder serve it, not the user's.
    """

    root: Path
    config: ForgeConfig
    forge: Tool
    paths: BuildPaths
    environment: Mapping[str, str]
    own_compilers: bool


@dataclass(frozen=True)
class BuildOutput:
    """A finished release build."""

    workspace: Workspace
    contracts: tuple[Contract, ...]

    @property
    def sources(self) -> dict[str, str]:
        """Every source the compiler read: its name, and sha256 of the text it was given."""
        read = {}
        for run in {id(contract.input): contract.input for contract in self.contracts}.values():
            read.update({name: sha256_hex(source["content"].encode()) for name, source in run["sources"].items()})
        return read


def _paths(config: ForgeConfig, work: Path) -> BuildPaths:
    # The developer's own out/ and cache/ stay as they are, unless the project's tests read from out/: then they must find
    # the release build there.
    if config.tests_read_out:
        out, cache = config.root / config.raw["out"], config.root / config.raw["cache_path"]
    else:
        out, cache = work / "out", work / "cache"
    return BuildPaths(out, cache, work / "build-info", work / "release")


def build_environment(paths: BuildPaths, env: Mapping[str, str]) -> dict[str, str]:
    """``env`` and the settings of a release build; they win over foundry.toml and touch no byte of any contract."""
    return {
        **env,
        "FOUNDRY_OUT": str(paths.out),
        "FOUNDRY_CACHE_PATH": str(paths.cache),
        "FOUNDRY_CACHE": "true",
        "FOUNDRY_BUILD_INFO": "true",
        "FOUNDRY_BUILD_INFO_PATH": str(paths.build_info),
        "FOUNDRY_EXTRA_OUTPUT": '["metadata","storageLayout"]',
        "FOUNDRY_LINT": "{lint_on_build=false}",
    }


def _targets(config: ForgeConfig, wanted: Iterable[str]) -> list[str]:
    """``src``, and every wanted file that lies elsewhere (a contract of a library, a script)."""
    targets = [config.src]
    for source in wanted:
        path = source.rpartition(":")[0] or source
        known = any(path == target or config.within(path, target) for target in targets)
        if path.endswith(".sol") and not known and (config.root / path).is_file():
            targets.append(path)
    return targets


def open_workspace(root: Path, work: Path, *, own_compilers: bool = True) -> Workspace:
    """Find forge and read the project's settings, compiling nothing. ``work`` is where release builds go.

    Raises ``ToolMissing``, ``ToolUnsuitable`` and ``ProjectUnreadable``.
    """
    root, work = root.resolve(), work.resolve()
    forge = require_tool("forge", root)
    own_compilers = own_compilers and compiler_store(root) is not None
    env = forge_environment(root, own_compilers=own_compilers)
    config = read_config(root, forge.path, env)
    paths = _paths(config, work)
    return Workspace(root, config, forge, paths, build_environment(paths, env), own_compilers)


def build(
    root: Path,
    work: Path,
    wanted: Sequence[str] = (),
    *,
    progress: Progress | None = None,
    group: ProcessGroup | None = None,
    timeout_s: float = BUILD_TIMEOUT_S,
) -> BuildOutput:
    """Compile the Foundry project at ``root`` from nothing, with its own settings, into ``work``.

    Compiled are ``src`` and the files of the ``wanted`` sources, not the tests. Raises ``BuildFailed`` with the
    compiler's words, ``CompilerMissing``, and what ``open_workspace`` raises.
    """
    workspace = open_workspace(root, work)
    targets = _targets(workspace.config, wanted)
    if progress is not None:
        progress.note(f"forge {workspace.forge.version} builds {', '.join(targets)}")
    finished = _compile(workspace, targets, group, timeout_s)
    if workspace.own_compilers and finished.exit_code != 0 and _compiler_missing(finished):
        # Our folder holds some compilers; the user's own forge set-up may hold the one that is missing, or fetch it.
        users = open_workspace(root, work, own_compilers=False)
        again = _compile(users, targets, group, timeout_s)
        if again.exit_code == 0 or "Compiler run failed" in again.text:
            workspace, finished = users, again
    if finished.exit_code != 0:
        raise _refusal(finished, workspace.root)
    shutil.copytree(workspace.paths.build_info, workspace.paths.release)
    files = sorted(workspace.paths.release.glob("*.json"))
    contracts = tuple(contract for file in files for contract in read_build_info(file))
    if not contracts:
        raise BuildFailed(
            f"forge found nothing to compile in {workspace.config.src}: {finished.text}",
            where=Where(str(workspace.root / "foundry.toml")),
            remedy="Set `src` in foundry.toml to the folder of the contracts.",
        )
    return BuildOutput(workspace, contracts)


def _compile(workspace: Workspace, targets: list[str], group: ProcessGroup | None, timeout_s: float) -> Finished:
    # What an earlier run left could be taken for output of this one.
    for folder in (workspace.paths.build_info, workspace.paths.release):
        shutil.rmtree(folder, ignore_errors=True)
    command: list[str | Path] = [workspace.forge.path, "build", "--force", "--root", workspace.root, "--color", "never"]
    return run_tool(
        [*command, "--", *targets], cwd=workspace.root, timeout_s=timeout_s, env=workspace.environment, group=group
    )


_MISSING = re.compile(
    r"No solc version installed|can't install missing solc|solc .*not installed|Unknown version", re.IGNORECASE
)


def _compiler_missing(finished: Finished) -> bool:
    return bool(_MISSING.search(finished.text))


def _refusal(finished: Finished, root: Path) -> Refused:
    said = _readable(finished)
    if _compiler_missing(finished):
        home = compiler_store(root)
        here = ", ".join(sorted(p.name for p in (home / ".svm").iterdir())) if home else "none of ours"
        return CompilerMissing(
            f"{said} (compilers in our toolchain folder: {here})",
            where=Where(str(root / "foundry.toml")),
            remedy="Install that compiler with `forge build` on a machine with internet, or set `solc` in foundry.toml to "
            "one that is there.",
        )
    return BuildFailed(said, where=Where(str(root)), remedy="Make `forge build` succeed, then run again.")


def _readable(finished: Finished) -> str:
    """The compiler's errors without its warnings and forge's progress; everything when there are none to be told apart."""
    blocks = re.split(r"\n\s*\n", finished.text)
    errors = [
        b.strip() for b in blocks if re.search(r"^\s*(\w*Error)\b", b, re.MULTILINE) or b.lstrip().startswith("Error")
    ]
    text = "\n\n".join(errors) if errors else finished.text
    text = re.sub(r"^(Error: )?Compiler run failed:\s*", "", text)
    return text or f"forge ended with exit code {finished.exit_code} and said nothing"
