"""Building a Foundry project for release."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.base import Progress
from chains.errors import Refused, Where
from chains.evm.build_info import Contract, read_build_info
from chains.evm.forge_config import ForgeConfig, read_config
from chains.processes import Finished, ProcessGroup, run_tool
from chains.tools import Tool, compiler_store, forge_environment, require_tool

__all__ = ["BuildFailed", "BuildOutput", "BuildPaths", "CompilerMissing", "build", "build_environment"]

BUILD_TIMEOUT_S = 1_800.0


class BuildFailed(Refused):
    """SHIP-B11: the compiler refused the sources."""

    code = "SHIP-B11"


class CompilerMissing(Refused):
    """SHIP-B12: a compiler the project needs is not on this machine."""

    code = "SHIP-B12"


@dataclass(frozen=True)
class BuildPaths:
    """Where forge writes. Absolute; ``build_info`` holds one file for each compiler run of the release build."""

    out: Path
    cache: Path
    build_info: Path


@dataclass(frozen=True)
class BuildOutput:
    """A finished release build. ``environment`` is what forge ran with: the tests must run with the same.

    ``files`` are the sources that were compiled, as the compiler names them.
    """

    root: Path
    config: ForgeConfig
    forge: Tool
    paths: BuildPaths
    environment: Mapping[str, str]
    contracts: tuple[Contract, ...]

    @property
    def files(self) -> frozenset[str]:
        return frozenset(name for contract in self.contracts for name in contract.input["sources"])


def _paths(config: ForgeConfig, work: Path) -> BuildPaths:
    # The developer's own out/ and cache/ stay as they are, unless the project's tests read from out/: then they must find
    # the release build there.
    if config.tests_read_out:
        return BuildPaths(config.root / config.raw["out"], config.root / config.raw["cache_path"], work / "build-info")
    return BuildPaths(work / "out", work / "cache", work / "build-info")


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
    compiler's words, ``CompilerMissing``, and what finding forge and reading the project raise.
    """
    forge = require_tool("forge", root)
    root = root.resolve()
    own = compiler_store(root) is not None
    env = forge_environment(root)
    config = read_config(root, forge.path, env)
    targets = _targets(config, wanted)
    if progress is not None:
        progress.note(f"forge {forge.version} builds {', '.join(targets)}")
    paths = _paths(config, work.resolve())
    env = build_environment(paths, env)
    finished = _compile(forge, root, targets, paths, env, group, timeout_s)
    if own and finished.exit_code != 0 and _compiler_missing(finished):
        # Our folder holds some compilers; the user's own forge set-up may hold the one that is missing, or fetch it.
        env = build_environment(paths, forge_environment(root, own_compilers=False))
        again = _compile(forge, root, targets, paths, env, group, timeout_s)
        finished = again if again.exit_code == 0 or not _compiler_missing(again) else finished
    if finished.exit_code != 0:
        raise _refusal(finished, root)
    contracts = tuple(c for path in sorted(paths.build_info.glob("*.json")) for c in read_build_info(path))
    if not contracts:
        raise BuildFailed(
            f"forge found nothing to compile in {config.src}: {finished.text}",
            where=Where(str(root / "foundry.toml")),
            remedy="Set `src` in foundry.toml to the folder of the contracts.",
        )
    return BuildOutput(root, config, forge, paths, env, contracts)


def _compile(
    forge: Tool, root: Path, targets: list[str], paths: BuildPaths, env: Mapping[str, str], group: ProcessGroup | None,
    timeout_s: float,
) -> Finished:  # fmt: skip
    # What an earlier run left could be taken for output of this one.
    shutil.rmtree(paths.build_info, ignore_errors=True)
    command: list[str | Path] = [forge.path, "build", "--force", "--root", root, "--color", "never", "--", *targets]
    return run_tool(command, cwd=root, timeout_s=timeout_s, env=env, group=group)


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
