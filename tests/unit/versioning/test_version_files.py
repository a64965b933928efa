"""Files that say the version: read where it stands, written without touching anything else."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.manifest.checking import check_project
from pipeline.manifest.errors import BadVersion, VersionsDiffer
from pipeline.manifest.project import load_project
from pipeline.versioning.files import write_version
from pipeline.versioning.places import Unreadable, places_in, replaced

FILES = {
    "package.json": '{\r\n\t"dependencies": {"version": "7.0.0"},\r\n\t"version" : "1.0.0"\r\n}\r\n',
    "Cargo.toml": '# the crate\n[package]\nname = "a"\nversion.workspace = true\n\n[workspace.package]\nversion = \'1.0.0\' # kept\n',
    "Anchor.toml": '[toolchain]\nanchor_version = "0.31.0"\n[package]\nversion = "1.0.0"\n',
    "pyproject.toml": '[project]\nname = "a"\nversion="1.0.0"\n[tool.other]\nversion = "7.0.0"\n',
    "foundry.toml": '[profile.default]\nsolc_version = "0.8.37"\n[soldeer]\nversion = "1.0.0"\n',
    "app/VERSION": "\n1.0.0\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_only_the_version_changes(name: str) -> None:
    text = FILES[name]
    assert replaced(name, text, "2.0.0-rc.1") == text.replace("1.0.0", "2.0.0-rc.1")
    assert [place.version for place in places_in(name, text)] == ["1.0.0"]
    assert replaced(name, replaced(name, text, "2.0.0"), "1.0.0") == text


@given(
    st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.lists(st.text(), max_size=2), max_size=4),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_any_json_keeps_all_it_holds(body: dict[str, object], indent: str | int | None, ascii_only: bool) -> None:
    body = {**body, "version": "1.0.0", "nested": {"version": 'a "version": "x"'}}
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_only)
    assert json.loads(replaced("package.json", text, "1.0.1")) == {**body, "version": "1.0.1"}


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=("C",))))
def test_comments_in_toml_stay(comment: str) -> None:
    text = f'#{comment}\n[package] # [package]\nversion = "1.0.0" #{comment}\n'
    new = replaced("Cargo.toml", text, "1.0.1")
    assert tomllib.loads(new) == {"package": {"version": "1.0.1"}}
    assert new == f'#{comment}\n[package] # [package]\nversion = "1.0.1" #{comment}\n'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package.json", "{}"),
        ("package.json", '{"version": 1}'),
        ("package.json", "[" * 500),
        ("package.json", '{"version": "1\\u002e0.0"}'),
        ("Cargo.toml", '[package]\nversion = """1.0.0"""\n'),
        ("Cargo.toml", "[package\n"),
        ("Cargo.toml", "a = " + "[" * 6000),
        ("VERSION", " \n"),
    ],
)
def test_what_cannot_be_read_or_written_is_refused(name: str, text: str) -> None:
    with pytest.raises(Unreadable):
        replaced(name, text, "1.0.0")


PROJECT = 'schema = 1\n[project]\nname = "acme"\nversion = "1.0.0"   # the version\nversion-files = [{}]\n[contracts.A]\nsource = "src/A.sol:A"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    (tmp_path / "ship.toml").write_text(PROJECT.format(", ".join(f'"{name}"' for name in FILES)))
    return tmp_path


def test_all_are_held_equal_and_written_together(root: Path) -> None:
    assert check_project(root, "local").files[0].problems == ()
    (root / "package.json").write_text('{\n  "version": "0.9.0"\n}')
    (root / "app/VERSION").unlink()
    differs, missing = check_project(root, "local").files[0].problems
    assert isinstance(differs, VersionsDiffer)
    assert (differs.where.file, differs.where.line) == ("package.json", 2)  # type: ignore[union-attr]
    assert isinstance(missing, BadVersion)
    (root / "app/VERSION").write_text("0.9.0")
    (root / "app/VERSION").chmod(0o600)
    assert write_version(load_project(root), "1.1.0-rc.1") == [*FILES, "ship.toml"]
    assert check_project(root, "local").files[0].problems == ()
    assert 'version = "1.1.0-rc.1"   # the version\n' in (root / "ship.toml").read_text()
    assert (root / "app/VERSION").stat().st_mode & 0o777 == 0o600
    assert write_version(load_project(root), "1.1.0-rc.1") == []


def test_nothing_is_written_where_one_cannot_be(root: Path) -> None:
    (root / "app/VERSION").write_text("")
    before = {name: (root / name).read_bytes() for name in FILES}
    with pytest.raises(BadVersion, match="VERSION: it holds no version"):
        write_version(load_project(root), "2.0.0")
    assert {name: (root / name).read_bytes() for name in FILES} == before


def test_the_file_that_version_is_read_from_is_the_one_written(root: Path) -> None:
    text = (root / "ship.toml").read_text()
    (root / "ship.toml").write_text(text.replace('version = "1.0.0"   # the version', 'version-from = "package.json"'))
    assert "package.json" in write_version(load_project(root), "1.0.1")
    assert load_project(root).version == "1.0.1"


def test_a_file_outside_the_project_is_refused(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other") / "VERSION"
    other.write_text("1.0.0")
    (root / "app/VERSION").unlink()
    (root / "app/VERSION").symlink_to(other)
    (problem,) = check_project(root, "local").files[0].problems
    assert problem.code == "SHIP-M21"
