"""Every malformed manifest is refused with code, line, key and remedy; no secret is ever shown (faults 58 to 65, 69)."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from chains.errors import Refused
from pipeline.manifest.checking import check_project
from pipeline.manifest.errors import ManifestInvalid

_SPEC = importlib.util.spec_from_file_location("malformed", Path(__file__).with_name("malformed.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
malformed = importlib.util.module_from_spec(_SPEC)
sys.modules["malformed"] = malformed
_SPEC.loader.exec_module(malformed)


def _refused(root: Path) -> ManifestInvalid:
    with pytest.raises(ManifestInvalid) as caught:
        check_project(root).raise_problems()
    return caught.value


def _hold(case: object, error: ManifestInvalid) -> None:
    assert isinstance(case, malformed.Case)
    shown = json.dumps(error.to_json(), ensure_ascii=False) + str(error) + repr(error)
    assert error.code == case.code, error.cause
    assert isinstance(error, Refused)
    assert error.exit_code == 2
    assert error.remedy
    assert error.where is not None
    assert error.where.line is not None
    assert error.where.column is not None
    if case.line is not None:
        assert error.where.line == case.line, error.cause
    if case.key is not None:
        assert error.where.key == case.key
    assert case.says in shown.replace('\\"', '"')
    if case.secret is not None:
        assert case.secret not in shown


@pytest.mark.parametrize("case", malformed.PROJECT_CASES, ids=lambda case: case.name)
def test_project_refused(case: object, tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_bytes(case.content(malformed.PROJECT))  # type: ignore[attr-defined]
    _hold(case, _refused(tmp_path))


@pytest.mark.parametrize("case", malformed.TARGET_CASES, ids=lambda case: case.name)
def test_target_refused(case: object, tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "base.toml").write_bytes(case.content(malformed.TARGET))  # type: ignore[attr-defined]
    _hold(case, _refused(tmp_path))


def test_the_bases_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "base.toml").write_text(malformed.TARGET)
    report = check_project(tmp_path)
    assert not report.problems
    assert [file.file for file in report.files] == ["ship.toml", "manifests/base.toml"]


def test_there_are_enough_cases() -> None:
    assert len(malformed.PROJECT_CASES) + len(malformed.TARGET_CASES) >= 60


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    text = malformed.PROJECT.replace("proxy =", "proxi =").replace('version = "1.2.0"', "version = 1")
    (tmp_path / "ship.toml").write_text(text)
    error = _refused(tmp_path)
    assert [(p.code, p.where.line) for p in error.problems if p.where] == [("SHIP-M13", 4), ("SHIP-M11", 10)]
    assert [problem["code"] for problem in error.to_json()["problems"]] == ["SHIP-M13", "SHIP-M11"]


def test_at_most_twenty_problems(tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text(malformed.PROJECT + "[gates]\n" + "".join(f"x{n} = 1\n" for n in range(500)))
    assert len(_refused(tmp_path).problems) == 20


@pytest.mark.parametrize("link", ["ship.toml", "manifests/base.toml", "manifests", "src", "CHANGELOG.md"])
def test_links_out_of_the_project_are_refused(link: str, tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    for folder in (outside / "manifests", outside / "src", root):
        folder.mkdir(parents=True)
    project = malformed.PROJECT.replace('"1.2.0"', '"1.2.0"\nchangelog = "CHANGELOG.md"')
    for folder in (outside, root):
        (folder / "ship.toml").write_text(project)
    (outside / "manifests" / "base.toml").write_text(malformed.TARGET)
    (outside / "CHANGELOG.md").write_text("")
    if link == "ship.toml":
        (root / link).unlink()
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(outside / link)
    assert _refused(root).code == "SHIP-M21"


def test_a_link_inside_the_project_is_fine(tmp_path: Path) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "src").symlink_to("contracts")
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "base.toml").write_text(malformed.TARGET)
    assert not check_project(tmp_path).problems


def test_a_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").symlink_to("src")
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    assert _refused(tmp_path).code == "SHIP-M21"


def test_no_project(tmp_path: Path) -> None:
    assert _refused(tmp_path).code == "SHIP-M01"


def test_a_folder_and_a_pipe_are_no_manifests(tmp_path: Path) -> None:
    import os

    (tmp_path / "ship.toml").mkdir()
    assert _refused(tmp_path).code == "SHIP-M03"
    (tmp_path / "ship.toml").rmdir()
    os.mkfifo(tmp_path / "ship.toml")
    assert _refused(tmp_path).code == "SHIP-M03"


@pytest.mark.parametrize("name", ["../x", "-x", "a/b", "", "x" * 65, "\u0430bc", "a\0b"])
def test_target_names(name: str, tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    report = check_project(tmp_path, name)
    assert [problem.code for problem in report.problems] == ["SHIP-M22"]


def test_an_unknown_target_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text(malformed.PROJECT)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "production.toml").write_text(malformed.TARGET)
    problem = check_project(tmp_path, "prodution").problems[0]
    assert problem.code == "SHIP-M02"
    assert 'Did you mean "production"?' in problem.cause
