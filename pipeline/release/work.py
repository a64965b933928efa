"""What the steps of a release share, and what each of them says it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from chains.base import Clock
from pipeline.github.objects import Release
from pipeline.github.repository import Repository
from pipeline.release.assets import File
from pipeline.release.git_work import GitWork
from pipeline.release.materials import Materials
from pipeline.ui.base import Ui

__all__ = ["Deed", "State", "Work"]

State = Literal["made", "there", "would", "skipped"]


@dataclass(frozen=True)
class Deed:
    """``made`` in this run, ``there`` already, ``would`` be made (a dry run), or ``skipped``."""

    what: str
    state: State
    detail: str = ""

    def to_json(self) -> dict[str, str]:
        return {"what": self.what, "state": self.state, "detail": self.detail}


@dataclass(frozen=True)
class Work:
    """Frozen inputs of every step. ``dry``: look only."""

    materials: Materials
    files: tuple[File, ...]
    notes: str
    repository: Repository
    git: GitWork
    clock: Clock
    ui: Ui
    dry: bool = False
    deeds: list[Deed] = field(default_factory=list)

    @property
    def tag(self) -> str:
        return self.materials.tag

    def did(self, what: str, state: State, detail: str = "") -> Deed:
        """Note a deed, shown as it happens and kept for the end."""
        deed = Deed(what, state, detail)
        self.deeds.append(deed)
        self.ui.item(what, state, detail)
        return deed

    def releases(self) -> list[Release]:
        """Those of this tag, drafts included, oldest first."""
        return sorted((r for r in self.repository.releases() if r.tag == self.tag), key=lambda release: release.id)
