"""Two bundles with programs: what asks for which level, and what ``ship diff`` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.bundle import Bundle, add_programs, write_bundle
from pipeline.comparing.comparing import Side, compare
from pipeline.comparing.text import render
from pipeline.versioning.floor import UnitFacts, compare_bundles
from pipeline.versioning.numbers import Level
from tests.support.contracts import artifact
from tests.support.schemas import hold

COUNTER = Path(__file__).parents[3] / "examples" / "counter"
UNITS = {"A": UnitFacts("src/A.sol:A", "uups")}


def _files(folder: str, *, idl: bool = True) -> dict[str, bytes]:
    so = (COUNTER / folder / "deploy/counter.so").read_bytes()
    return {"so": so, **({"idl.json": (COUNTER / folder / "idl/counter.json").read_bytes()} if idl else {})}


def _bundle(root: Path, programs: dict[str, dict[str, bytes]], runtime: bytes = b"\x01") -> Bundle:
    contracts = write_bundle(root, project="acme", toolchain={}, artifacts=[(artifact("A", runtime), b"{}")])
    return add_programs(root, contracts, project="acme", built_by="prebuilt", programs=programs)


@pytest.fixture
def bundles(tmp_path: Path) -> tuple[Bundle, Bundle]:
    old, new = ({"counter": _files(folder)} for folder in ("target", "next"))
    return _bundle(tmp_path, old), _bundle(tmp_path, new)


def test_an_instruction_more_is_minor_and_one_less_major(bundles: tuple[Bundle, Bundle]) -> None:
    old, new = bundles
    there, back = compare_bundles(old, UNITS, new, UNITS), compare_bundles(new, UNITS, old, UNITS)
    assert (there.level, back.level) == (Level.MINOR, Level.MAJOR)
    assert "counter: instruction add: removed" in [str(reason) for reason in back.reasons]
    assert back.reasons[0].level is Level.MAJOR
    assert compare_bundles(old, UNITS, old, UNITS).level is Level.NONE


def test_without_idls_bytes_alone_are_compared_and_that_is_said(tmp_path: Path) -> None:
    old, new = (_bundle(tmp_path, {"counter": _files(folder, idl=False)}) for folder in ("target", "next"))
    floor = compare_bundles(old, {}, new, {})
    assert [(r.level, r.text) for r in floor.reasons] == [(Level.PATCH, "its bytes changed")]
    assert floor.left_out == ("the interface of counter: neither bundle has its IDL",)


def test_an_idl_or_a_program_that_comes_or_goes(tmp_path: Path) -> None:
    bare = _bundle(tmp_path, {"counter": _files("target", idl=False)})
    whole = _bundle(tmp_path, {"counter": _files("target")})
    none = _bundle(tmp_path, {})
    pairs: list[tuple[Bundle, Bundle, Level]] = [
        (bare, whole, Level.MINOR),
        (whole, bare, Level.MAJOR),
        (none, whole, Level.MINOR),
        (whole, none, Level.MAJOR),
    ]
    for old, new, level in pairs:
        assert compare_bundles(old, {}, new, {}).level is level


def _record(bundle: Bundle, version: str, authority: str) -> dict[str, Any]:
    unit = {"kind": "program", "program": "Prog", "program_data": "Data", "authority": authority, "change": "upgrade"}
    return {
        "tag": f"v{version}",
        "bundle": bundle.digest,
        "commit": None,
        "signer": "key",
        "units": {"counter": unit},
        "checks": [{"call": "owner()", "to": "0xAA", "found": authority}],
    }


def test_a_diff_of_programs_says_bytes_interface_and_authority(bundles: tuple[Bundle, Bundle]) -> None:
    old, new = (
        Side(f"releases/v{version}/sol.json", _record(bundle, version, authority), bundle)
        for bundle, version, authority in ((bundles[0], "1.0.0", "ann"), (bundles[1], "1.1.0", "ben"))
    )
    found = compare("sol", old, new)
    document = {
        "schema": 1, "kind": "contract-ship/diff", "project": "acme", "from": "v1.0.0", "to": "v1.1.0",
        "targets": [found], "only_before": [], "only_after": ["other"],
    }  # fmt: skip
    hold(document)
    assert [(p["program"], p["change"]) for p in found["programs"]] == [("counter", "changed")]
    assert ("addition", "instruction add") in [(c["effect"], c["where"]) for c in found["idl"]]
    assert found["authorities"] == [
        {"what": "0xAA owner()", "before": "ann", "after": "ben"},
        {"what": "counter authority", "before": "ann", "after": "ben"},
    ]
    assert found["addresses"] == []
    assert "v1.1.0 alone is on other" in render(document)
    unchanged = render({**document, "targets": [compare("sol", old, old)]})
    assert "  nothing differs" in unchanged
