"""Digests of files and folders, for telling whether anything changed since."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from chains.canonical import sha256_hex

__all__ = ["ABSENT", "file_digests", "tree"]

ABSENT = "absent"


def file_digests(root: Path, names: Iterable[str], *, text: bool = False) -> dict[str, str]:
    """sha256 of each file; ``ABSENT`` for one that is not there. Relative names count from ``root``.

    ``text``: of what forge gives to the compiler, which has Unix line ends.
    """
    digests = {}
    for name in names:
        try:
            data = (root / name).read_bytes()
            digests[name] = sha256_hex(data.replace(b"\r\n", b"\n") if text else data)
        except OSError:
            digests[name] = ABSENT
    return digests


def tree(
    root: Path, folder: str, *, skip: Iterable[str] = (), wanted: Callable[[str], bool] = lambda _: True
) -> list[str]:
    """Every file below ``root/folder`` whose name is ``wanted``, as sorted names relative to ``root``.

    Hidden folders and the ``skip`` ones (relative to ``root``) are left out.
    """
    left_out = {os.path.normpath(root / name) for name in skip}
    found = []
    for here, folders, files in os.walk(root / folder):
        folders[:] = [f for f in folders if not f.startswith(".") and os.path.normpath(Path(here, f)) not in left_out]
        found += [os.path.relpath(Path(here, name), root) for name in files if wanted(name)]
    return sorted(found)
