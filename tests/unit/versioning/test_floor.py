"""The floor: what asks for which level, whatever the ABI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.abi_changes import abi_changes
from chains.evm.artifacts import Artifact
from pipeline.versioning.floor import Reason, UnitFacts, contract_reasons
from pipeline.versioning.numbers import Level
from tests.support.contracts import artifact

Abi = list[dict[str, Any]]
PROXIED = UnitFacts("src/A.sol:A", "uups")
BARE = UnitFacts("src/A.sol:A")

names = st.sampled_from(["a", "b", "c", "set", "get"])
types = st.sampled_from(["uint256", "address", "bytes32[]", "string"])
parameters = st.lists(st.fixed_dictionaries({"name": names, "type": types}), max_size=3)
functions = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "name": names,
        "inputs": parameters,
        "outputs": parameters,
        "stateMutability": st.sampled_from(["view", "pure", "payable", "nonpayable"]),
    }
)
topics = st.lists(st.fixed_dictionaries({"name": names, "type": types, "indexed": st.booleans()}), max_size=3)
events = st.fixed_dictionaries({"type": st.just("event"), "name": names, "inputs": topics, "anonymous": st.booleans()})
errors = st.fixed_dictionaries({"type": st.just("error"), "name": names, "inputs": parameters})


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["type"], entry["name"], tuple(i["type"] for i in entry["inputs"])


entries = st.one_of(functions, events, errors)
abis = st.lists(entries, max_size=6, unique_by=_key)


def level(old: Abi, new: Abi) -> Level:
    made = [artifact("A", b"\x01", abi) for abi in (old, new)]
    return max((r.level for r in contract_reasons("A", PROXIED, made[0], PROXIED, made[1])), default=Level.NONE)


@given(abis, abis)
def test_an_addition_never_lowers_the_floor(old: Abi, new: Abi) -> None:
    known = {_key(entry) for entry in (*old, *new)}
    more = {"type": "function", "name": "another", "inputs": [], "outputs": [], "stateMutability": "view"}
    assert _key(more) not in known
    assert level(old, [*new, more]) >= max(level(old, new), Level.MINOR)


@given(abis, abis)
def test_what_one_direction_adds_the_other_removes(old: Abi, new: Abi) -> None:
    there, back = list(abi_changes(old, new)), list(abi_changes(new, old))
    for effect, text, other in (("addition", "added", "removed"), ("breaking", "removed", "added")):
        added = {c.where for c in there if c.effect == effect and c.text == text}
        assert added == {c.where for c in back if c.text == other}
    changed = [{c.where for c in changes if c.text not in {"added", "removed"}} for changes in (there, back)]
    assert changed[0] == changed[1]


@given(abis)
def test_the_same_in_another_order_is_the_same(abi: Abi) -> None:
    assert level(abi, abi[::-1]) is Level.NONE


@given(abis, st.data())
def test_anything_removed_is_major(abi: Abi, data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(abi)) if abi else None
    if gone is not None:
        assert level(abi, [entry for entry in abi if entry is not gone]) is Level.MAJOR


FUNCTION = {
    "type": "function",
    "name": "get",
    "inputs": [{"name": "key", "type": "bytes32"}],
    "outputs": [{"name": "", "type": "uint256"}],
    "stateMutability": "view",
}
EVENT = {"type": "event", "name": "Set", "inputs": [{"name": "key", "type": "bytes32", "indexed": True}]}


@pytest.mark.parametrize(
    ("old", "new", "expected", "text"),
    [
        ([FUNCTION], [{**FUNCTION, "outputs": [{"name": "", "type": "int256"}]}], Level.MAJOR, "returns (uint256) before"),
        ([FUNCTION], [{**FUNCTION, "stateMutability": "nonpayable"}], Level.MAJOR, "is view before, nonpayable now"),
        ([FUNCTION], [{**FUNCTION, "inputs": [{"name": "k", "type": "bytes32"}]}], Level.NONE, ""),
        ([FUNCTION], [FUNCTION, EVENT], Level.MINOR, "event Set(bytes32): added"),
        ([EVENT], [{**EVENT, "inputs": [{**EVENT["inputs"][0], "indexed": False}]}], Level.MAJOR, "(bytes32 indexed) before"),
        ([EVENT], [{**EVENT, "anonymous": True}], Level.MAJOR, "is not anonymous before, anonymous now"),
        ([], [{"type": "receive", "stateMutability": "payable"}], Level.MINOR, "receive: added"),
        ([{"type": "fallback", "stateMutability": "payable"}], [], Level.MAJOR, "fallback: removed"),
        ([], [{"type": "constructor", "inputs": FUNCTION["inputs"]}], Level.NONE, ""),
    ],
)  # fmt: skip
def test_what_each_change_of_an_interface_asks_for(old: Abi, new: Abi, expected: Level, text: str) -> None:
    assert level(old, new) is expected
    assert text in "".join(str(change) for change in abi_changes(old, new))


def test_a_tuple_counts_by_what_is_in_it() -> None:
    def one(inner: str) -> Abi:
        pair = [{"name": "a", "type": "address"}, {"name": "b", "type": inner}]
        return [{**FUNCTION, "inputs": [{"name": "p", "type": "tuple[]", "components": pair}]}]

    assert [str(c) for c in abi_changes(one("uint8"), one("uint16"))] == [
        "function get((address,uint8)[]): removed",
        "function get((address,uint16)[]): added",
    ]


def _reasons(old: Artifact, new: Artifact, before: UnitFacts, after: UnitFacts) -> list[Reason]:
    return list(contract_reasons("A", before, old, after, new))


def test_other_bytes_are_a_patch_behind_a_proxy_and_another_address_without() -> None:
    old, new = artifact("A", b"\x01"), artifact("A", b"\x02")
    assert [r.level for r in _reasons(old, new, PROXIED, PROXIED)] == [Level.PATCH]
    (moved,) = _reasons(old, new, BARE, BARE)
    assert (moved.level, "its address moves" in moved.text) == (Level.MAJOR, True)
    assert _reasons(old, old, BARE, BARE) == []


def test_another_proxy_is_another_contract() -> None:
    made = artifact("A", b"\x01")
    (reason,) = _reasons(made, made, PROXIED, UnitFacts("src/A.sol:A", "beacon"))
    assert str(reason) == "A: replaced: its proxy was uups, and is beacon"


def test_a_library_is_called_by_what_is_linked_to_it_alone() -> None:
    old = replace(artifact("A", b"\x01", [FUNCTION]), kind="library")
    new = replace(artifact("A", b"\x02"), kind="library")
    assert [r.level for r in _reasons(old, new, BARE, BARE)] == [Level.PATCH]


def _layout(*variables: tuple[str, str]) -> dict[str, Any]:
    storage = [
        {"label": label, "offset": 0, "slot": str(slot), "type": kind, "astId": slot, "contract": "src/A.sol:A"}
        for slot, (label, kind) in enumerate(variables)
    ]
    number = {"encoding": "inplace", "label": "uint256", "numberOfBytes": "32"}
    return {"storage": storage, "types": {"t_uint256": number, "t_bytes32": {**number, "label": "bytes32"}}}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        ((("a", "t_uint256"), ("b", "t_uint256")), Level.NONE),
        ((("a", "t_uint256"), ("b", "t_uint256"), ("c", "t_uint256")), Level.NONE),
        ((("b", "t_uint256"), ("a", "t_uint256")), Level.MAJOR),
        ((("a", "t_bytes32"), ("b", "t_uint256")), Level.MAJOR),
        ((("a", "t_uint256"),), Level.MAJOR),
    ],
)
def test_storage_that_does_not_fit_is_major(new: tuple[tuple[str, str], ...], expected: Level) -> None:
    made = artifact("A", b"\x01")
    old_one = replace(made, storage_layout=_layout(("a", "t_uint256"), ("b", "t_uint256")))
    new_one = replace(made, storage_layout=_layout(*new))
    assert max((r.level for r in _reasons(old_one, new_one, PROXIED, PROXIED)), default=Level.NONE) is expected
    # Without a proxy nothing is carried over, so that its storage is nobody's business.
    assert _reasons(old_one, new_one, BARE, BARE) == []
