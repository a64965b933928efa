"""The guard and what is published beside a program: what the publications make is signed; no authority goes elsewhere by one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from chains.solana.legacy_idl import layout as legacy
from chains.solana.legacy_idl.publication import LegacyIdlPublication
from chains.solana.metadata.layout import PROGRAM as METADATA
from chains.solana.metadata.packing import pack
from chains.solana.metadata.publication import MetadataPublication
from chains.solana.reading import read_message
from chains.solana.release import SolanaAction
from chains.solana.transactions import compile_message
from pipeline.programs.allowed import why_not
from tests.support.solana_messages import DIGEST, ELF, KEYS, PLAN

PACKED = pack(json.dumps({str(number): "counts" for number in range(90)}).encode())
NAMES = ("program", "payer", "authority")
PLACES = {name: str(KEYS[name]) for name in NAMES}
SHOWN: dict[str, Any] = {"plan": "", "unit": "publish", "kind": "create", **PLACES, "document_sha256": "00" * 32}
METADATA_ONE = MetadataPublication(**SHOWN, seed="idl", form=PACKED.form, packed=PACKED.data)
LEGACY_ONE = LegacyIdlPublication(**SHOWN, packed=PACKED.data)


def _action(what: str, publication: Any) -> SolanaAction:
    details = {"what": what, "program": PLACES["program"], "publication": publication.to_json()}
    return SolanaAction("publish", "publish", "counter", "publish", 1, 5_000, 10**9, 10**9, details)


ACTIONS = {"metadata": _action("metadata", METADATA_ONE), "legacy-idl": _action("legacy-idl", LEGACY_ONE)}


def _why(what: str, *made: Instruction) -> str | None:
    message = to_bytes_versioned(compile_message(KEYS["payer"], list(made), "1" * 32))
    action = ACTIONS[what]
    plan = replace(PLAN, actions=(action,))
    return why_not(read_message(message), plan, DIGEST, action, "publish", lambda _: ELF)


def _made(what: str) -> list[tuple[str, Instruction]]:
    """Every instruction of every step of a first publication, in accounts that are empty."""
    publication = METADATA_ONE if what == "metadata" else LEGACY_ONE
    empty: dict[str, Any] = dict.fromkeys(publication.keys)
    steps = ["buffer", "publish"]
    return [(step, one) for step in steps for one in publication.instructions(step, empty, lambda space: space)]


def test_a_legacy_publication_is_allowed() -> None:
    payer, program, buffer = KEYS["payer"], KEYS["program"], Pubkey.from_string(LEGACY_ONE.buffer)
    piece = legacy.write(program, buffer, payer, PACKED.data[:100])
    assert _why("legacy-idl", piece) is None
    assert _why("legacy-idl", legacy.set_authority(program, buffer, payer, KEYS["authority"])) is None
    assert _why("legacy-idl", legacy.set_buffer(program, buffer, KEYS["authority"])) is None


def test_a_metadata_publication_is_allowed() -> None:
    for step, one in _made("metadata"):
        assert _why("metadata", one) is None, step


@pytest.mark.parametrize("step", ["other bytes", "other account"])
def test_anything_else_in_a_write_is_refused(step: str) -> None:
    payer, program, buffer = KEYS["payer"], KEYS["program"], Pubkey.from_string(LEGACY_ONE.buffer)
    at = buffer if step == "other bytes" else KEYS["other"]
    data = b"another" * 20 if step == "other bytes" else PACKED.data[:100]
    assert _why("legacy-idl", legacy.write(program, at, payer, data)) is not None


def test_an_authority_that_is_not_the_plans_is_refused() -> None:
    """Short enough to pass for a head without content: its number decides."""
    buffer, authority = Pubkey.from_string(LEGACY_ONE.buffer), KEYS["authority"]
    made = legacy.set_authority(KEYS["program"], buffer, KEYS["payer"], KEYS["other"])
    assert "no publication needs" in str(_why("legacy-idl", made))
    account = Pubkey.from_string(METADATA_ONE.address)
    metas = [AccountMeta(account, False, True), AccountMeta(authority, True, False)]
    for data in (b"\2\1" + bytes(KEYS["other"]), b"\2\0", b"\4", b"", b"\x09"):
        assert "no publication needs" in str(_why("metadata", Instruction(METADATA, data, metas)))


def test_the_programs_own_instructions_are_none_of_a_publications() -> None:
    metas = [AccountMeta(KEYS["authority"], True, True)]
    for data in (bytes([11, 18, 104, 9, 104, 174, 59, 33]), b"", b"\x40\xf4\xbc\x78\xa7\xe9\x69\x0a", bytes(40)):
        assert "no publication needs" in str(_why("legacy-idl", Instruction(KEYS["program"], data, metas)))
