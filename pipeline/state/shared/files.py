"""What lies beside a journal and is shared with it: plans, proposals, requests to sign, records, bundles.

Files are kept by content (``<prefix>/objects/<sha256>``); a segment says which content has which path from then on. A file
is in the bucket before the segment that names it, so a row never names a plan that a fresh clone cannot have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from chains.canonical import sha256_hex
from chains.errors import Where
from chains.files import write_atomic
from pipeline.state.local import TargetState
from pipeline.state.shared.bucket import Bucket
from pipeline.state.shared.errors import SharedStateDamaged

__all__ = ["SharedFiles", "bundle_of", "object_key"]

_AT_ONCE = 8
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+@=-]*"
_DIGEST = r"[0-9a-f]{64}"
_BUNDLE = re.compile(rf"\.ship/bundles/({_DIGEST})/.+")


def object_key(digest: str) -> str:
    return f"objects/{digest}"


def bundle_of(path: str) -> str | None:
    """The bundle a path lies in."""
    found = _BUNDLE.fullmatch(path)
    return found[1] if found else None


class SharedFiles:
    """The shared files of one target, below the project's folder."""

    def __init__(self, state: TargetState, bucket: Bucket) -> None:
        self._state = state
        self._root = state.project.root
        self._bucket = bucket
        self._seen: dict[str, tuple[int, int, int, str]] = {}
        name = re.escape(state.name)
        self._allowed = re.compile(
            rf"deployments/{name}/(plans|proposals|signing)(/{_NAME})+"
            rf"|releases/{_NAME}/{name}(\.{_NAME})?\.json"
            rf"|\.ship/programs/{_DIGEST}\.so"
            rf"|\.ship/bundles/{_DIGEST}(/{_NAME})+"
        )

    def changed(self, known: Mapping[str, str], bundles: Iterable[str] = ()) -> dict[str, str]:
        """Path → sha256 of every file that differs from ``known``, with those of ``bundles``; each is in the bucket first."""
        new = {path: digest for path in self._here(bundles) if known.get(path) != (digest := self._digest(path))}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._upload, new.items()))
        return dict(sorted(new.items()))

    def fetch(self, files: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
        """Have ``files`` here; the paths that were written. What lay there is put aside, unless it is newer.

        ``known`` is what this folder and the bucket last agreed on: a file that changed here since, and not there, stays.
        Raises ``SharedStateDamaged`` and what asking the bucket raises.
        """
        wanted = []
        for path, digest in files.items():
            if not self._allowed.fullmatch(path) or ".." in path.split("/"):
                raise _damaged(path, f"a segment names a file that is not one of {self._state.name}'s")
            place = self._root / path
            if not place.parent.resolve().is_relative_to(self._root.resolve()):
                raise _damaged(path, "the file's folder leads out of the project")
            if place.is_symlink() or not place.is_file():
                wanted.append((path, digest))
            elif (here := self._digest(path)) != digest and known.get(path) != digest:
                write_atomic(self._state.project.work / "state" / "aside" / here, place.read_bytes())
                wanted.append((path, digest))
        # A bundle's own list comes last: with it the bundle is whole.
        wanted.sort(key=lambda one: one[0].endswith("/bundle.json"))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for (path, _), data in zip(wanted, pool.map(self._download, wanted), strict=True):
                write_atomic(self._root / path, data)
        return [path for path, _ in wanted]

    def _here(self, bundles: Iterable[str]) -> Iterator[str]:
        folders = [self._state.folder / kind for kind in ("plans", "proposals", "signing")]
        folders += [self._state.project.bundles / digest for digest in bundles]
        places = [place for folder in folders for place in sorted(folder.rglob("*"))]
        places += sorted(self._state.project.releases.glob(f"*/{self._state.name}*.json"))
        places += sorted((self._state.project.work / "programs").glob("*.so"))
        for place in places:
            path = place.relative_to(self._root).as_posix()
            if place.is_file() and not place.is_symlink() and self._allowed.fullmatch(path):
                yield path

    def _digest(self, path: str) -> str:
        place = self._root / path
        stat = place.stat()
        mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        seen = self._seen.get(path)
        if seen is None or seen[:3] != mark:
            seen = self._seen[path] = (*mark, sha256_hex(place.read_bytes()))
        return seen[3]

    def _upload(self, file: tuple[str, str]) -> None:
        path, digest = file
        data = (self._root / path).read_bytes()
        if sha256_hex(data) != digest:
            raise _damaged(path, "the file changed while it was read")
        self._bucket.keep(object_key(digest), data)

    def _download(self, file: tuple[str, str]) -> bytes:
        path, digest = file
        stored = self._bucket.get(object_key(digest))
        if stored is None or sha256_hex(stored.data) != digest:
            raise _damaged(object_key(digest), f"the content of {path} is missing or changed")
        return stored.data


def _damaged(where: str, what: str) -> SharedStateDamaged:
    return SharedStateDamaged(
        f"the shared files are damaged: {what}",
        where=Where(where),
        remedy="Restore that object's earlier version in the bucket; `ship state fsck` reads everything.",
    )
