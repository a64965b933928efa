"""Which gates a project asks for, and that this version has them all."""

from __future__ import annotations

from pipeline.manifest.errors import NotBuiltYet, raise_all
from pipeline.manifest.gates_spec import GatesSpec
from pipeline.manifest.project import Project

__all__ = ["BUILT_GATES", "selected_gates"]

BUILT_GATES = ("tests", "program_tests", "slither", "layout")


def selected_gates(project: Project) -> GatesSpec:
    """The gates of ``project``; a gate that is ``None`` was not asked for.

    Raises ``NotBuiltYet`` when one is asked for that this version has not: a gate that cannot run is never a pass.
    """
    raise_all(
        NotBuiltYet(
            f"The gate {name} is not built yet; skipping it in silence would be a pass nobody gave.",
            remedy=f"Delete {name} from [gates], or use a ship that has it.",
            where=project.document.where(("gates", name), at_key=True),
        )
        for name in GatesSpec.model_fields
        if name not in BUILT_GATES and getattr(project.gates, name) is not None
    )
    return project.gates
