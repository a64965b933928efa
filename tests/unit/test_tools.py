"""Where programs are looked for, and what they get to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from chains import tools
from chains.tools import ToolMissing, ToolUnsuitable, base_environment, find_tool, forge_environment, require_tool


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on it."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.delenv("SHIP_TOOLS", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tools, "__file__", str(tmp_path / "site-packages/chains/tools.py"))
    return tmp_path


def program(path: Path, content: bytes = b"\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def test_a_missing_tool_says_how_to_get_it(bare: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        find_tool("forge", bare)
    assert "scripts/bootstrap" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_the_order_is_ship_tools_then_dot_tools_then_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = program(bare / "path/forge")
    monkeypatch.setenv("PATH", str(bare / "path"))
    project = bare / "repo/contracts"
    project.mkdir(parents=True)
    assert find_tool("forge", project) == on_path
    above = program(bare / "repo/.tools/bin/forge")
    assert find_tool("forge", project) == above
    given = program(bare / "given/bin/forge")
    monkeypatch.setenv("SHIP_TOOLS", str(bare / "given"))
    assert find_tool("forge", project) == given


def test_a_wrapper_script_is_passed_over_and_named(bare: Path) -> None:
    wrapper = program(bare / ".tools/bin/forge", b"#!/usr/bin/env node\n")
    with pytest.raises(ToolMissing, match=str(wrapper)):
        find_tool("forge", bare)


def test_another_version_is_refused_with_both(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / ".tools/bin/forge")
    monkeypatch.setattr(tools, "_version", lambda *_: "0.2.0")
    with pytest.raises(ToolUnsuitable, match=r"0\.2\.0.*1\.7"):
        require_tool("forge", bare)


def test_keys_are_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "PRIVATE_KEY",
        "ETH_PASSWORD",
        "AWS_SESSION_TOKEN",
        "FOUNDRY_ETH_RPC_JWT",
        "SHIP_ANYTHING",
        "NPM_TOKEN",
    ):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("FOUNDRY_PROFILE", "lean")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    environment = base_environment()
    assert "x" not in environment.values()
    assert environment["FOUNDRY_PROFILE"] == "lean"
    assert environment["HTTPS_PROXY"] == "http://proxy"


def test_forge_stays_off_the_network_only_when_our_own_compilers_serve_it(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("FOUNDRY_OFFLINE", raising=False)
    program(bare / ".tools/bin/forge")
    assert "FOUNDRY_OFFLINE" not in forge_environment(bare)
    (bare / ".tools/home/.svm/0.8.37").mkdir(parents=True)
    environment = forge_environment(bare)
    assert environment["HOME"] == str(bare / ".tools/home")
    assert environment["FOUNDRY_OFFLINE"] == "true"
    assert environment["PATH"].split(":")[0] == str(bare / ".tools/bin")
    assert forge_environment(bare, own_compilers=False)["HOME"] == "/home/someone"
