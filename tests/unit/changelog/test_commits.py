"""Conventional Commits, as lines of a changelog; real repositories in folders of their own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.changelog.commits import gather, item_of, last_tag
from pipeline.changelog.errors import NoCommits
from pipeline.cli.changelog_cmd import command


@pytest.mark.parametrize(
    ("message", "item"),
    [
        ("feat: a way out", ("Added", "a way out")),
        ("fix(vault): a door\n\nBody.", ("Fixed", "vault: a door")),
        ("perf: fewer writes", ("Changed", "fewer writes")),
        ("feat!: another way", ("Added", "**Breaking:** another way")),
        ("chore(deps)!: drop it", ("Changed", "**Breaking:** deps: drop it")),
        (
            "refactor: a name\n\nText.\n\nBREAKING CHANGE: pause() is\ngone now\nReviewed-by: Z",
            ("Changed", "**Breaking:** a name (pause() is gone now)"),
        ),
        ("fix: <img src=x> ![a](b)\x1b[31m", ("Fixed", "&lt;img src=x> !\\[a](b)\\x1b[31m")),
        ("docs: words", None),
        ("refactor: a name", None),
        ("Merge branch 'x'", None),
        ("feat:no space", None),
        ("a fix: not a type", None),
        ("", None),
    ],
)
def test_one_commit(message: str, item: tuple[str, str] | None) -> None:
    assert item_of(message) == item


class Repository:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main", ".")

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgSign=false")
        subprocess.run(["git", "-C", str(self.root), *identity, *arguments], check=True, capture_output=True)

    def commit(self, message: str) -> None:
        (self.root / "file").write_text(message)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path)
    (tmp_path / "ship.toml").write_text(
        'schema = 1\n[project]\nname = "acme"\nversion = "1.1.0"\nchangelog = "CHANGELOG.md"\n'
        '[contracts.A]\nsource = "src/A.sol:A"\n'
    )
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    made.commit("feat: the beginning")
    return made


def test_since_the_last_tag_or_for_a_stable_version_the_last_stable_one(repository: Repository) -> None:
    assert gather(repository.root, "1.0.0").items == {"Added": ["the beginning"]}
    repository.git("tag", "v1.0.0")
    repository.commit("feat: one")
    repository.git("tag", "-a", "-m", "rc", "v1.1.0-rc.9")
    repository.git("tag", "v1.1.0-rc10")  # no version that can be put in order
    repository.commit("fix: two")
    repository.commit("docs: three")
    candidate = gather(repository.root, "1.1.0-rc.10")
    assert (candidate.since, candidate.items, candidate.commits, candidate.passed_over) == (
        "v1.1.0-rc.9",
        {"Fixed": ["two"]},
        2,
        1,
    )
    assert gather(repository.root, "1.1.0").items == {"Added": ["one"], "Fixed": ["two"]}
    repository.git("tag", "v1.1.0-rc.10")
    assert last_tag(repository.root, stable=False) == "v1.1.0-rc.10"


def test_a_folder_without_commits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoCommits):
        gather(tmp_path, "1.0.0")


def test_a_version_cut_from_commits(repository: Repository) -> None:
    repository.git("tag", "v1.0.0")
    repository.commit("feat(vault)!: a way out")
    log = repository.root / "CHANGELOG.md"
    arguments = ["cut", "v1.1.0", "-C", str(repository.root), "--date", "2026-11-24", "--from-commits"]
    before = log.read_text()
    shown = CliRunner().invoke(command, [*arguments, "--dry-run"])
    assert (shown.exit_code, log.read_text()) == (0, before)
    assert "- **Breaking:** vault: a way out" in shown.stdout
    assert CliRunner().invoke(command, arguments).exit_code == 0
    text = log.read_text()
    assert text == (
        "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2026-11-24\n\n### Added\n\n- **Breaking:** vault: a way out\n"
    )
    again = CliRunner().invoke(command, arguments)
    assert (again.exit_code, log.read_text()) == (0, text)
    checked = CliRunner().invoke(command, ["check", "-C", str(repository.root), "--version", "1.1.0"])
    assert checked.stdout == "ok       CHANGELOG.md: 1.1.0 has its entry\n"
