"""A program's files: which address they name, which bytes they hold, and what is said of a key that cannot be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair

from chains.errors import Refused
from chains.solana.workspace import (
    KeypairUnusable,
    ProgramFilesWrong,
    ProgramIdsDiffer,
    ProgramPaths,
    agreed_id,
    keypair,
    read_program,
)
from pipeline.manifest.errors import PathLeavesRoot
from pipeline.manifest.program_units import program_paths
from pipeline.manifest.project import load_project
from tests.support.solana_project import COUNTER, PROGRAM

OTHER = str(Keypair.from_seed(bytes([9]) * 32).pubkey())
SOURCE = "programs/counter/src/lib.rs"


@pytest.fixture
def paths(tmp_path: Path) -> ProgramPaths:
    root = tmp_path / "counter"
    shutil.copytree(COUNTER, root, ignore=shutil.ignore_patterns(".ship", "deployments", "releases"))
    target = root / "target"
    names = ("deploy/counter.so", "idl/counter.json", "deploy/counter-keypair.json")
    return ProgramPaths("counter", root, *(target / name for name in names))


def _idl(paths: ProgramPaths) -> Any:
    return json.loads(paths.idl.read_text())


def _address(paths: ProgramPaths, stated: str | None = PROGRAM) -> str:
    return agreed_id(paths, stated, "solana-local", _idl(paths))


def _anchor_toml(paths: ProgramPaths) -> None:
    path = paths.root / "Anchor.toml"
    path.write_text(path.read_text().replace(PROGRAM, OTHER))


def _declared(paths: ProgramPaths) -> None:
    (paths.root / SOURCE).write_text(f'use anchor_lang::prelude::*;\n\ndeclare_id!("{OTHER}");\n')


def _idl_address(paths: ProgramPaths) -> None:
    paths.idl.write_text(json.dumps({**_idl(paths), "address": OTHER}))


def _legacy_idl_address(paths: ProgramPaths) -> None:
    idl = _idl(paths)
    del idl["address"]
    paths.idl.write_text(json.dumps({**idl, "metadata": {"address": OTHER}}))


def _keypair(paths: ProgramPaths) -> None:
    paths.keypair.write_text(json.dumps(list(bytes(Keypair.from_seed(bytes([9]) * 32)))))


PLACES: dict[str, tuple[str, Callable[[ProgramPaths], None]]] = {
    "the IDL": ("the IDL", _idl_address),
    "an IDL of the older form": ("the IDL", _legacy_idl_address),
    "Anchor.toml": ("Anchor.toml", _anchor_toml),
    "declare_id!": ("declare_id!", _declared),
    "the keypair": ("counter-keypair.json", _keypair),
}


def test_five_places_that_agree(paths: ProgramPaths) -> None:
    (paths.root / SOURCE).write_text(f'declare_id!("{PROGRAM}");\n')
    assert _address(paths) == PROGRAM
    assert _address(paths, None) == PROGRAM


@pytest.mark.parametrize("place", PLACES)
def test_another_address_in_one_place_is_refused(paths: ProgramPaths, place: str) -> None:
    shown, change = PLACES[place]
    change(paths)
    with pytest.raises(ProgramIdsDiffer) as caught:
        _address(paths)
    assert (caught.value.code, caught.value.exit_code) == ("SHIP-B31", 2)
    assert f"{shown}: {OTHER}" in caught.value.cause


def test_another_address_in_ship_toml_is_refused(paths: ProgramPaths) -> None:
    with pytest.raises(ProgramIdsDiffer, match=f"ship.toml: {OTHER}"):
        _address(paths, OTHER)


def test_another_cluster_of_anchor_toml_does_not_count(paths: ProgramPaths) -> None:
    _anchor_toml(paths)
    assert agreed_id(paths, PROGRAM, "solana-devnet", _idl(paths)) == PROGRAM


def test_a_commented_out_declaration_does_not_count(paths: ProgramPaths) -> None:
    (paths.root / SOURCE).write_text(f'// declare_id!("{OTHER}");\ndeclare_id!("{PROGRAM}");\n')
    assert _address(paths) == PROGRAM


def test_no_address_anywhere_is_refused(paths: ProgramPaths) -> None:
    paths.keypair.unlink()
    (paths.root / "Anchor.toml").unlink()
    with pytest.raises(ProgramIdsDiffer, match="nothing names"):
        agreed_id(paths, None, "solana-local", None)


# -- bytes -------------------------------------------------------------------------------------------------------------


def _with_sha256(paths: ProgramPaths, digest: str) -> ProgramPaths:
    return ProgramPaths(paths.name, paths.root, paths.elf, paths.idl, paths.keypair, sha256=digest)


def test_the_pinned_bytes(paths: ProgramPaths) -> None:
    digest = sha256(paths.elf.read_bytes()).hexdigest()
    assert read_program(_with_sha256(paths, digest))["so"] == paths.elf.read_bytes()
    with pytest.raises(ProgramFilesWrong) as caught:
        read_program(_with_sha256(paths, "00" * 32))
    assert digest in caught.value.cause


def test_a_pin_is_no_secret(tmp_path: Path) -> None:
    """64 hex digits, as a private key has; the key says what they are."""
    root = tmp_path / "counter"
    shutil.copytree(COUNTER, root)
    digest = sha256((root / "target/deploy/counter.so").read_bytes()).hexdigest()
    text = (root / "ship.toml").read_text()
    (root / "ship.toml").write_text(text.replace("[programs.counter]", f'[programs.counter]\nsha256 = "{digest}"'))
    assert load_project(root).spec.programs["counter"].sha256 == digest


X86 = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little") + bytes(60)


@pytest.mark.parametrize(
    "data", [b"", b"\x7fELF", b"#!/bin/sh\n" * 9, X86], ids=["empty", "short", "script", "another machine's"]
)
def test_a_file_that_is_no_program(paths: ProgramPaths, data: bytes) -> None:
    paths.elf.write_bytes(data)
    with pytest.raises(ProgramFilesWrong, match="not a program built for Solana"):
        read_program(paths)


def test_a_program_that_is_missing(paths: ProgramPaths) -> None:
    paths.elf.unlink()
    with pytest.raises(ProgramFilesWrong, match="cannot be read") as caught:
        read_program(paths)
    assert "anchor build" in caught.value.remedy


def test_a_program_larger_than_an_account(paths: ProgramPaths) -> None:
    with paths.elf.open("r+b") as file:
        file.truncate(10 * 1024 * 1024 + 1)
    with pytest.raises(ProgramFilesWrong, match="larger than an account"):
        read_program(paths)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"instructions": 1}', "[" * 5_000, '{"a": 1, "a": 2}'])
def test_a_file_that_is_no_idl(paths: ProgramPaths, text: str) -> None:
    paths.idl.write_text(text)
    with pytest.raises(ProgramFilesWrong) as caught:
        read_program(paths)
    assert "counter.json" in caught.value.cause


# -- keys --------------------------------------------------------------------------------------------------------------

KEY = Keypair.from_seed(bytes(range(100, 132)))
WHOLE = list(bytes(KEY))
CANARY = ", ".join(map(str, WHOLE[:6]))
BAD_KEYS: dict[str, str] = {
    "empty": "",
    "no JSON": f"[{CANARY}",
    "base58": json.dumps(str(KEY)),
    "the seed alone": json.dumps(WHOLE[:32]),
    "one number too many": json.dumps([*WHOLE, 1]),
    "a number over a byte": json.dumps([*WHOLE[:63], 256]),
    "a negative number": json.dumps([*WHOLE[:63], -1]),
    "text in it": json.dumps([*WHOLE[:63], "1"]),
    "an object": json.dumps({"secretKey": WHOLE}),
    "a number": str(2**70),
    "the halves of two keys": json.dumps([*WHOLE[:32], *bytes(Keypair().pubkey())]),
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_key_that_cannot_be_used_is_never_shown(tmp_path: Path, name: str) -> None:
    path = tmp_path / "id.json"
    path.write_text(BAD_KEYS[name])
    with pytest.raises(KeypairUnusable) as caught:
        keypair(path)
    error: Refused = caught.value
    shown = json.dumps(error.to_json()) + str(error) + repr(error) + repr(error.__cause__) + repr(error.__context__)
    assert error.exit_code == 2
    assert CANARY not in shown
    assert str(KEY) not in shown
    assert "id.json" in error.cause


def test_a_key_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "id.json").mkdir()
    with pytest.raises(KeypairUnusable, match="cannot be read"):
        keypair(tmp_path / "id.json")


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["target/deploy", "target/idl/counter.json", "target/deploy/counter-keypair.json"])
def test_a_link_out_of_the_project_is_refused(tmp_path: Path, place: str) -> None:
    """Fault 64, for each file of a program."""
    root, outside = tmp_path / "counter", tmp_path / "outside"
    shutil.copytree(COUNTER, root)
    shutil.move(root / place, outside)
    (root / place).symlink_to(outside)
    project = load_project(root)
    with pytest.raises(PathLeavesRoot):
        program_paths(project, "counter", project.spec.programs["counter"])
