"""Whatever stands in a file, what comes out is a project or a ``ShipError`` with a place and a remedy."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chains.errors import ShipError
from pipeline.manifest.checking import check_project
from pipeline.manifest.reading import parse

ROOT = Path(__file__).parents[3]
SEEDS = [ROOT / "examples/vault/ship.toml", ROOT / "tests/projects/uniswap-v2/ship.toml"]
GRAFTS = (
    b'"', b"'", b'"""', b"[", b"]", b"{", b"}", b"=", b".", b"#", b"\n", b"\0", b"\xff", b"\xe2\x80\xae", b"${", b"}", b"-", b"1e9",
    b"true", b"nan", b"0x", b"[[a]]\n", b"[a.b]\n", b"a.b.c = 1\n", b"999999999999999999999999", b"2026-11-24", b"\\u0000",
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes(content: bytes) -> None:
    try:
        parse(content, "ship.toml")
    except ShipError as error:
        _well_formed(error)


def _well_formed(error: ShipError) -> None:
    assert error.exit_code == 2
    assert error.remedy
    assert error.where is not None
    assert error.where.line is not None
    assert error.where.line >= 1


def _mutated(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(content))
        if chance.random() < 0.5:
            content = content[:at] + chance.choice(GRAFTS) + content[at:]
        else:
            content = content[:at] + content[at + chance.randint(1, 12) :]
    return content


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("round_", range(4))
def test_mutated_projects(seed: Path, round_: int, tmp_path: Path) -> None:
    chance = random.Random(f"{seed.parent.name}-{round_}")
    content = seed.read_bytes()
    for _ in range(60):
        (tmp_path / "ship.toml").write_bytes(_mutated(content, chance))
        for problem in check_project(tmp_path).problems:
            assert problem.exit_code == 2
            assert problem.remedy
            assert problem.where is not None


@pytest.mark.parametrize("name", ["base", "local", "solana", "ethereum"])
def test_mutated_targets(name: str, tmp_path: Path) -> None:
    chance = random.Random(name)
    content = (ROOT / "manifests" / f"{name}.toml").read_bytes()
    (tmp_path / "ship.toml").write_text('schema = 1\n[project]\nname = "x"\nversion = "1.0.0"\n')
    (tmp_path / "manifests").mkdir()
    for _ in range(100):
        (tmp_path / "manifests" / "t.toml").write_bytes(_mutated(content, chance))
        for problem in check_project(tmp_path).problems:
            assert problem.remedy
            assert problem.where is not None


def test_hostile_sizes_stay_bounded() -> None:
    """A file of the full size, made to be slow: many keys, many duplicates, many suspect lines, one long string."""
    size = 1024 * 1024 - 64
    for line in (b"a%d = 1\n", b"x.y.z.a%d = 1\n", b"[t%d]\n", b"[[t]]\n#%d\n", b"a = 1 #%d\n"):
        rows = b"".join(line % n for n in range(size // (len(line) + 5) // 2))[:size]
        _quietly(rows[: rows.rfind(b"\n")])
    _quietly(b'a = "' + b"x" * size + b'"')
    _quietly(b'a = """' + b'x""' * (size // 3) + b'"""')
    _quietly("# \u202e\n".encode() * (size // 6))
    _quietly(b"a = [" + b"1," * (size // 2) + b"]")
    _quietly(b"a = " + b"9" * size)
    _quietly(b'a = "' + b"word " * (size // 5) + b'"')
    _quietly(b"a.".join([b""] * (size // 2)) + b"b = 1")


def _quietly(content: bytes) -> None:
    try:
        parse(content, "x.toml")
    except ShipError as error:
        _well_formed(error)
