"""A small project, released for real once a session: forge, solc, anvil, the journal, the record."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.building import Recipe, build_bundle
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project, load_project
from pipeline.manifest.target import load_target
from pipeline.session import open_session
from pipeline.signing.password import PasswordOptions
from pipeline.state.local import ProjectState
from pipeline.steps.approve import Approve
from pipeline.steps.check import Check
from pipeline.steps.deploy import Deploy
from pipeline.steps.plan import Planning
from pipeline.steps.preflight import Preflight
from pipeline.steps.record import Record
from pipeline.steps.verify import Verify
from pipeline.ui.plain import PlainUi

COUNTER = Path(__file__).parents[2] / "projects" / "counter"


def build(project: Project) -> Bundle:
    wanted = tuple(sorted(unit.source for unit in project.spec.contracts.values()))
    recipe = Recipe(project.name, project.evm_root, ProjectState(project.root).work, wanted)
    return build_bundle(recipe).bundle


@dataclass
class Release:
    """A project folder, and what can be done with it."""

    root: Path

    def build(self) -> Bundle:
        return build(load_project(self.root))

    def deploy(self, *, until: str = "record") -> None:
        """Release to ``local``; ``until`` is ``accept`` or ``record``."""
        project = load_project(self.root)
        target = load_target(project, "local")
        bundle = build(project)
        with open_session(project, target, PlainUi(sys.stderr), purpose="test", write=True) as session:
            plan = Planning(session, bundle, Preflight(session).run()).run()
            Approve(session, plan, (), yes=True).run()
            if until == "accept":
                return
            sent = Deploy(session, plan, bundle, PasswordOptions()).run()
            Record(session, plan, Verify(session, plan, bundle, sent).run(), Check(session, plan).run()).run()

    def ship(self, *arguments: str, input: str | None = None) -> Result:
        """Run ``ship`` as the command line does, errors shown; gives output and exit code."""
        return run_ship(*arguments, "-C", str(self.root), input=input)

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def run_ship(*arguments: str, input: str | None = None) -> Result:
    import click

    from pipeline.cli.group import ship
    from pipeline.cli.guard import guarded

    @click.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
    @click.argument("rest", nargs=-1, type=click.UNPROCESSED)
    def shell(rest: tuple[str, ...]) -> None:
        sys.argv = ["ship", *rest]
        sys.exit(guarded(ship))

    return CliRunner().invoke(shell, list(arguments), input=input)


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """``counter`` 1.0.0, live on its embedded chain. Not to be changed: take ``copy`` for that."""
    root = tmp_path_factory.mktemp("released") / "counter"
    shutil.copytree(COUNTER, root)
    release = Release(root)
    release.deploy()
    return release


@pytest.fixture
def copy(released: Release, tmp_path: Path) -> Release:
    """A released project of one's own."""
    root = tmp_path / "counter"
    shutil.copytree(released.root, root)
    return Release(root)


@pytest.fixture
def ship() -> Callable[..., Result]:
    return run_ship
