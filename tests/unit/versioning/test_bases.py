"""Which releases a build is held against, out of all records there are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from semver import Version

from pipeline.versioning.bases import Base, bases_of, newest_of_each_target, released_versions, same_version
from pipeline.versioning.floor import UnitFacts


def _write(root: Path, tag: str, name: str, bundle: str, source: str = "src/A.sol:A", **more: Any) -> None:
    unit = {"address": "0xAA", "source": "src/P.sol:P", "implementation_source": source, "proxy": "uups"}
    record = {
        "schema": 1, "kind": "contract-ship/record", "bundle": bundle, "chain": {"name": "base"},
        "units": {"A": unit, "call": {"address": None}}, **more,
    }  # fmt: skip
    path = root / "releases" / tag / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path, "v1.9.0", "base", "b19")
    _write(tmp_path, "v1.10.0", "base", "b110")
    _write(tmp_path, "v1.10.0", "optimism", "b110")
    _write(tmp_path, "v1.9.0", "arbitrum", "b19")
    _write(tmp_path, "v1.11.0-rc.1", "base", "rc")
    _write(tmp_path, "v1.11.0-rc9", "base", "odd")
    return tmp_path


def _shown(bases: list[Base]) -> list[tuple[str, tuple[str, ...], str]]:
    return sorted((base.tag, base.targets, base.bundle) for base in bases)


def test_the_newest_stable_release_with_all_targets_that_have_the_same_of_it(root: Path) -> None:
    assert _shown(bases_of(root)) == [("v1.10.0", ("base", "optimism"), "b110")]
    assert bases_of(root)[0].units == {"A": UnitFacts("src/A.sol:A", "uups")}
    assert _shown(bases_of(root, "arbitrum")) == [("v1.9.0", ("arbitrum",), "b19")]
    assert bases_of(root, "nowhere") == []
    assert released_versions(root) == {Version.parse(v) for v in ("1.9.0", "1.10.0", "1.11.0-rc.1")}


def test_below_a_version_for_a_patch_of_an_older_line(root: Path) -> None:
    _write(root, "v2.0.0", "base", "b2")
    assert _shown(bases_of(root, below=Version(1, 10, 1)))[0][0] == "v1.10.0"
    assert _shown(bases_of(root, below=Version(1, 10, 0))) == [("v1.9.0", ("arbitrum", "base"), "b19")]


def test_each_targets_own(root: Path) -> None:
    assert _shown(newest_of_each_target(root)) == [
        ("v1.10.0", ("base", "optimism"), "b110"),
        ("v1.9.0", ("arbitrum",), "b19"),
    ]


def test_targets_with_other_units_or_another_bundle_are_held_against_by_themselves(root: Path) -> None:
    _write(root, "v1.10.0", "optimism", "b110", source="src/B.sol:B")
    _write(root, "v1.10.0", "zora", "other")
    assert [base[1:] for base in _shown(bases_of(root))] == [
        (("base",), "b110"),
        (("optimism",), "b110"),
        (("zora",), "other"),
    ]


@pytest.mark.parametrize(("way", "bundle"), [({}, "later"), ({"way": "rollback"}, "middle")])
def test_of_several_revisions_the_last_counts_and_no_rollback(root: Path, way: dict[str, str], bundle: str) -> None:
    _write(root, "v1.10.0", "base.2", "middle")
    _write(root, "v1.10.0", "base.10", "later", **way)
    (root / "releases/v1.10.0/optimism.json").unlink()
    assert _shown(bases_of(root)) == [("v1.10.0", ("base",), bundle)]


def test_the_same_version_counts_where_it_is_not_on_a_local_chain(root: Path) -> None:
    _write(root, "v1.10.0", "optimism", "b110", chain={"name": "local"})
    _write(root, "v1.10.0", "mine", "b110", chain={"name": "a chain of one's own"})
    assert _shown(same_version(root, Version(1, 10, 0))) == [("v1.10.0", ("base", "mine"), "b110")]
