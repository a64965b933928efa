"""IDLs compared: the example's two versions, and every part changed by hand."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chains.solana.idl import Idl, legacy
from chains.solana.idl_changes import IdlShapeless, idl_changes

COUNTER = Path(__file__).parents[3] / "examples" / "counter"


def _idl(folder: str) -> dict[str, Any]:
    return dict(json.loads((COUNTER / folder / "idl/counter.json").read_text()))


def test_the_examples_next_version_adds_an_instruction() -> None:
    there = {(c.effect, c.where, c.text) for c in idl_changes(_idl("target"), _idl("next"))}
    back = {(c.effect, c.where, c.text) for c in idl_changes(_idl("next"), _idl("target"))}
    assert ("addition", "instruction add", "added") in there
    assert ("breaking", "instruction add", "removed") in back
    assert {effect for effect, _, _ in there} == {"addition"}
    assert list(idl_changes(_idl("next"), _idl("next"))) == []


def test_the_form_before_0_30_says_the_same_of_instructions_accounts_and_types() -> None:
    new = _idl("next")
    assert list(idl_changes(legacy(Idl(new)), new)) == []


def test_an_event_in_either_form_is_the_same() -> None:
    name, field = "Counted", {"name": "newCount", "type": "publicKey", "index": False}
    old = {"events": [{"name": name, "fields": [field]}]}
    struct = {"kind": "struct", "fields": [{"name": "new_count", "type": "pubkey"}]}
    new = {"events": [{"name": name}], "types": [{"name": name, "type": struct}]}
    assert list(idl_changes(old, new)) == []


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "where", "effect"),
    [
        (lambda i: i["instructions"].pop(0), "instruction", "breaking"),
        (lambda i: i["instructions"][0].update(discriminator=[1] * 8), "instruction", "breaking"),
        (lambda i: i["instructions"][0]["accounts"].reverse(), "instruction", "breaking"),
        (lambda i: i["instructions"][0]["accounts"][0].update(writable=False), "instruction", "breaking"),
        (lambda i: i["instructions"][0]["args"].append({"name": "more", "type": "u8"}), "instruction", "breaking"),
        (lambda i: i["types"][0]["type"]["fields"].append({"name": "more", "type": "u8"}), "type", "breaking"),
        (lambda i: i["accounts"][0].update(discriminator=[1] * 8), "account", "breaking"),
        (lambda i: i.setdefault("errors", []).append({"code": 9999, "name": "New"}), "error", "addition"),
        (lambda i: i.setdefault("constants", []).append({"name": "C", "type": "u8", "value": "1"}), "constant", "addition"),
        (lambda i: i["instructions"][0].update(docs=["Other words."]), None, None),
        (lambda i: i["metadata"].update(version="9.9.9"), None, None),
    ],
)  # fmt: skip
def test_each_part(change: Change, where: str | None, effect: str | None) -> None:
    new = copy.deepcopy(_idl("target"))
    change(new)
    found = list(idl_changes(_idl("target"), new))
    assert {c.effect for c in found} == ({effect} if effect else set())
    assert all(c.where.startswith(f"{where} ") for c in found)


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"instructions": [1]}', b'{"errors": [{"name": "E"}]}', b"\xff"])
def test_what_is_no_idl_is_refused(data: bytes) -> None:
    with pytest.raises(IdlShapeless):
        list(idl_changes({}, data))


def test_another_code_breaks_who_reads_errors() -> None:
    old = {"errors": [{"code": 6000, "name": "Full"}]}
    new = {"errors": [{"code": 6001, "name": "Full"}]}
    assert [str(c) for c in idl_changes(old, new)] == ["error Full: code 6000 before, 6001 now"]
