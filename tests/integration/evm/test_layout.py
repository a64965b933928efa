"""Storage layouts compared, on layouts the real compiler makes: what may change under live storage, and what may not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from chains.evm.artifacts import Artifact
from chains.evm.layout import StorageFacts, compare_storage
from pipeline.building import Recipe, build_bundle

# id: (old, new, the kinds of findings in order, a word of the first)
CASES: dict[str, tuple[str, str, list[str], str]] = {
    "nothing changed": ("uint a; address b;", "uint a; address b;", [], ""),
    "appended": ("uint a;", "uint a; uint b;", [], ""),
    "appended into free bytes": ("uint128 a;", "uint128 a; uint128 b;", [], ""),
    "inserted in front": ("uint a; uint b;", "uint z; uint a; uint b;", ["moved", "moved", "inserted"], "slot 0"),
    "inserted between": ("uint a; uint b;", "uint a; uint z; uint b;", ["moved", "inserted"], "was at slot 1, is at slot 2"),
    "removed last": ("uint a; uint b;", "uint a;", ["removed"], "slot 1"),
    "removed first": ("uint a; uint b;", "uint b;", ["removed", "moved"], "slot 0"),
    "swapped": ("uint a; uint b;", "uint b; uint a;", ["moved", "moved"], "slot 1"),
    "retyped": ("uint a;", "int a;", ["retyped"], "uint256 became int256"),
    "retyped, shorter": ("uint256 a; uint b;", "uint128 a; uint b;", ["retyped"], "uint128"),
    "widened over a neighbour": ("uint64 a; uint64 b;", "uint128 a; uint64 b;", ["retyped", "moved"], "uint64 became uint128"),
    "renamed": ("uint a; uint b;", "uint a; uint c;", ["renamed"], "is called c now"),
    "renamed and retyped": ("uint a; uint b;", "uint a; address c;", ["retyped"], "now called c"),
    "a contract for an address": ("address a;", "C a;", [], ""),
    "a payable address": ("address a;", "address payable a;", [], ""),
    "an address for a number": ("address a;", "uint160 a;", ["retyped"], "address became uint160"),
    "a value type for its own": ("uint64 a;", "Price a;", [], ""),
    "a value type for another": ("int64 a;", "Price a;", ["retyped"], "Price"),
    "an enum that grew": ("Two a;", "Three a;", [], ""),
    "an enum that shrank": ("Three a;", "Two a;", ["retyped"], "other members"),
    "an enum in another order": ("Two a;", "Owt a;", ["retyped"], "other members"),
    "a mapping's key": ("mapping(address => uint) a;", "mapping(uint => uint) a;", ["retyped"], "keys of the mapping"),
    "a mapping's value": ("mapping(address => uint) a;", "mapping(address => int) a;", ["retyped"], "values of the mapping"),
    "a mapping's struct grew": ("mapping(uint => S) a;", "mapping(uint => SMore) a;", [], ""),
    "a mapping's struct changed": ("mapping(uint => S) a;", "mapping(uint => SOther) a;", ["retyped"], "S.y: address became bool"),
    "a mapping's mapping": (
        "mapping(uint => mapping(uint => uint8)) a;", "mapping(uint => mapping(uint => uint16)) a;", ["retyped"], "uint8 became uint16",
    ),
    "a struct's member renamed": ("S a;", "SName a;", ["retyped"], "is called z now"),
    "a struct grew into a neighbour": ("S a; uint b;", "SMore a; uint b;", ["moved"], "slot 1"),
    "a struct grew at the end": ("S a;", "SMore a;", [], ""),
    "a struct in an array grew": ("S[] a;", "SMore[] a;", ["retyped"], "elements of the array"),
    "a struct in a fixed array grew": ("S[2] a;", "SMore[2] a;", ["retyped"], "elements of the array"),
    "a fixed array grew at the end": ("uint[2] a;", "uint[3] a;", [], ""),
    "a fixed array grew over a neighbour": ("uint[2] a; uint b;", "uint[3] a; uint b;", ["moved"], "slot 2"),
    "a fixed array shrank": ("uint[3] a;", "uint[2] a;", ["retyped"], "uint256[3] became uint256[2]"),
    "a fixed array became dynamic": ("uint[2] a;", "uint[] a;", ["retyped"], "uint256[]"),
    "bytes for a string": ("bytes a;", "string a;", ["retyped"], "bytes became string"),
    "a gap used and shrunk": ("uint a; uint[5] __gap; uint b;", "uint a; uint c; uint[4] __gap; uint b;", [], ""),
    "a gap used up": ("uint a; uint[1] __gap; uint b;", "uint a; uint c; uint b;", [], ""),
    "a gap used and not shrunk": (
        "uint a; uint[5] __gap; uint b;", "uint a; uint c; uint[5] __gap; uint b;", ["moved", "inserted", "gap"], "slot 7",
    ),
    "a gap at the end, not shrunk": ("uint a; uint[5] __gap;", "uint a; uint c; uint[5] __gap;", ["gap"], "its length must be 4"),
    "a gap shrunk too much": ("uint a; uint[5] __gap; uint b;", "uint a; uint[3] __gap; uint b;", ["moved", "gap"], "slot 6"),
    "packed into a gap": ("uint a; uint[5] __gap; uint b;", "uint a; uint128 c; uint128 d; uint[4] __gap; uint b;", [], ""),
    "a constant is no storage": ("uint a;", "uint constant z = 1; uint immutable y = 2; uint a;", [], ""),
}  # fmt: skip
SHARED = """
type Price is uint64;
enum Two { A, B }
enum Three { A, B, C }
enum Owt { B, A }
struct S { uint8 x; address y; }
struct SName { uint8 x; address z; }
struct SMore { uint8 x; address y; uint more; }
struct SOther { uint8 x; bool y; }
contract C {}
"""
NAMESPACES = """
enum Kind { A, B }
type Price is uint64;
abstract contract Base {
    /// @custom:storage-location erc7201:acme.base
    struct BaseStorage { address owner; bool paused; }
}
library Books {
    struct Book { uint64 price; address writer; }
    /// @custom:storage-location erc7201:acme.books
    struct All { mapping(uint => Book) books; Book[] list; uint64[3] last; }
    function all() internal pure returns (All storage $) { assembly { $.slot := 1 } }
}
contract NOld is Base {
    struct Inner { uint8 x; address y; }
    /// @custom:storage-location erc7201:acme.main
    struct Main { uint128 a; Kind k; Price p; Inner i; mapping(address => Inner) m; string s; uint32[3] arr; bool last; Inner[2] two; bytes4 tail; }
    function use() external { Books.all().last[0] = 1; }
}
// What the compiler itself makes of the same struct: the reference for our own arithmetic.
contract NPlain { NOld.Main main; Base.BaseStorage base; Books.All all; }
abstract contract MovedBase {
    /// @custom:storage-location erc7201:acme.base
    struct BaseStorage { bool paused; address owner; }
}
contract NBad is MovedBase {
    /// @custom:storage-location erc7201:acme.main
    struct Main { uint128 a; Kind k; Price p; NOld.Inner i; mapping(address => uint) m; }
}
contract NGood is Base {
    /// @custom:storage-location erc7201:acme.main
    struct Main { uint128 a; Kind k; Price p; NOld.Inner i; mapping(address => NOld.Inner) m; string s; uint32[3] arr; bool last; NOld.Inner[2] two; bytes4 tail; uint more; }
    /// @custom:storage-location erc7201:acme.more
    struct More { uint x; }
    function use() external { Books.all().last[0] = 1; }
}
abstract contract Init { modifier initializer() { _; } modifier reinitializer(uint64) { _; } }
contract Initialized is Init {
    function initialize(address) external initializer {}
    function initializeV2(uint) external reinitializer(2) {}
    function other() external {}
}
contract A1 { uint a; }
contract B1 { uint b; }
contract OrderOld is A1, B1 { uint c; }
contract OrderNew is B1, A1 { uint c; }
"""


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Artifact]:
    """All sources of this module, compiled once."""
    root = tmp_path_factory.mktemp("layouts")
    head = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.24;\n"
    body = head + SHARED
    for number, (old, new, _, _) in enumerate(CASES.values()):
        body += f"contract Old{number} {{ {old} }}\ncontract New{number} {{ {new} }}\n"
    (root / "src").mkdir()
    (root / "src/Cases.sol").write_text(body)
    (root / "src/Spaces.sol").write_text(head + NAMESPACES)
    (root / "foundry.toml").write_text('[profile.default]\nsolc = "0.8.37"\nevm_version = "cancun"\n')
    bundle = build_bundle(Recipe("layouts", root, root / ".ship")).bundle
    yield bundle.artifact
    shutil.rmtree(root)


def facts(artifact: Artifact) -> StorageFacts:
    found = StorageFacts.of(artifact)
    assert found
    return found


@pytest.mark.parametrize("number", range(len(CASES)), ids=list(CASES))
def test_a_change_is_found_for_what_it_is(artifact: Callable[[str], Artifact], number: int) -> None:
    _, _, kinds, word = list(CASES.values())[number]
    old, new = facts(artifact(f"Old{number}")), facts(artifact(f"New{number}"))
    found = compare_storage(old, new)
    assert [f.kind for f in found] == kinds, [str(f) for f in found]
    assert word in " ".join(str(f) for f in found)


def test_another_order_of_bases_is_said_first(artifact: Callable[[str], Artifact]) -> None:
    found = compare_storage(facts(artifact("OrderOld")), facts(artifact("OrderNew")))
    assert [f.kind for f in found] == ["inheritance", "moved", "moved"]
    assert "A1, B1 before, B1, A1 now" in str(found[0])


def test_namespaced_storage_is_laid_out_as_the_compiler_would(artifact: Callable[[str], Artifact]) -> None:
    spaces = artifact("NOld").namespaces
    assert spaces is not None
    assert sorted(spaces) == ["erc7201:acme.base", "erc7201:acme.books", "erc7201:acme.main"]
    plain = artifact("NPlain").storage_layout
    assert plain is not None
    for variable, name in (("main", "main"), ("base", "base"), ("all", "books")):
        key = next(v["type"] for v in plain["storage"] if v["label"] == variable)
        _same(plain, key, spaces[f"erc7201:acme.{name}"])


def _same(plain: Any, key: str, space: Any) -> None:
    members = plain["types"][key]["members"]
    assert [(m["label"], m["slot"], m["offset"]) for m in members] == [
        (m["label"], m["slot"], m["offset"]) for m in space["storage"]
    ]
    for real, ours in zip(members, space["storage"], strict=True):
        a, b = plain["types"][real["type"]], space["types"][ours["type"]]
        assert {k: a[k] for k in ("label", "numberOfBytes", "encoding")} == {
            k: b[k] for k in ("label", "numberOfBytes", "encoding")
        }


def test_a_namespace_may_grow_at_its_end_and_others_may_come(artifact: Callable[[str], Artifact]) -> None:
    assert compare_storage(facts(artifact("NOld")), facts(artifact("NGood"))) == ()


def test_a_changed_or_lost_namespace_is_found(artifact: Callable[[str], Artifact]) -> None:
    found = [str(f) for f in compare_storage(facts(artifact("NOld")), facts(artifact("NBad")))]
    text = "\n".join(found)
    assert "erc7201:acme.base owner: " in text
    assert "erc7201:acme.main m: at slot 2: values of the mapping: struct NOld.Inner became uint256" in text
    assert "erc7201:acme.main s: the variable at slot 3 is gone" in text
    assert "erc7201:acme.books: the namespace is gone" in text


def test_initializers_are_known_by_their_modifier(artifact: Callable[[str], Artifact]) -> None:
    assert artifact("Initialized").initializers == {"c4d66de8": "initializer", "5b4e128c": "reinitializer(2)"}
