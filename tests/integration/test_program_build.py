"""Programs built by tools that stand in for Anchor's and Solana's (each script says so), and the gate of their own tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import Result

from tests.support.command import run_ship
from tests.support.solana_project import COUNTER, V1, V2

FAKE = """#!/bin/sh
# A fake {name}: it "builds" by taking the finished files of next/. It shows that and how the tool is called, nothing else.
echo "{name} $*" >>calls.txt
if [ "$1" = --version ]; then echo "{name} 0.0.0-fake"; exit 0; fi
[ -e broken ] && {{ echo "error[E0425]: cannot find value \\`count\\`" >&2; exit 101; }}
cp next/deploy/counter.so target/deploy/ && cp next/idl/counter.json target/idl/
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The counter, with a PATH on which no tool of Solana's is."""
    path = tmp_path / "counter"
    shutil.copytree(COUNTER, path, ignore=shutil.ignore_patterns(".ship", "deployments", "releases"))
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return path


def _fake(root: Path, name: str) -> None:
    tool = root.parent / "bin" / name
    tool.write_text(FAKE.format(name=name))
    tool.chmod(0o755)


def _edit(root: Path, old: str, new: str) -> None:
    text = (root / "ship.toml").read_text()
    assert old in text
    (root / "ship.toml").write_text(text.replace(old, new))


def _ship(root: Path, *arguments: str, exit_code: int = 0) -> Result:
    done = run_ship(*arguments, "-C", str(root))
    assert done.exit_code == exit_code, done.output
    return done


def _program(root: Path) -> bytes:
    """The bytes in the bundle that was built last."""
    bundle = json.loads(_ship(root, "build", "--json").stdout)["bundle"]
    (found,) = (root / ".ship" / "bundles").glob(f"{bundle}*/**/*.so")
    return found.read_bytes()


@pytest.mark.parametrize(
    ("build", "tool", "called"),
    [
        ("anchor", "anchor", "anchor build"),
        ("anchor-verifiable", "anchor", "anchor build --verifiable"),
        ("cargo-build-sbf", "cargo-build-sbf", "cargo-build-sbf "),
    ],
)
def test_the_tool_is_called(root: Path, build: str, tool: str, called: str) -> None:
    _fake(root, tool)
    _edit(root, 'build = "prebuilt"', f'build = "{build}"')
    assert _program(root) == V2
    assert (root / "calls.txt").read_text().splitlines()[0] == called
    bundle = json.loads(_ship(root, "build", "--json").stdout)["bundle"]
    (text,) = [path.read_text() for path in (root / ".ship" / "bundles").glob(f"{bundle}*/bundle.json")]
    assert f"{tool} 0.0.0-fake" in text


def test_auto_takes_anchor_where_the_sources_are_rust(root: Path) -> None:
    _edit(root, 'build = "prebuilt"', 'build = "auto"')
    _fake(root, "anchor")
    _fake(root, "cargo-build-sbf")
    assert _program(root) == V1  # C, which Anchor does not build
    (root / "programs/counter/Cargo.toml").write_text('[package]\nname = "counter"\n')
    assert _program(root) == V2
    assert "cargo-build-sbf" not in (root / "calls.txt").read_text()
    (root / "Anchor.toml").unlink()
    _ship(root, "build")
    assert "cargo-build-sbf" in (root / "calls.txt").read_text()


@pytest.mark.parametrize("build", ["anchor", "anchor-verifiable", "cargo-build-sbf"])
def test_a_missing_tool(root: Path, build: str) -> None:
    _edit(root, 'build = "prebuilt"', f'build = "{build}"')
    done = _ship(root, "build", exit_code=2)
    assert "SHIP-B33" in done.output
    assert build.removesuffix("-verifiable") in done.output


def test_a_build_that_fails(root: Path) -> None:
    _fake(root, "anchor")
    _edit(root, 'build = "prebuilt"', 'build = "anchor"')
    (root / "broken").touch()
    done = _ship(root, "build", exit_code=2)
    assert "SHIP-B34" in done.output
    assert "E0425" in done.output
    assert not list((root / ".ship").glob("bundles/*"))


def test_the_pinned_digest_is_of_what_was_built(root: Path) -> None:
    _fake(root, "anchor")
    _edit(root, 'build = "prebuilt"', 'build = "anchor"')
    _edit(root, "[programs.counter]", f'[programs.counter]\nsha256 = "{sha256(V1).hexdigest()}"')
    assert "SHIP-B30" in _ship(root, "build", exit_code=2).output


# -- the gate of the programs' own tests ---------------------------------------------------------------------------------


def _gate(root: Path, script: str) -> None:
    (root / "run-tests").write_text(f"#!/bin/sh\n{script}\n")
    (root / "run-tests").chmod(0o755)
    path = root / "ship.toml"
    path.write_text(path.read_text() + '\n[gates]\nprogram-tests = { command = ["./run-tests"] }\n')


def test_tests_that_pass(root: Path) -> None:
    _gate(root, 'test -d "$SHIP_BUNDLE" && cmp -s target/deploy/counter.so "$(find "$SHIP_BUNDLE" -name "*.so")"')
    assert "passed" in _ship(root, "test").output


def test_tests_that_fail(root: Path) -> None:
    _gate(root, 'echo "1 failing: counts twice"; exit 7')
    done = _ship(root, "test", exit_code=2)
    assert "ended with 7" in done.output
    assert "counts twice" in done.output


CHANGES: dict[str, Callable[[], str]] = {
    "other bytes": lambda: "cp next/deploy/counter.so target/deploy/counter.so",
    "a byte more": lambda: "printf x >>target/deploy/counter.so",
}


@pytest.mark.parametrize("change", CHANGES)
def test_tests_that_change_what_they_test(root: Path, change: str) -> None:
    """Tested bytes are released bytes: a command that builds again has tested something else."""
    _gate(root, CHANGES[change]())
    assert "not what was built" in _ship(root, "test", exit_code=2).output


def test_tests_that_delete_what_they_test(root: Path) -> None:
    _gate(root, "rm target/deploy/counter.so")
    assert "counter.so cannot be read" in _ship(root, "test", exit_code=2).output
