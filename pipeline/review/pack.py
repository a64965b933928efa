"""A review pack on disk: the plan, what it does in several forms, and the bundle it was made from.

plan.json           what is approved; its digest is what a signer says yes to
plan.md             for people
transactions.json   decoded from unsigned bytes alone
state.json          every storage slot that changes, with its variable
events.json         events, rights, balances
signing.json        hashes of Safe transactions, ids of timelock operations
bundle/<digest>/    what was built
pack.json           the digests of all of it, and what was allowed
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.errors import Refused, Where
from chains.files import make_folder, write_atomic
from chains.jsontext import read_json
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.review.documents import Documents

__all__ = ["FILES", "FolderTaken", "Pack", "PackInvalid", "pack_list", "read_pack", "refuse_taken", "write_pack"]

KIND = "contract-ship/review-pack"
FILES = ("plan.json", "plan.md", "transactions.json", "state.json", "events.json", "signing.json")


class PackInvalid(Refused):
    """SHIP-Y04: the folder is no review pack."""

    code = "SHIP-Y04"


class FolderTaken(Refused):
    """SHIP-Y05: the folder for a review pack holds something else."""

    code = "SHIP-Y05"


@dataclass(frozen=True)
class Pack:
    """``pack.json``: ``plan`` and ``bundle`` are digests, ``files`` sha256 by name, ``allow`` slots by name."""

    folder: Path
    plan: str
    bundle: str
    target: str
    files: Mapping[str, str]
    allow: Sequence[str]
    unexplained: Sequence[str]

    @property
    def bundles(self) -> Path:
        return self.folder / "bundle"


def refuse_taken(folder: Path) -> None:
    """A pack replaces a pack, and nothing else."""
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not (folder / "pack.json").is_file())):
        raise FolderTaken(
            "there is something else than a review pack",
            where=Where(str(folder)),
            remedy="Name an empty folder, or one that does not exist yet; a path that ends in .json saves the plan alone.",
        )


def write_pack(folder: Path, plan: Plan, bundle: Bundle, documents: Documents, allow: Sequence[str]) -> None:
    """Write the pack, its list last: a folder without it is no pack. Raises ``FolderTaken``."""
    refuse_taken(folder)
    make_folder(folder)
    (folder / "pack.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    shutil.copytree(bundle.folder, folder / "bundle" / bundle.digest)
    files = {"plan.json": pretty(plan.to_json()), **documents.files(plan)}
    for name, data in files.items():
        write_atomic(folder / name, data)
    digests = {name: sha256_hex(data) for name, data in files.items()}
    write_atomic(folder / "pack.json", pretty(pack_list(plan, digests, documents, allow)))


def pack_list(plan: Plan, files: Mapping[str, str], documents: Documents, allow: Sequence[str]) -> dict[str, Any]:
    """What ``pack.json`` says; ``files`` are sha256 by name."""
    return {
        "schema": 1,
        "kind": KIND,
        "project": plan.project,
        "version": plan.version,
        "target": plan.target,
        "plan": plan.digest,
        "bundle": plan.bundle,
        "chain": {"id": plan.body.chain["id"], "genesis_hash": plan.body.chain["genesis_hash"]},
        "block": {"number": plan.body.observed["block_number"], "hash": plan.body.observed["block_hash"]},
        "files": dict(files),
        "allow_slots": list(allow),
        "unexplained": list(documents.unexplained),
    }


def read_pack(folder: Path) -> Pack:
    """The pack's list. Raises ``PackInvalid``."""
    path = folder / "pack.json"
    try:
        data = read_json(path.read_bytes())
        if data["kind"] != KIND or data["schema"] != 1:
            raise ValueError("another kind of file, or a newer one")
        files = {str(name): str(digest) for name, digest in data["files"].items()}
        if set(files) != set(FILES):
            raise ValueError("other files than a pack has")
        texts = [data[key] for key in ("plan", "bundle", "target")]
        allow, unexplained = ([str(item) for item in data[key]] for key in ("allow_slots", "unexplained"))
        return Pack(folder, str(texts[0]), str(texts[1]), str(texts[2]), files, allow, unexplained)
    except OSError as error:
        cause = f"there is no review pack: pack.json cannot be read ({error.strerror})"
        raise PackInvalid(cause, where=Where(str(path)), remedy="Make one: `ship plan --chain T --out DIR`.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PackInvalid(
            f"pack.json is not the list of a review pack: {error}",
            where=Where(str(path)),
            remedy="Make the pack again: `ship plan --chain T --out DIR`.",
        ) from error
