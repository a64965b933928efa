"""Storage slots explained by the compiler's own layouts, on storage a real chain wrote: every kind of variable."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chains.evm.address import keccak256
from pipeline.planning import plan_project
from pipeline.review.making import UnexplainedSlots
from pipeline.ui.plain import PlainUi

WHO = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ROLE = "0x" + keccak256(b"KEEPER_ROLE").hex()
LONG = "a text that is longer than thirty-one bytes, so that it lies in slots of its own"

SHAPES = """
contract Peer {}
contract Shapes {
    enum Mood { Calm, Busy }
    type Price is uint64;
    struct Inner { uint128 a; uint128 b; address who; }
    struct Deep { uint256 id; mapping(address => uint256) owed; uint8[] tags; }
    /// @custom:storage-location erc7201:shapes.main
    struct Main { uint96 cap; address owner; mapping(address => Inner) parts; uint256[] log; }

    bytes32 public constant KEEPER_ROLE = keccak256("KEEPER_ROLE");
    uint256 plain;
    int64 negative; bool flag; Mood mood; Price price; bytes4 word;
    address who;
    Peer peer;
    Inner inner;
    uint32[10] small;
    Inner[2] pair;
    uint256[] list;
    uint16[] packed;
    Inner[] structs;
    Deep[] deeps;
    string shortText;
    string longText;
    bytes blob;
    mapping(address => uint256) balances;
    mapping(bytes32 => mapping(address => bool)) grants;
    mapping(uint256 => Deep) deep;
    mapping(string => uint256) byName;
    mapping(Mood => int256) byMood;
    mapping(bytes4 => address) bySelector;
    mapping(address => uint256[]) lists;
    mapping(bool => Price) byFlag;
    mapping(Price => mapping(int8 => bytes3)) byPrice;
    uint256[3] __gap;
    mapping(address => string) notes;

    event Named(bytes32 indexed key);
    mapping(bytes32 => uint256) byEvent;

    function _main() private pure returns (Main storage m) {
        bytes32 at = keccak256(abi.encode(uint256(keccak256("shapes.main")) - 1)) & ~bytes32(uint256(0xff));
        assembly { m.slot := at }
    }

    function fill(address a, bytes32 role, string calldata name, bytes4 sel, string calldata long_) external {
        plain = 7;
        negative = -5; flag = true; mood = Mood.Busy; price = Price.wrap(9); word = sel;
        who = a;
        peer = Peer(a);
        inner = Inner(1, 2, a);
        small[3] = 33; small[9] = 99;
        pair[1].b = 11;
        list.push(5); list.push(6);
        for (uint16 i = 0; i < 20; i++) packed.push(i + 1);
        structs.push(); structs.push(Inner(3, 4, a));
        deeps.push(); deeps[0].owed[a] = 12; deeps[0].tags.push(8);
        shortText = name;
        longText = long_;
        blob = hex"0102";
        balances[a] = 100;
        grants[role][a] = true;
        deep[4].id = 44; deep[4].owed[a] = 45; deep[4].tags.push(1);
        byName[name] = 46;
        byMood[Mood.Busy] = -1;
        bySelector[sel] = a;
        lists[a].push(47);
        byFlag[true] = Price.wrap(48);
        byPrice[Price.wrap(9)][-1] = 0x010203;
        notes[a] = long_;
        Main storage m = _main();
        m.cap = 50; m.owner = a; m.parts[a].who = a; m.log.push(51);
        bytes32 key = keccak256(abi.encode(a, block.chainid));
        emit Named(key);
        byEvent[key] = 52;
    }
}
"""
UNITS = f"""
[contracts.Shapes]
source = "src/Shapes.sol:Shapes"
[calls.fill]
to = "${{contracts.Shapes}}"
call = "fill(address,bytes32,string,bytes4,string)"
args = ["{WHO}", "{ROLE}", "Ann", "0x0a0b0c0d", "{LONG}"]
"""
EVENT_KEY = "0x" + keccak256(bytes.fromhex(WHO[2:]).rjust(32, b"\0") + (31337).to_bytes(32, "big")).hex()
EXPECTED: dict[str, Any] = {
    "plain": 7,
    "negative": -5,
    "flag": True,
    "mood": "Busy",
    "price": 9,
    "word": "0x0a0b0c0d",
    "who": WHO,
    "peer": WHO,
    "inner.a": 1,
    "inner.b": 2,
    "inner.who": WHO,
    "small[3]": 33,
    "small[9]": 99,
    "pair[1].b": 11,
    "list.length": 2,
    "list[0]": 5,
    "list[1]": 6,
    "packed.length": 20,
    **{f"packed[{i}]": i + 1 for i in range(20)},
    "structs.length": 2,
    "structs[1].a": 3,
    "structs[1].b": 4,
    "structs[1].who": WHO,
    "deeps.length": 1,
    f"deeps[0].owed[{WHO}]": 12,
    "deeps[0].tags.length": 1,
    "deeps[0].tags[0]": 8,
    "shortText": "Ann",
    "longText": f"{len(LONG)} bytes, in slots of their own",
    "longText[0..32]": LONG[:32],
    "longText[32..64]": LONG[32:64],
    f"longText[64..{len(LONG)}]": LONG[64:],
    "blob": "0x0102",
    f"balances[{WHO}]": 100,
    f"grants[KEEPER_ROLE][{WHO}]": True,
    "deep[4].id": 44,
    f"deep[4].owed[{WHO}]": 45,
    "deep[4].tags.length": 1,
    "deep[4].tags[0]": 1,
    'byName["Ann"]': 46,
    "byMood[Busy]": -1,
    "bySelector[0x0a0b0c0d]": WHO,
    f"lists[{WHO}].length": 1,
    f"lists[{WHO}][0]": 47,
    "byFlag[true]": 48,
    "byPrice[9][-1]": "0x010203",
    f"notes[{WHO}]": f"{len(LONG)} bytes, in slots of their own",
    f"notes[{WHO}][0..32]": LONG[:32],
    f"notes[{WHO}][32..64]": LONG[32:64],
    f"notes[{WHO}][64..{len(LONG)}]": LONG[64:],
    "shapes.main.cap": 50,
    "shapes.main.owner": WHO,
    f"shapes.main.parts[{WHO}].who": WHO,
    "shapes.main.log.length": 1,
    "shapes.main.log[0]": 51,
    f"byEvent[{EVENT_KEY}]": 52,
}

Make = Callable[..., Any]


def packed(root: Path, name: str = "pack") -> dict[str, Any]:
    """The state document of a pack made now."""
    plan_project(root, "local", PlainUi(StringIO()), pack=root / name)
    document: dict[str, Any] = json.loads((root / name / "state.json").read_text())
    return document


def account(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(a for a in state["accounts"] if a["name"] == name)


def variables(state: dict[str, Any], name: str) -> dict[str, Any]:
    return {v["path"]: v["after"] for s in account(state, name)["slots"] for v in s["variables"]}


def test_every_kind_of_variable_is_found_and_read(small: Make) -> None:
    project = small(UNITS, {"src/Shapes.sol": SHAPES})
    state = packed(project.root)
    assert variables(state, "Shapes") == EXPECTED
    assert {s["known"] for s in account(state, "Shapes")["slots"]} == {"explained"}

    # The slots are those the deployment really writes, all of them and no other.
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    with project.chain() as rpc:
        dump = json.loads(gzip.decompress(bytes.fromhex(rpc.read("anvil_dumpState", [])[2:])))
    place = outcome.units["Shapes"].address
    assert place
    written = {int(k, 16): int(v, 16) for k, v in dump["accounts"][place.lower()]["storage"].items() if int(v, 16)}
    assert {int(s["slot"], 16): int(s["after"], 16) for s in account(state, "Shapes")["slots"]} == written


SECOND = """
contract Slow {
    struct Row { uint64 a; uint64 b; }
    uint256[] list;
    Row[] rows;
    mapping(uint256 => uint256) counted;
    bool done;
    constructor() { for (uint256 i = 0; i < 5; i++) { list.push(i + 1); rows.push(Row(1, 2)); } }
    function shrink() external { list.pop(); rows[2].b = 7; delete list[0]; counted[list.length] = 1; done = true; done = false; }
}
"""
SLOW = """
[contracts.Slow]
source = "src/Slow.sol:Slow"
"""
SHRINK = """
[calls.shrink]
to = "${contracts.Slow}"
call = "shrink()"
"""


def test_only_the_part_of_a_slot_that_changed_is_shown_and_what_was_there_is_kept(small: Make) -> None:
    project = small(SLOW, {"src/Slow.sol": SECOND})
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    project.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0"')
    (project.root / "ship.toml").write_text((project.root / "ship.toml").read_text() + SHRINK)
    state = packed(project.root)
    shown = {
        v["path"]: (v["before"], v["after"]) for s in account(state, "Slow")["slots"] for v in s["variables"]
    }  # fmt: skip
    assert shown == {
        "list.length": (5, 4),
        "list[4]": (5, 0),
        "list[0]": (1, 0),
        "rows[2].b": (2, 7),
        "counted[4]": (0, 1),
    }


STRAY = """
contract Stray {
    uint128 half;
    function hide(uint256 slot, uint256 value) external { assembly { sstore(slot, value) } }
}
"""


def stray(slot: str, value: int = 1) -> str:
    return (
        '[contracts.Stray]\nsource = "src/Stray.sol:Stray"\n[calls.hide]\nto = "${contracts.Stray}"\n'
        f'call = "hide(uint256,uint256)"\nargs = ["{slot}", "{value}"]\n'
    )


@pytest.mark.parametrize(
    ("slot", "value"),
    [("0x" + "ab" * 32, 1), ("1", 1), ("0", 2**130 + 5)],
    ids=["a random slot", "a slot after all variables", "bytes beside a packed variable"],
)
def test_a_write_no_variable_explains_is_refused_by_name_and_marked(small: Make, slot: str, value: int) -> None:
    project = small(stray(slot, value), {"src/Stray.sol": STRAY})
    name = f"Stray:0x{int(slot, 0):064x}"
    with pytest.raises(UnexplainedSlots) as refused:
        packed(project.root)
    assert refused.value.exit_code == 2
    assert name in refused.value.cause
    assert f"**unexplained slot** `{name}`" in (project.root / "pack" / "plan.md").read_text()
    state = json.loads((project.root / "pack" / "state.json").read_text())
    assert [s["known"] for s in account(state, "Stray")["slots"]] == ["unexplained"]

    text = (project.root / "ship.toml").read_text()
    for pattern in (name, "Stray:*"):
        (project.root / "ship.toml").write_text(f'{text}\n[review]\nallow-slots = ["{pattern}"]\n')
        assert [s["known"] for s in account(packed(project.root), "Stray")["slots"]] == ["allowed"]
        assert f"allowed by name in ship.toml: `{name}`" in (project.root / "pack" / "plan.md").read_text()
    (project.root / "ship.toml").write_text(f'{text}\n[review]\nallow-slots = ["Other:*"]\n')
    with pytest.raises(UnexplainedSlots):
        packed(project.root)


HIDDEN = """
contract Hidden {
    uint256 plain;
    function touch() external {
        assembly { sstore(0x1234, 1) }
    }
    function untouch() external {
        assembly { sstore(0x1234, 0) }
    }
}
"""


def test_a_slot_that_is_put_back_later_in_the_plan_is_still_to_be_explained(small: Make) -> None:
    calls = "".join(
        f'[calls.{name}]\nto = "${{contracts.Hidden}}"\ncall = "{name}()"\n{after}'
        for name, after in (("touch", ""), ("untouch", 'after = ["touch"]\n'))
    )
    project = small('[contracts.Hidden]\nsource = "src/Hidden.sol:Hidden"\n' + calls, {"src/Hidden.sol": HIDDEN})
    with pytest.raises(UnexplainedSlots, match=r"Hidden:0x0+1234"):
        packed(project.root)
