"""The bundle of the sources as they are, if it was built before. Nothing is compiled."""

from __future__ import annotations

from chains.errors import ShipError
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.state.local import ProjectState

__all__ = ["cached_bundle"]


def cached_bundle(project: Project, wanted: list[str]) -> Bundle | None:
    """The bundle an earlier build of the same sources gave, or ``None``: also when there is no forge to ask for settings."""
    from chains.evm.foundry import open_workspace
    from pipeline.build_cache import Question
    from pipeline.building import Recipe

    recipe = Recipe(project.name, project.evm_root, ProjectState(project.root).work, tuple(sorted(wanted)))
    for own_compilers in (True, False):  # ours, or those a project needed beyond ours
        try:
            workspace = open_workspace(recipe.root, recipe.build_folder, own_compilers=own_compilers)
            found = recipe.cache.find(Question(workspace, recipe.project, recipe.wanted))
        except ShipError:
            return None
        if found is not None:
            return found
    return None
