"""IDLs of both forms against anchorpy's encoder, which reads the older one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from chains.solana.borsh import BorshRefused, Reader, encode
from chains.solana.idl import Idl, IdlRefused, derive_pda, legacy

ROOT = Path(__file__).parents[2]
COUNTER = Idl(json.loads((ROOT / "examples" / "counter" / "target" / "idl" / "counter.json").read_text()))
INTS = {f"{s}{b}": st.integers(*((0, 2**b - 1) if s == "u" else (-(2 ** (b - 1)), 2 ** (b - 1) - 1)))
        for s in "ui" for b in (8, 16, 32, 64, 128)}  # fmt: skip
PLAIN = {
    **INTS,
    "bool": st.booleans(),
    "string": st.text(max_size=20),
    "pubkey": st.binary(min_size=32, max_size=32).map(lambda raw: str(Pubkey.from_bytes(raw))),
}
TYPES = {
    "Point": {"kind": "struct", "fields": [{"name": "far_x", "type": "i32"}, {"name": "y", "type": {"option": "u8"}}]},
    "Shape": {
        "kind": "enum",
        "variants": [
            {"name": "Nothing"},
            {"name": "Round", "fields": [{"name": "radius", "type": "u64"}]},
            {"name": "Pair", "fields": ["u8", "u16"]},
        ],
    },
}
POINT = st.fixed_dictionaries({"far_x": INTS["i32"], "y": st.none() | INTS["u8"]})
SHAPE = st.one_of(
    st.just("Nothing"),
    st.fixed_dictionaries({"Round": st.fixed_dictionaries({"radius": INTS["u64"]})}),
    st.fixed_dictionaries({"Pair": st.fixed_dictionaries({"0": INTS["u8"], "1": INTS["u16"]})}),
)


def typed(*, with_defined: bool = True) -> st.SearchStrategy:
    """A type and a value of it."""
    plain = st.sampled_from(sorted(PLAIN)).flatmap(lambda kind: st.tuples(st.just(kind), PLAIN[kind]))
    whole = plain.flatmap(
        lambda pair: st.sampled_from(
            [
                pair,
                ({"option": pair[0]}, pair[1]),
                ({"option": pair[0]}, None),
                ({"vec": pair[0]}, [pair[1]] * 3),
                ({"array": [pair[0], 2]}, [pair[1]] * 2),
            ]
        )
    )
    defined = st.one_of(
        POINT.map(lambda value: ({"defined": {"name": "Point"}}, value)),
        SHAPE.map(lambda value: ({"defined": {"name": "Shape"}}, value)),
    )
    return whole | defined if with_defined else whole


@given(typed())
def test_what_is_encoded_reads_back(pair) -> None:
    kind, value = pair
    data = encode(kind, value, TYPES)
    reader = Reader(data, TYPES)
    assert reader.read(kind) == value
    assert reader.at == len(data)


@given(typed(), st.data())
def test_bytes_that_are_short_are_refused(pair, data) -> None:
    kind, value = pair
    whole = encode(kind, value, TYPES)
    cut = data.draw(st.integers(0, max(len(whole) - 1, 0)))
    if whole:
        with pytest.raises(BorshRefused):
            Reader(whole[:cut], TYPES).read(kind)


def _anchorpy(arguments: list[dict]):
    """anchorpy's instruction coder for one instruction with these arguments."""
    from anchorpy import Idl as TheirIdl
    from anchorpy.coder.instruction import InstructionCoder

    modern = {
        "address": str(Pubkey.default()),
        "metadata": {"name": "test", "version": "0.1.0", "spec": "0.1.0"},
        "instructions": [{"name": "do_it", "discriminator": [], "accounts": [], "args": arguments}],
        "accounts": [],
        "types": [{"name": name, "type": kind} for name, kind in TYPES.items() if name == "Point"],
    }
    idl = Idl(modern)
    return idl, InstructionCoder(TheirIdl.from_json(json.dumps(legacy(idl))))


@settings(max_examples=60, deadline=None)
@given(typed(with_defined=False))
def test_instructions_are_anchorpys(pair) -> None:
    kind, value = pair
    idl, coder = _anchorpy([{"name": "some_value", "type": kind}])

    def theirs(kind, value):
        if value is None:
            return None
        if isinstance(kind, dict):
            ((shape, inner),) = kind.items()
            return theirs(inner, value) if shape == "option" else [theirs(kind_of(shape, inner), v) for v in value]
        return Pubkey.from_string(value) if kind == "pubkey" else value

    def kind_of(shape, inner):
        return inner[0] if shape == "array" else inner

    mine = idl.instruction(str(Pubkey.default()), "do_it", {"some_value": value}, {})
    assert bytes(mine.data) == coder.encode("do_it", {"some_value": theirs(kind, value)})


def test_the_counters_instructions_have_the_discriminators_its_idl_writes_down() -> None:
    for entry in COUNTER.body["instructions"]:
        without = {**COUNTER.body, "instructions": [{**entry, "discriminator": None, "args": []}]}
        accounts = {a["name"]: str(Pubkey.default()) for a in entry["accounts"]}
        made = Idl(without).instruction(str(Pubkey.default()), entry["name"], {}, accounts)
        assert list(made.data) == entry["discriminator"]


def test_a_missing_account_and_a_wrong_argument_are_refused() -> None:
    with pytest.raises(IdlRefused):
        COUNTER.instruction(str(Pubkey.default()), "increment", {}, {})
    with pytest.raises(IdlRefused):
        COUNTER.instruction(str(Pubkey.default()), "increment", {"extra": 1}, {})
    with pytest.raises(IdlRefused):
        COUNTER.account(COUNTER.body["accounts"][0]["name"], bytes(60))
    with pytest.raises(BorshRefused):
        encode("u8", 256, {})


def test_addresses_from_expressions() -> None:
    program, owner = Pubkey.new_unique(), Pubkey.new_unique()
    wanted, _ = Pubkey.find_program_address([b"counter", bytes(owner), b"\1\2", b"\7\0"], program)
    assert derive_pda(f"pda:{program}/counter,key:{owner},0x0102,u16:7") == str(wanted)
    for bad in ("pda:x/y", f"{program}/y", f"pda:{program}/{'s' * 33}", f"pda:{program}/u8:256"):
        with pytest.raises(IdlRefused):
            derive_pda(bad)
