"""``ship export`` from its arguments to texts and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.errors import Refused
from chains.files import write_atomic
from pipeline.bundle import load_bundle
from pipeline.exporting.book import Book, Entry, Place, read_book
from pipeline.exporting.json_book import write_json
from pipeline.exporting.safe_deployments import write_safe_deployments
from pipeline.exporting.solidity import write_solidity
from pipeline.exporting.superchain import write_superchain
from pipeline.exporting.typescript import write_typescript
from pipeline.manifest.project import load_project
from pipeline.state.local import ProjectState

__all__ = ["FORMATS", "export_project", "write_files"]

_PLAIN: Mapping[str, Callable[[Book], dict[str, str]]] = {
    "json": write_json,
    "typescript": write_typescript,
    "solidity": write_solidity,
    "superchain": write_superchain,
}
FORMATS = (*_PLAIN, "safe-deployments")


class SeveralFiles(Refused):
    """SHIP-X05: the form has a file each, and one place was named for all."""

    code = "SHIP-X05"


def export_project(root: Path, form: str, targets: Sequence[str]) -> dict[str, str]:
    """File names with their texts. Reads records and, for ABIs, bundles; asks no chain."""
    project = load_project(root)
    book = read_book(project.root, project.name, targets)
    if form == "safe-deployments":
        return write_safe_deployments(book, _abis(project.root))
    return _PLAIN[form](book)


def _abis(root: Path) -> Callable[[Place, Entry], Sequence[Mapping[str, Any]]]:
    bundles = ProjectState(root).bundles

    def abi(place: Place, entry: Entry) -> Sequence[Mapping[str, Any]]:
        return load_bundle(bundles, place.record["bundle"]).artifact(entry.source).abi

    return abi


def write_files(files: Mapping[str, str], form: str, out: Path | None) -> list[Path]:
    """Write to ``out``: a file when there is one text and ``out`` is no folder, else a folder. Nothing without ``out``."""
    if out is None:
        if len(files) != 1:
            raise SeveralFiles(
                f"{form} has {len(files)} files: {', '.join(files)}",
                done="Nothing was written.",
                remedy="Name a folder with --out, or one target with --chain.",
            )
        return []
    if len(files) == 1 and form != "safe-deployments" and not out.is_dir():
        paths = {out: next(iter(files.values()))}
    else:
        if out.is_file():
            raise SeveralFiles(
                f"{form} has {len(files)} files, and {out.name} is a file",
                done="Nothing was written.",
                remedy="Name a folder with --out.",
            )
        paths = {out / name: text for name, text in files.items()}
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())
    return list(paths)
