"""``ship export`` from its arguments to texts and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused
from chains.files import write_atomic
from pipeline.adopting.parsing import address_at
from pipeline.bundle import load_bundle
from pipeline.exporting.book import Book, Entry, Place, contracts_only, read_book
from pipeline.exporting.json_book import write_json
from pipeline.exporting.safe_batch import write_safe_batch
from pipeline.exporting.safe_deployments import write_safe_deployments
from pipeline.exporting.solidity import write_solidity
from pipeline.exporting.superchain import write_superchain
from pipeline.exporting.typescript import write_typescript
from pipeline.manifest.project import load_project
from pipeline.plan import load_plan
from pipeline.state.local import ProjectState

__all__ = ["FORMATS", "SafeOptions", "export_project", "write_files"]

_PLAIN: Mapping[str, Callable[[Book], dict[str, str]]] = {
    "json": write_json,
    "typescript": write_typescript,
    "solidity": write_solidity,
    "superchain": write_superchain,
}
_WITH_PROGRAMS = frozenset({"json", "typescript"})
FORMATS = (*_PLAIN, "safe-deployments", "safe-batch")


class SeveralFiles(Refused):
    """SHIP-X05: the form has a file each, and one place was named for all."""

    code = "SHIP-X05"


class BatchIncomplete(Refused):
    """SHIP-X06: a Safe's batch needs a plan, a Safe and its nonce."""

    code = "SHIP-X06"


@dataclass(frozen=True)
class SafeOptions:
    """For ``safe-batch``: the plan's file, the Safe's address, and its next nonce."""

    plan: Path | None = None
    safe: str | None = None
    nonce: int | None = None


def export_project(
    root: Path,
    form: str,
    targets: Sequence[str],
    batch: SafeOptions | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> dict[str, str]:
    """File names with their texts. Reads records and, for ABIs, bundles; asks no chain. ``note`` is told what was left out."""
    project = load_project(root)
    if form == "safe-batch":
        return _batch(batch or SafeOptions())
    book = read_book(project.root, project.name, targets)
    if form not in _WITH_PROGRAMS:
        whole, book = book, contracts_only(book, form)
        left = [place.target for place in whole.places if place not in book.places]
        if left:
            note(f"{', '.join(left)} left out: the form {form} holds no Solana programs")
    if form == "safe-deployments":
        return write_safe_deployments(book, _abis(project.root))
    return _PLAIN[form](book)


def _batch(options: SafeOptions) -> dict[str, str]:
    if options.plan is None or options.safe is None or options.nonce is None:
        raise BatchIncomplete(
            "safe-batch needs to know the plan, the Safe and its next nonce",
            remedy="Give --plan FILE (`ship plan --out FILE` makes one), --safe ADDRESS and --nonce N.",
        )
    safe = address_at(Path("--safe"), options.safe, "the Safe")
    return write_safe_batch(load_plan(options.plan), safe, options.nonce)


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
