"""``ship completion``, and what is completed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from pipeline.cli.group import COMMANDS, ship


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_alone_on_stdout(shell):
    result = CliRunner().invoke(ship, ["completion", shell])
    assert result.exit_code == 0
    assert "_SHIP_COMPLETE" in result.stdout
    assert "To install it" in result.stderr
    assert "To install it" not in result.stdout
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=result.stdout, text=True, check=False).returncode == 0


def test_another_shell_is_refused():
    assert CliRunner().invoke(ship, ["completion", "tcsh"]).exit_code == 2


def completions(args, incomplete):
    return [item.value for item in ShellComplete(ship, {}, "ship", "_SHIP_COMPLETE").get_completions(args, incomplete)]


def test_commands_targets_and_tags_are_completed(tmp_path):
    (tmp_path / "manifests").mkdir()
    for name in ("base", "base-sepolia"):
        (tmp_path / "manifests" / f"{name}.toml").touch()
    (tmp_path / "releases" / "v1.0.0").mkdir(parents=True)
    assert completions([], "statu") == ["status"]
    assert completions(["status", "-C", str(tmp_path), "--chain"], "ba") == ["base", "base-sepolia"]
    assert completions(["record", "show", "-C", str(tmp_path)], "v1") == ["v1.0.0"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    result = CliRunner().invoke(ship, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage:")
