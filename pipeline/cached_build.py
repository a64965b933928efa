"""The bundle of the sources as they are, if it was built before. Nothing is compiled."""

from __future__ import annotations

from chains.errors import ShipError
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target

__all__ = ["cached_bundle"]


def cached_bundle(project: Project, target: Target) -> Bundle | None:
    """The bundle an earlier build of the same sources gave, or ``None``: also when there is no forge to ask for settings.

    Raises what ``evm_units`` raises.
    """
    from chains.evm.foundry import open_workspace
    from pipeline.build_cache import Question
    from pipeline.making import recipe, with_programs

    wanted = recipe(project, (target,))
    if project.spec.programs and not wanted.wanted:
        return with_programs(project, None, "prebuilt")
    for own_compilers in (True, False):  # ours, or those a project needed beyond ours
        try:
            workspace = open_workspace(wanted.root, wanted.build_folder, own_compilers=own_compilers)
            found = wanted.cache.find(Question(workspace, wanted.project, wanted.wanted))
        except ShipError:
            return None
        if found is not None:
            return with_programs(project, found, "prebuilt") if project.spec.programs else found
    return None
