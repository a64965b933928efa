"""From a project to a bundle: build, unless nothing has changed since a bundle was made."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chains.base import Progress
from chains.canonical import pretty
from chains.errors import Refused
from chains.evm.foundry import BuildOutput, Workspace, build, open_workspace
from chains.evm.sources import select
from chains.files import write_atomic
from chains.processes import ProcessGroup
from pipeline.build_cache import BuildCache, Question
from pipeline.bundle import Bundle, write_bundle

__all__ = ["BuildChanged", "Built", "Recipe", "build_bundle", "ensure_compiled", "exclusive", "open_built_workspace"]


class BuildChanged(Refused):
    """SHIP-B22: the sources changed while they were being released."""

    code = "SHIP-B22"


@dataclass(frozen=True)
class Recipe:
    """What to build. ``root`` is the Foundry project, ``work`` the project's ``.ship``, ``wanted`` the units' sources."""

    project: str
    root: Path
    work: Path
    wanted: tuple[str, ...] = ()

    @property
    def build_folder(self) -> Path:
        return self.work / "build"

    @property
    def bundles(self) -> Path:
        return self.work / "bundles"

    @property
    def cache(self) -> BuildCache:
        return BuildCache(self.work / "cache" / "builds", self.bundles)


@dataclass(frozen=True)
class Built:
    """A bundle and the workspace it came from. ``fresh``: it was compiled now, not found."""

    recipe: Recipe
    workspace: Workspace
    bundle: Bundle
    fresh: bool


@contextlib.contextmanager
def exclusive(work: Path, progress: Progress | None = None) -> Iterator[None]:
    """Hold the project's build folder, waiting for another run that has it. Not for nesting."""
    path = work / "locks" / "build.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if progress is not None:
                progress.note("another run builds or tests this project; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def build_bundle(recipe: Recipe, *, progress: Progress | None = None, group: ProcessGroup | None = None) -> Built:
    """The bundle of ``recipe``: an earlier one when no input has changed, else a new one from a clean build.

    Raises what ``chains.evm.foundry.build`` and ``chains.evm.sources.select`` raise.
    """
    workspace = open_built_workspace(recipe)
    bundle = recipe.cache.find(Question(workspace, recipe.project, recipe.wanted))
    if bundle is not None:
        return Built(recipe, workspace, bundle, fresh=False)
    with exclusive(recipe.work, progress):
        bundle = recipe.cache.find(Question(workspace, recipe.project, recipe.wanted))
        if bundle is not None:  # built by the run that was waited for
            return Built(recipe, workspace, bundle, fresh=False)
        return _build(recipe, progress, group)


def ensure_compiled(built: Built, *, progress: Progress | None = None, group: ProcessGroup | None = None) -> Built:
    """See that the build folder holds the compiler output of ``built.bundle``, compiling again if another build came since.

    To be called holding ``exclusive``. Raises ``BuildChanged`` when the sources now give another bundle.
    """
    if _marked(built.recipe) == built.bundle.digest and any(built.workspace.paths.release.glob("*.json")):
        return built
    again = _build(built.recipe, progress, group)
    if again.bundle.digest != built.bundle.digest:
        raise BuildChanged(
            f"the sources gave bundle {built.bundle.digest[:12]} before and give {again.bundle.digest[:12]} now",
            remedy="Run again, and leave the sources alone meanwhile.",
        )
    return again


def _build(recipe: Recipe, progress: Progress | None, group: ProcessGroup | None) -> Built:
    _mark(recipe, None)
    output = build(recipe.root, recipe.build_folder, recipe.wanted, progress=progress, group=group)
    bundle = _bundle(recipe, output)
    recipe.cache.keep(Question(output.workspace, recipe.project, recipe.wanted), output.sources, bundle)
    _mark(recipe, bundle.digest, own_compilers=output.workspace.own_compilers)
    return Built(recipe, output.workspace, bundle, fresh=True)


def _bundle(recipe: Recipe, output: BuildOutput) -> Bundle:
    chosen = select(output.contracts, recipe.wanted, output.workspace.config)
    toolchain = {"forge": output.workspace.forge.version, "solc": sorted({contract.compiler for contract in chosen})}
    return write_bundle(
        recipe.bundles, project=recipe.project, toolchain=toolchain, artifacts=[contract.read() for contract in chosen]
    )


def open_built_workspace(recipe: Recipe) -> Workspace:
    """With the compilers the last build used: ours, or after ours did not suffice, the user's."""
    return open_workspace(
        recipe.root, recipe.build_folder, own_compilers=_state(recipe).get("own_compilers") is not False
    )


def _state(recipe: Recipe) -> dict[str, object]:
    try:
        state = json.loads((recipe.build_folder / "state.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _marked(recipe: Recipe) -> object:
    return _state(recipe).get("bundle")


def _mark(recipe: Recipe, bundle: str | None, *, own_compilers: bool | None = None) -> None:
    if own_compilers is None:
        own_compilers = _state(recipe).get("own_compilers") is not False
    write_atomic(recipe.build_folder / "state.json", pretty({"bundle": bundle, "own_compilers": own_compilers}))
