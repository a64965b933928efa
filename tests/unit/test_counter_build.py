"""examples/counter: the committed programs are what their sources give, and what their IDLs say."""

from __future__ import annotations

import json
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.missing import missing

ROOT = Path(__file__).parents[2]
COUNTER = ROOT / "examples" / "counter"
PROGRAMS = ("target/deploy/counter.so", "next/deploy/counter.so")


def test_the_sources_give_the_committed_bytes(tmp_path):
    if shutil.which("clang-19") is None:
        missing("clang-19 is missing: apt-get install clang-19")
    subprocess.run([ROOT / "scripts/solana/build-counter", tmp_path], check=True, capture_output=True, timeout=120)
    for name in PROGRAMS:
        assert sha256((tmp_path / name).read_bytes()).digest() == sha256((COUNTER / name).read_bytes()).digest(), name


def test_the_second_version_is_larger():
    first, second = ((COUNTER / name).read_bytes() for name in PROGRAMS)
    assert len(second) > len(first)


@pytest.mark.parametrize(
    ("folder", "instructions"), [("target", {"initialize", "increment"}), ("next", {"initialize", "increment", "add"})]
)
def test_the_idl_is_of_this_program(folder, instructions):
    idl = json.loads((COUNTER / folder / "idl/counter.json").read_text())
    source = (COUNTER / "programs/counter/src/counter.c").read_text()
    assert {entry["name"] for entry in idl["instructions"]} == instructions
    for space, entries in (("global", idl["instructions"]), ("account", idl["accounts"])):
        for entry in entries:
            tag = sha256(f"{space}:{entry['name']}".encode()).digest()[:8]
            assert bytes(entry["discriminator"]) == tag
            assert f"{int.from_bytes(tag, 'little'):#018x}ull" in source
    assert f'counter = "{idl["address"]}"' in (COUNTER / "Anchor.toml").read_text()
