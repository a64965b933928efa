"""Loading ``ship.toml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from chains.errors import Where
from pipeline.manifest.errors import ProjectNotFound, raise_all
from pipeline.manifest.paths import inside
from pipeline.manifest.program_spec import SolanaSpec
from pipeline.manifest.project_rules import project_problems
from pipeline.manifest.reading import Document, read_document
from pipeline.manifest.spec import ProjectSpec
from pipeline.manifest.validation import validated
from pipeline.manifest.versions import project_version

if TYPE_CHECKING:
    from pipeline.manifest.gates_spec import GatesSpec

__all__ = ["PROJECT_FILE", "Project", "load_project"]

PROJECT_FILE = "ship.toml"


@dataclass(frozen=True)
class Project:
    """A project as written: ``root`` is the folder of ``ship.toml``, absolute; ``version`` is read from its file."""

    root: Path
    version: str
    spec: ProjectSpec
    document: Document

    @property
    def name(self) -> str:
        return self.spec.project.name

    @property
    def evm_root(self) -> Path:
        """The folder of ``foundry.toml``."""
        return self.root / self.spec.evm.root

    @property
    def solana(self) -> SolanaSpec:
        """``[solana]``, as it is or as it would be without the table."""
        return self.spec.solana or SolanaSpec()

    @property
    def changelog(self) -> Path | None:
        return self.root / self.spec.project.changelog if self.spec.project.changelog else None

    @property
    def gates(self) -> GatesSpec:
        """The gates as written; ``gates.selected_gates`` refuses those not built yet."""
        return self.spec.gates


def load_project(root: Path) -> Project:
    """Read and check ``root/ship.toml``. Raises ``ManifestInvalid`` with every problem found."""
    root = root.resolve()
    path = root / PROJECT_FILE
    if not path.exists() and not path.is_symlink():
        raise ProjectNotFound(
            f"There is no {PROJECT_FILE} in {root}.",
            remedy='Run "ship init" there, or name the project\'s folder with -C.',
            where=Where(PROJECT_FILE),
        )
    document = read_document(path, root=root)
    spec = validated(ProjectSpec, document.data, document.where)
    raise_all(project_problems(spec, document.where))
    for key, value in _paths(spec):
        inside(root, value, document.where(key))
    version = project_version(spec.project, root, document.where)
    return Project(root, version, spec, document)


def _paths(spec: ProjectSpec) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every path of the file with its key."""
    optional: Mapping[tuple[str, ...], str | None] = {
        ("project", "version-from"): spec.project.version_from,
        ("project", "changelog"): spec.project.changelog,
        ("evm", "root"): spec.evm.root,
        ("solana", "root"): spec.solana.root if spec.solana else None,
        ("gates", "slither", "baseline"): spec.gates.slither.baseline if spec.gates.slither else None,
        ("gates", "gas", "snapshot"): spec.gates.gas.snapshot if spec.gates.gas else None,
    }
    yield from ((key, value) for key, value in optional.items() if value is not None)
    if spec.release.signing_key is not None:
        yield ("release", "signing-key"), spec.release.signing_key
    yield from ((("release", "assets"), value) for value in spec.release.assets)
    yield from ((("project", "version-files"), value) for value in spec.project.version_files)
    for kind, units in (("contracts", spec.contracts), ("scripts", spec.scripts)):
        for name, unit in units.items():
            path = unit.source.rpartition(":")[0]
            # Package managers link dependencies in from elsewhere (workspaces, pnpm); the bundle's digest fixes them.
            if "node_modules" not in path.split("/"):
                yield (kind, name, "source"), f"{spec.evm.root}/{path}"
