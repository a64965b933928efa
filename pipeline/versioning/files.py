"""The files that say the project's version: ``[project] version-files``, held equal by ``ship check``, written together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from chains.errors import Where
from chains.files import write_atomic
from pipeline.manifest.errors import BadVersion, ManifestInvalid, VersionsDiffer, raise_all
from pipeline.manifest.project import PROJECT_FILE, Project
from pipeline.versioning.places import Unreadable, places_in, read_text, replaced

__all__ = ["version_file_problems", "write_version"]


def version_file_problems(project: Project) -> Iterator[ManifestInvalid]:
    """A problem for each place of each file that says another version, or none."""
    for number, name in enumerate(project.spec.project.version_files):
        try:
            places = places_in(name, read_text(project.root / name))
        except Unreadable as error:
            yield BadVersion(
                f"{name} is among version-files, and {error}.",
                remedy=f"Add a version to {name}, or take it out of version-files.",
                where=project.document.where(("project", "version-files", number)),
            )
            continue
        for place in places:
            if place.version != project.version:
                yield VersionsDiffer(
                    f"{name} says {place.version}, the project's version is {project.version}.",
                    remedy=f"Write {project.version} there, or raise all of them together with `ship version --write`.",
                    where=Where(name, place.line, None, place.key),
                )


def write_version(project: Project, version: str) -> list[str]:
    """Write ``version`` to every file that says one, ``ship.toml`` last; gives the names of those that changed.

    All texts are made before the first is written. Raises ``BadVersion``, and ``FileUnwritable``.
    """
    main = project.spec.project.version_from or PROJECT_FILE
    names = [*dict.fromkeys(name for name in project.spec.project.version_files if name != main), main]
    texts: dict[str, str] = {}
    problems: list[ManifestInvalid] = []
    for name in names:
        try:
            text = read_text(project.root / name)
            new = replaced(name, text, version)
        except Unreadable as error:
            problems.append(
                BadVersion(f"The version cannot be written to {name}: {error}.", remedy="Mend it.", where=Where(name))
            )
            continue
        if new != text:
            texts[name] = new
    raise_all(problems)
    for name, text in texts.items():
        path: Path = project.root / name
        write_atomic(path.resolve(), text.encode(), mode=path.stat().st_mode & 0o777)
    return list(texts)
