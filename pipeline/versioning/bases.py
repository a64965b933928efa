"""What a build is compared with: the newest stable release, as its records tell. Files alone, no chain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semver import Version

from chains.chain_data import chain_facts
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.manifest.project import Project
from pipeline.record import RecordInvalid
from pipeline.records.finding import RecordFile, find_records, load
from pipeline.state.local import ProjectState
from pipeline.versioning.errors import BaseMissing
from pipeline.versioning.floor import Floor, UnitFacts, compare_bundles
from pipeline.versioning.numbers import is_stable, ordered

__all__ = [
    "Base",
    "bases_of",
    "compared",
    "newest_of_each_target",
    "present_units",
    "recorded_units",
    "released_versions",
    "same_version",
]


@dataclass(frozen=True)
class Base:
    """A stable release on the targets that have the very same bundle and units of it."""

    version: Version
    tag: str
    targets: tuple[str, ...]
    bundle: str
    units: Mapping[str, UnitFacts]


def released_versions(root: Path) -> set[Version]:
    """Every version with a record whose tag can be put in order."""
    return {version for file in find_records(root) if (version := ordered(file.tag)) is not None}


def bases_of(root: Path, target: str | None = None, below: Version | None = None) -> list[Base]:
    """The newest stable release (below ``below``, on ``target``) by all its records; none where there is none."""
    files = [file for file in _stable(root, below) if target in {None, file.target}]
    newest = max((_version(file) for file in files), default=None)
    return _grouped(file for file in files if _version(file) == newest)


def same_version(root: Path, version: Version) -> list[Base]:
    """What this very version was released as. Local chains do not count: there a version is released again and again."""
    files = [file for file in find_records(root) if ordered(file.tag) == version]
    return _grouped(file for file in files if not _local(load(file)["chain"]["name"]))


def _local(chain: str) -> bool:
    try:
        return chain_facts(chain).local
    except KeyError:
        return False


def newest_of_each_target(root: Path) -> list[Base]:
    """For every target the newest stable release it has."""
    files = _stable(root, None)
    newest: dict[str, Version] = {}
    for file in files:
        newest[file.target] = max(_version(file), newest.get(file.target, _version(file)))
    return _grouped(file for file in files if _version(file) == newest[file.target])


def _stable(root: Path, below: Version | None) -> list[RecordFile]:
    found = []
    for file in find_records(root):
        version = ordered(file.tag)
        if version is not None and is_stable(version) and (below is None or version < below):
            found.append(file)
    return found


def _version(file: RecordFile) -> Version:
    version = ordered(file.tag)
    assert version is not None
    return version


def _grouped(files: Iterable[RecordFile]) -> list[Base]:
    """Of several revisions the last counts. A rollback is none of them: its bytes are another release's."""
    last: dict[tuple[str, str], RecordFile] = {}
    for file in files:
        held = last.get((file.tag, file.target))
        if (held is None or held.revision < file.revision) and load(file).get("way") != "rollback":
            last[file.tag, file.target] = file
    groups: dict[tuple[str, str, tuple[tuple[str, UnitFacts], ...]], list[RecordFile]] = {}
    for file in last.values():
        record = load(file)
        units = recorded_units(record)
        groups.setdefault((file.tag, str(record["bundle"]), tuple(sorted(units.items()))), []).append(file)
    return [
        Base(_version(files[0]), tag, tuple(sorted(file.target for file in files)), bundle, dict(units))
        for (tag, bundle, units), files in groups.items()
    ]


def recorded_units(record: Mapping[str, Any]) -> dict[str, UnitFacts]:
    """The contracts of a record. A proxy counts as what stands behind it. Raises ``RecordInvalid``."""
    units = record.get("units", {})
    if not isinstance(units, dict) or not all(isinstance(unit, dict) for unit in units.values()):
        raise RecordInvalid(
            f"the units of {record.get('tag')} on {record.get('target')} are no table",
            remedy="Restore it from version control.",
        )
    found = {}
    for name, unit in units.items():
        source = unit.get("implementation_source") or unit.get("source")
        if unit.get("address") and source and unit.get("kind") != "program":
            found[name] = UnitFacts(source, unit.get("proxy", "none"))
    return found


def present_units(project: Project, target: str, base: Base) -> dict[str, UnitFacts]:
    """The project's contracts as ``target`` has them, or as ``ship.toml`` has them where its manifest is gone.

    Then what ``base`` held tells whether the chain had contracts at all.
    """
    from pipeline.manifest.target import default_target, list_targets, load_target

    contracts = project.spec.contracts
    if target in {default_target(project), *list_targets(project)}:
        loaded = load_target(project, target)
        contracts = loaded.units.spec.contracts if loaded.chain.kind == "evm" else {}
    elif not base.units:
        contracts = {}
    return {name: UnitFacts(unit.source, unit.proxy) for name, unit in contracts.items()}


def compared(project: Project, base: Base, bundle: Bundle) -> Floor:
    """What differs between ``base`` and the present ``bundle``. Raises ``BaseMissing``."""
    old = _fetched(ProjectState(project.root).bundles, base)
    present = _different(present_units(project, target, base) for target in base.targets)
    floors = [compare_bundles(old, base.units, bundle, units) for units in present]
    reasons = dict.fromkeys(reason for floor in floors for reason in floor.reasons)
    left_out = dict.fromkeys(text for floor in floors for text in floor.left_out)
    return Floor(tuple(sorted(reasons, key=lambda r: (-r.level, r.unit))), tuple(left_out))


def _different(units: Iterable[Mapping[str, UnitFacts]]) -> list[Mapping[str, UnitFacts]]:
    return list({tuple(sorted(each.items())): each for each in units}.values())


def _fetched(bundles: Path, base: Base) -> Bundle:
    try:
        return load_bundle(bundles, base.bundle)
    except BundleMissing as error:
        missing = BaseMissing(
            f"the bundle of {base.tag}, {base.bundle[:12]}, is not in .ship/bundles, so that nothing can be compared with it",
            remedy=f"Put the release's bundle into .ship/bundles/{base.bundle}, or check out {base.tag} and run `ship build`: "
            "the same sources give the same bundle.",
            where=error.where,
        )
        missing.tag = base.tag
        raise missing from error
