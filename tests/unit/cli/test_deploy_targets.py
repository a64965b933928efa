"""Which targets `ship deploy` is told: what is unclear is refused before anything is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli.group import ship


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name targets with --chain, or say --all."),
        (["--chain", "a", "--all"], "give one of the two"),
        (["--chain", "a,"], "has an empty name in it"),
        (["--chain", "a,,b"], "has an empty name in it"),
        (["--chain", ""], "has an empty name in it"),
        (["--chain", "a,b", "--plan", "p.json"], "exactly one target"),
    ],
)
def test_unclear_targets_are_a_usage_error(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(ship, ["deploy", "-C", str(tmp_path), *arguments])
    assert result.exit_code == 2
    assert said in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_is_named_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "ship.toml").write_text('schema = 1\n[project]\nname = "x"\nversion = "1.0.0"\n')
    result = CliRunner().invoke(ship, ["deploy", "-C", str(tmp_path), "--chain", "base,local,base", "--json"])
    assert "base is named twice" in result.output
