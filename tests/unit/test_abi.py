"""ABI coding: every value is held against its type before anything runs, and comes back the same."""

from __future__ import annotations

import contextlib
from typing import Any

import eth_abi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.evm.abi import (
    AbiMismatch,
    AbiType,
    Function,
    constructor_types,
    decode,
    encode,
    explain_revert,
    find_function,
    jsonable,
    parse_signature,
    selector,
)
from chains.evm.address import checksum
from chains.evm.units import DEPLOYER, Ref

HERE = "0x" + "11" * 20


def resolve(ref: Ref) -> str:
    return HERE


def kind(text: str) -> AbiType:
    return AbiType.from_text(text)


# -- types and values, made together -------------------------------------------------------------------------------

Case = tuple[str, Any, Any]
"""Type, the value as TOML gives it, the value as eth-abi takes it."""


def _integers(bits: int, *, signed: bool) -> st.SearchStrategy[Case]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    name = f"{'' if signed else 'u'}int{bits}"
    forms = [lambda n: n, str] + ([] if signed else [hex])
    return st.tuples(st.integers(low, high), st.sampled_from(forms)).map(lambda v: (name, v[1](v[0]), v[0]))


def _bytes(size: int) -> st.SearchStrategy[Case]:
    return st.binary(min_size=size, max_size=size).map(lambda b: (f"bytes{size}", "0x" + b.hex(), b))


@st.composite
def elementary(draw: st.DrawFn) -> Case:
    choice = draw(st.sampled_from(["uint", "int", "bytesN", "bytes", "string", "bool", "address"]))
    if choice in {"uint", "int"}:
        return draw(_integers(draw(st.integers(1, 32)) * 8, signed=choice == "int"))
    if choice == "bytesN":
        return draw(_bytes(draw(st.integers(1, 32))))
    if choice == "bytes":
        raw = draw(st.binary(max_size=70))
        return "bytes", "0x" + raw.hex(), raw
    if choice == "string":
        text = draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
        return "string", text, text
    if choice == "bool":
        flag = draw(st.booleans())
        return "bool", flag, flag
    address = checksum(draw(st.binary(min_size=20, max_size=20)))
    return "address", draw(st.sampled_from([address, address.lower()])), address


@st.composite
def shaped(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:
    """A type and a strategy of cases of exactly that type."""
    if depth == 0 or draw(st.booleans()):
        name = draw(elementary())[0]
        return name, elementary().filter(lambda case: case[0] == name)
    if draw(st.booleans()):
        item, values = draw(shaped(depth - 1))
        size = draw(st.one_of(st.none(), st.integers(1, 3)))
        return f"{item}[{'' if size is None else size}]", ("array", values, size)
    members = [draw(shaped(depth - 1)) for _ in range(draw(st.integers(1, 3)))]
    return f"({','.join(m[0] for m in members)})", ("tuple", [m[1] for m in members])


def _fill(draw: st.DrawFn, shape: Any, name: str) -> tuple[Any, Any]:
    if not isinstance(shape, tuple):
        _, given_value, wanted = draw(_of(name))
        return given_value, wanted
    if shape[0] == "array":
        size = draw(st.integers(0, 3)) if shape[2] is None else shape[2]
        pairs = [_fill(draw, shape[1], name[: name.rindex("[")]) for _ in range(size)]
        return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    kinds = kind(name).components
    pairs = [_fill(draw, s, k.type) for s, k in zip(shape[1], kinds, strict=True)]
    return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)


def _of(name: str) -> st.SearchStrategy[Case]:
    """Cases of one elementary type."""
    if name.startswith(("uint", "int")):
        return _integers(int(name.lstrip("uint")), signed=not name.startswith("u"))
    if name.startswith("bytes") and name != "bytes":
        return _bytes(int(name.removeprefix("bytes")))
    return elementary_of(name)


def elementary_of(name: str) -> st.SearchStrategy[Case]:
    if name == "bytes":
        return st.binary(max_size=70).map(lambda b: (name, "0x" + b.hex(), b))
    if name == "string":
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda t: (name, t, t))
    if name == "bool":
        return st.booleans().map(lambda b: (name, b, b))
    return st.binary(min_size=20, max_size=20).map(checksum).map(lambda a: (name, a, a))


@st.composite
def calls(draw: st.DrawFn) -> tuple[list[str], list[Any], list[Any]]:
    shapes = [draw(shaped()) for _ in range(draw(st.integers(0, 4)))]
    pairs = [_fill(draw, shape, name) for name, shape in shapes]
    return [s[0] for s in shapes], [p[0] for p in pairs], [p[1] for p in pairs]


@settings(max_examples=150, deadline=None)
@given(calls())
def test_encoding_is_eth_abis_and_comes_back(call: tuple[list[str], list[Any], list[Any]]) -> None:
    names, given_values, wanted = call
    types = [kind(name) for name in names]
    data = encode(types, given_values, resolve, "f")
    assert data == eth_abi.encode(names, wanted)
    assert list(decode(types, data)) == wanted
    signature = parse_signature(f"f({','.join(names)})")
    assert [i.type for i in signature.inputs] == names


# -- refusals ------------------------------------------------------------------------------------------------------

GOOD_ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

REFUSED: list[tuple[str, Any]] = [
    ("uint8", 256),
    ("uint8", -1),
    ("uint8", True),
    ("uint8", "1.0"),
    ("uint8", ""),
    ("uint8", "٣"),
    ("uint8", " 1"),
    ("uint8", "0x"),
    ("uint8", "1e3"),
    ("uint256", 2**256),
    ("uint256", "9" * 100),
    ("int8", 128),
    ("int8", -129),
    ("int256", -(2**255) - 1),
    ("int8", ("x",)),
    ("bool", 1),
    ("bool", "true"),
    ("bytes", "00"),
    ("bytes", "0x0"),
    ("bytes", "0xzz"),
    ("bytes", 5),
    ("bytes4", "0x000000"),
    ("bytes4", "0x0000000000"),
    ("bytes32", "text"),
    ("string", 1),
    ("string", True),
    ("address", "0x"),
    ("address", GOOD_ADDRESS[:-1]),
    ("address", GOOD_ADDRESS + "0"),
    ("address", GOOD_ADDRESS.replace("F39", "f39").replace("Fd6", "fd6")),
    ("address", 0),
    ("address", GOOD_ADDRESS[2:]),
    ("uint8[]", 1),
    ("uint8[2]", (1,)),
    ("uint8[2]", (1, 2, 3)),
    ("uint8[]", (1, 256)),
    ("uint8[][2]", ((1,), 2)),
    ("(uint8,bool)", (1,)),
    ("(uint8,bool)", (1, True, 1)),
    ("(uint8,bool)", {"a": 1}),
    ("(uint8,bool)", 5),
    ("uint256", Ref("A")),
    ("string", Ref("A")),
    ("bytes20", Ref("A")),
    ("fixed128x18", 1),
    ("function", "0x" + "00" * 24),
]


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_a_value_that_does_not_fit_is_refused_naming_the_argument(name: str, value: Any) -> None:
    with pytest.raises(AbiMismatch) as caught:
        encode([AbiType("x", "bool"), kind(name)], [True, value], resolve, "the constructor of A")
    assert caught.value.exit_code == 2
    assert "the constructor of A, argument 2" in caught.value.cause
    assert caught.value.remedy


def test_a_wrong_checksum_shows_the_right_one() -> None:
    with pytest.raises(AbiMismatch) as caught:
        encode([kind("address")], ["0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"], resolve, "f")
    assert GOOD_ADDRESS in caught.value.remedy


@pytest.mark.parametrize("form", [str.lower, lambda a: "0x" + a[2:].upper(), str])
def test_addresses_are_taken_with_a_checksum_or_in_one_case(form: Any) -> None:
    assert encode([kind("address")], [form(GOOD_ADDRESS)], resolve, "f")[-20:].hex() == GOOD_ADDRESS[2:].lower()


def test_the_number_of_arguments_is_checked() -> None:
    with pytest.raises(AbiMismatch, match="takes 1 arguments"):
        encode([kind("bool")], [], resolve, "f")


def test_references_become_addresses_at_any_depth() -> None:
    data = encode([kind("(address[],bool)")], [((Ref("A"), DEPLOYER), True)], resolve, "f")
    assert decode([kind("(address[],bool)")], data) == (((checksum(HERE), checksum(HERE)), True),)


NESTED = {
    "type": "tuple[]",
    "name": "orders",
    "components": [
        {"type": "address", "name": "owner"},
        {
            "type": "tuple",
            "name": "price",
            "components": [{"type": "uint256", "name": "amount"}, {"type": "string", "name": "unit"}],
        },
    ],
}


def test_nested_tuples_are_taken_by_name_in_any_order_or_by_place() -> None:
    orders = AbiType.from_abi(NESTED)
    assert orders.type == "(address,(uint256,string))[]"
    by_name = ({"price": {"unit": "wei", "amount": 5}, "owner": Ref("A")},)
    by_place = ((Ref("A"), (5, "wei")),)
    assert encode([orders], [by_name], resolve, "f") == encode([orders], [by_place], resolve, "f")
    for wrong in ({"owner": HERE}, {"owner": HERE, "price": (1, "x"), "extra": 1}, {"owner": HERE, "cost": (1, "x")}):
        with pytest.raises(AbiMismatch, match="orders"):
            encode([orders], [(wrong,)], resolve, "f")


# -- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "signature", "outputs"),
    [
        ("f()", "f()", []),
        ("transfer(address,uint256)", "transfer(address,uint256)", []),
        (" transfer( address , uint256 ) ( bool ) ", "transfer(address,uint256)", ["bool"]),
        ("f(uint,int[2],uint[])", "f(uint256,int256[2],uint256[])", []),
        ("f(((uint8,bytes)[],address)[3][])((bool),string)", "f(((uint8,bytes)[],address)[3][])", ["(bool)", "string"]),
        ("$_f1(bytes32)()", "$_f1(bytes32)", []),
    ],
)
def test_signatures(text: str, signature: str, outputs: list[str]) -> None:
    function = parse_signature(text)
    assert function.signature == signature
    assert [o.type for o in function.outputs] == outputs


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "f",
            "f(",
            "f)",
            "()",
            "f(,)",
            "f(uint256,)",
            "f(,uint256)",
            "f((uint256)",
            "f(uint256))(",
            "f()()()",
            "f()x",
        ],
        *["1f()", "f (uint 256)", "f(ui nt256)", "f(address to)", "f(uint7)", "f(uint0)", "f(uint264)", "f(bytes33)"],
        *["f(tuple)", "f(byte)", "f(bytes0)", "f(())", "f(uint256[-1])", "f(uint256[01])", "f(uint256[0])", "f()bool"],
        *["f(uint256(bool))", "f(uint256[)", "f(uint256])", "f(address payable)", "f(Uint256)", "f(\u0430ddress)"],
        *["f(" + "(" * 5000, "f(" + "(" * 300 + ")" * 301, "f(uint256\n)x", "function f()", "f()(bool,)"],
    ],
)
def test_nonsense_is_no_signature(text: str) -> None:
    with pytest.raises(AbiMismatch):
        parse_signature(text)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="f(),[]uint256boladres 3x", max_size=30))
def test_a_text_is_a_signature_or_refused_and_nothing_else(text: str) -> None:
    try:
        function = parse_signature(text)
    except AbiMismatch:
        return
    assert parse_signature(function.signature).signature == function.signature


def test_selectors() -> None:
    assert selector(parse_signature("transfer(address,uint256)")).hex() == "a9059cbb"
    assert selector(parse_signature("f(uint[])")) == selector(parse_signature("f(uint256[])"))


ABI = [
    {"type": "constructor", "inputs": [{"type": "uint256", "name": "cap"}], "stateMutability": "payable"},
    {"type": "function", "name": "owner", "inputs": [], "outputs": [{"type": "address", "name": ""}]},
    {"type": "function", "name": "place", "inputs": [NESTED], "outputs": []},
    {"type": "error", "name": "Denied", "inputs": [{"type": "address", "name": "who"}, {"type": "string", "name": ""}]},
]


def test_functions_are_found_with_their_component_names() -> None:
    function = find_function("place((address,(uint256,string))[])", ABI, "Shop")
    assert [c.name for c in function.inputs[0].components] == ["owner", "price"]
    assert [o.type for o in find_function("owner()", ABI, "Shop").outputs] == ["address"]
    assert [o.type for o in find_function("owner()(uint256)", ABI, "Shop").outputs] == ["uint256"]
    assert find_function("anything(bool)", None, "0x1").signature == "anything(bool)"


def test_an_unknown_function_gets_a_suggestion() -> None:
    with pytest.raises(AbiMismatch) as caught:
        find_function("ownr()", ABI, "Shop")
    assert "Did you mean `owner()`?" in caught.value.remedy


def test_constructors() -> None:
    inputs, payable = constructor_types(ABI)
    assert ([i.type for i in inputs], payable) == (["uint256"], True)
    assert constructor_types([]) == ((), False)


# -- reverts -------------------------------------------------------------------------------------------------------


def _error(name: str, types: list[str], values: list[Any]) -> bytes:
    return selector(Function(name, tuple(kind(t) for t in types))) + eth_abi.encode(types, values)


def test_reverts_in_words() -> None:
    assert explain_revert(b"", []) == "reverted without a reason"
    assert explain_revert(_error("Error", ["string"], ["not yours"]), []) == 'reverted: "not yours"'
    assert "division by zero" in explain_revert(_error("Panic", ["uint256"], [0x12]), [])
    assert "unknown code" in explain_revert(_error("Panic", ["uint256"], [0x99]), [])
    denied = explain_revert(_error("Denied", ["address", "string"], [HERE, "no\x1b[2J"]), [[], ABI])
    assert denied.startswith(f"reverted: Denied(who={checksum(HERE)}, string=no")
    assert "\x1b" not in denied
    assert explain_revert(b"\x01\x02\x03\x04", [ABI]) == "reverted with unknown data 0x01020304"


def test_an_error_that_does_not_decode_does_not_hide_one_that_does() -> None:
    other = [
        {
            "type": "error",
            "name": "Denied",
            "inputs": [{"type": "address", "name": "a"}, {"type": "string", "name": "b"}],
        }
    ]
    data = _error("Denied", ["address", "string"], [HERE, "x"])
    assert "Denied" in explain_revert(data, [other, ABI])
    assert "unknown data" in explain_revert(data[:40], [other, ABI])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"", b"\x08\xc3\x79\xa0", b"\x4e\x48\x7b\x71"]), st.binary(max_size=200))
def test_any_revert_data_is_explained(head: bytes, tail: bytes) -> None:
    assert all(c.isprintable() or c == "\n" for c in explain_revert(head + tail, [ABI]))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["uint8", "string", "bytes[]", "(uint8,string)[2]", "address[]", "uint256[][]", "bool"]),
    st.binary(max_size=260),
)
def test_any_bytes_decode_or_are_a_value_error(name: str, data: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode([kind(name)], data)


def test_values_for_json() -> None:
    assert jsonable((b"\x01", 2**53, 2**53 + 1, -(2**60), True, ["x"])) == [
        "0x01",
        2**53,
        str(2**53 + 1),
        str(-(2**60)),
        True,
        ["x"],
    ]
