"""The parts of a review pack that need no chain: bytes decoded, words held against bytes, text nothing hides in."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from chains.evm.abi import parse_signature, selector
from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY, address_bytes, keccak256
from chains.evm.createx import CREATEX, create3_address, deploy_create3, guard, sender_salt
from chains.evm.proposal import Proposal
from chains.evm.safe.multisend import MULTISEND_CALL_ONLY, InnerCall, multisend_calldata
from chains.evm.safe.typed import SafeTx, domain_separator
from chains.evm.storage_types import Types
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.plan import Plan
from pipeline.review.agreeing import disagreements, transactions_document
from pipeline.review.comparing import places
from pipeline.review.contracts import Codes
from pipeline.review.decoding import Decoder
from pipeline.review.hashes import signing_document
from pipeline.review.keys import KnownKeys
from pipeline.review.markdown import _clean, _code
from pipeline.review.slots import Root, SlotFinder, erc7201_slot
from pipeline.review.unsigned import Undecodable, read_unsigned
from tests.support.anvil import DEPLOYER
from tests.support.contracts import COUNTER, Workshop, artifact, init_code, tagged

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GRANT = {
    "type": "function", "name": "grant", "inputs": [
        {"name": "role", "type": "bytes32"}, {"name": "account", "type": "address"}, {"name": "amount", "type": "uint256"},
    ],
}  # fmt: skip
BOX = artifact("Box", tagged(COUNTER, 1), [GRANT])


def grant(account: str = OTHER, amount: int = 2**60) -> bytes:
    return selector(parse_signature("grant(bytes32,address,uint256)")) + encode(
        ["bytes32", "address", "uint256"], [b"\x01" * 32, account, amount]
    )


def args(account: str = OTHER) -> tuple[dict[str, Any], ...]:
    return (
        {"name": "role", "type": "bytes32", "value": "0x" + "01" * 32},
        {"name": "account", "type": "address", "value": account},
        {"name": "amount", "type": "uint256", "value": str(2**60)},
    )


def decoder() -> Decoder:
    return Decoder([BOX], address_bytes(DEPLOYER))


@given(
    chain_id=st.integers(1, 2**63), nonce=st.integers(0, 2**63), gas=st.integers(0, 2**63), value=st.integers(0, 2**256 - 1),
    data=st.binary(max_size=200), to=st.none() | st.binary(min_size=20, max_size=20), legacy=st.booleans(),
)  # fmt: skip
def test_every_field_comes_back_out_of_the_unsigned_bytes(
    chain_id: int, nonce: int, gas: int, value: int, data: bytes, to: bytes | None, *, legacy: bool
) -> None:
    fees = Fees(0, None if legacy else 0)
    made = UnsignedTransaction(chain_id, nonce, None if to is None else "0x" + to.hex(), value, data, gas, fees)
    read = read_unsigned(made.payload())
    assert (read.chain_id, read.nonce, read.gas_limit, read.value_wei, read.data) == (chain_id, nonce, gas, value, data)
    assert read.to == (to or b"")


@given(st.binary(max_size=300))
def test_other_bytes_are_refused_or_read_and_never_anything_else(raw: bytes) -> None:
    with contextlib.suppress(Undecodable):
        assert len(read_unsigned(raw).to) in {0, 20}


def test_signed_bytes_and_access_lists_are_no_unsigned_transactions() -> None:
    import rlp

    made = UnsignedTransaction(1, 2, OTHER, 3, b"", 4, Fees(5, 6))
    with pytest.raises(Undecodable):
        read_unsigned(made.with_signature(7, 8, 0).raw)
    fields = rlp.decode(made.payload()[1:])
    fields[-1] = [[address_bytes(OTHER), []]]
    with pytest.raises(Undecodable, match="access list"):
        read_unsigned(b"\x02" + rlp.encode(fields))


def test_creations_are_recognized_by_their_code_and_their_addresses_worked_out() -> None:
    workshop = Workshop(DEPLOYER, 4)
    plain = workshop.create("Box", tagged(COUNTER, 1))
    salted = workshop.create("Box", tagged(COUNTER, 1), salt=b"\x07" * 32)
    salt = sender_salt(DEPLOYER, keccak256(b"box"))
    third = create3_address(guard(salt, DEPLOYER, 31337).salt)
    payload = deploy_create3(salt, BOX.creation_code)
    workshop.call("third", CREATEX, payload, kind="create3", address=third, source=BOX.source)
    shown = transactions_document(whole(workshop), Codes([BOX]))["transactions"]
    assert [(t["kind"], t["address"], t["contract"]) for t in shown] == [
        ("create", plain, BOX.source),
        ("create2", salted, BOX.source),
        ("create3", third, BOX.source),
    ]
    assert shown[1]["to"] == CREATE2_FACTORY
    other = decoder().transaction(
        UnsignedTransaction(1, 0, None, 0, init_code(tagged(COUNTER, 2)), 9, Fees(0, 0)).payload()
    )
    assert (other["contract"], other["recognized"]) == (None, False)


def test_calldata_is_decoded_to_the_bottom_and_only_in_its_canonical_form() -> None:
    inner = InnerCall(OTHER, 5, grant())
    call = decoder().call(address_bytes(OTHER), multisend_calldata([inner, InnerCall(DEPLOYER, 0, b"")]))
    first, second = call["arguments"][0]["calls"]
    assert (first["to"], first["value_wei"], first["function"]) == (OTHER, "5", "grant(bytes32,address,uint256)")
    assert [a["value"] for a in first["arguments"]] == ["0x" + "01" * 32, OTHER, str(2**60)]
    assert (second["function"], second["recognized"]) == (None, True)
    for data in (grant() + b"\0" * 32, grant()[:-1], b"\xde\xad\xbe\xef", grant()[:40] + b"\xff" + grant()[41:]):
        shown = decoder().call(address_bytes(OTHER), data)
        assert (shown["recognized"], shown["data"]) == (False, "0x" + data.hex())


def whole(workshop: Workshop) -> Plan:
    return Plan(
        project="acme", version="1.0.0", target="local", commit=None, dirty=False, bundle="b" * 64, inputs="1" * 64,
        state="2" * 64, body=workshop.plan(31337, "0x" + "ab" * 32, 17)[0],
    )  # fmt: skip


def plan() -> Plan:
    workshop = Workshop(DEPLOYER, 4)
    box = workshop.create("Box", tagged(COUNTER, 1))
    workshop.call("grant", box, grant(), args=args())
    return whole(workshop)


def judged(altered: Plan, bytes_of: Plan | None = None) -> list[str]:
    """What the words of ``altered`` and the bytes of another plan (by default its own) disagree in."""
    document = transactions_document(bytes_of or altered, Codes([BOX]))
    return disagreements(altered, document, signing_document(altered))


def altered(at: int, **fields: Any) -> Plan:
    honest = plan()
    actions = list(honest.body.actions)
    actions[at] = replace(actions[at], **fields)
    return replace(honest, body=replace(honest.body, actions=tuple(actions)))


def test_an_honest_plan_and_its_bytes_agree() -> None:
    assert judged(plan()) == []


@pytest.mark.parametrize(
    ("at", "fields", "names"),
    [
        (0, {"address": OTHER}, "address"),
        (0, {"source": "src/Other.sol:Other"}, "source"),
        (0, {"kind": "create2"}, "kind"),
        (1, {"args": args(DEPLOYER)}, "account = 0xf39F"),
        (1, {"args": (*args(), args()[0])}, "role"),
        (1, {"args": tuple(reversed(args()))}, "account"),
        (1, {"data": grant(DEPLOYER)}, "account"),
        (1, {"data": grant(amount=5)}, "amount"),
    ],
)
def test_words_that_are_not_in_the_bytes_are_named(at: int, fields: dict[str, Any], names: str) -> None:
    (problem,) = judged(altered(at, **fields))
    assert names in problem


@pytest.mark.parametrize("fields", [{"nonce": 9}, {"to": OTHER}, {"value_wei": 1}])
def test_fields_of_other_bytes_are_named(fields: dict[str, Any]) -> None:
    found = judged(altered(1, **fields), bytes_of=plan())
    assert any(problem.startswith(f"grant: {next(iter(fields))} is") for problem in found)


@given(st.text(max_size=60))
def test_nothing_in_the_page_is_markup_or_a_control_character(text: str) -> None:
    shown = _code(text)
    assert all(c.isprintable() for c in shown)
    assert "\n" not in shown
    if text:
        body = shown.strip("`")
        fence = shown[: len(shown) - len(shown.lstrip("`"))]
        assert fence not in body
        assert "|" not in shown.replace("\\|", "")
    assert all(c.isprintable() for c in _clean(text))


def test_differences_are_named_by_their_place_and_counted() -> None:
    one = {"a": [1, {"b": "x"}], "c": True, "only": 1}
    other = {"a": [1, {"b": "y"}, 3], "c": 1, "new": None}
    assert places(json.dumps(one).encode(), json.dumps(other).encode()) == [
        'a[1].b: the pack has "x", recomputed "y"',
        "a[2]: missing from the pack, 3",
        "c: the pack has true, recomputed 1",
        "new: missing from the pack, null",
        "only: only the pack has it, 1",
    ]
    many = places(json.dumps(list(range(50))).encode(), json.dumps(list(range(1, 51))).encode())
    assert many[-1] == "and 38 more places"
    assert places(b"# a\nb\n", b"# a\nc\n") == ['line 2: the pack has "b", recomputed "c"']
    assert places(b"[1]", b"[1]") == []


def test_namespaces_lie_where_their_standard_says() -> None:
    """The example of ERC-7201, and two of OpenZeppelin's constants."""
    assert hex(erc7201_slot("example.main")) == "0x183a6125c38840424c4a85fa12bab2ab606c4b6d0e7cc73c0c06ba5300eab500"
    assert (
        hex(erc7201_slot("openzeppelin.storage.Ownable"))
        == "0x9016d09d72d40fdae2fd8ceac6b6234c7706214fd39c1cd1e609a0528c199300"
    )
    assert (
        hex(erc7201_slot("openzeppelin.storage.Initializable"))
        == "0xf0c57e16840df040f15088dc2f81fe391c3923bec73e23a9662efc9c229c6a00"
    )


def proposed(*, operation: int = 0, to: str = OTHER, data: bytes = b"", **fields: Any) -> Plan:
    """A plan whose one Safe transaction stands for a call of a Safe's."""
    honest = plan()
    action = Action(
        id="p", unit="p", kind="proposal", title="", nonce=6, to=OTHER, value_wei=0, data=grant(), by=OTHER, args=args()
    )
    tx = SafeTx(to, 0, data or grant(), operation, 3)
    hashed = "0x" + tx.hash(domain_separator(31337, OTHER)).hex()
    proposal = Proposal("safe.1", OTHER, "1.4.1", tx, hashed, ("p",), (OTHER,), 1)
    body = replace(
        honest.body, actions=(*honest.body.actions, replace(action, **fields)), proposals=(proposal,)
    )  # fmt: skip
    return replace(honest, body=body)


BATCH = multisend_calldata([InnerCall(OTHER, 0, grant())])
MULTISEND = next(iter(MULTISEND_CALL_ONLY))


def test_a_safes_call_is_shown_with_the_safe_and_not_among_what_the_deployer_signs() -> None:
    for honest in (proposed(), proposed(operation=1, to=MULTISEND, data=BATCH)):
        document = transactions_document(honest, Codes([BOX]))
        assert [t["action"] for t in document["transactions"]] == ["Box", "grant"]
        assert [p["safe"] for p in document["proposals"]] == [OTHER]
        assert judged(honest) == []


@pytest.mark.parametrize(
    ("lie", "names"),
    [
        ({"data": grant(DEPLOYER)}, "make other calls"),
        ({"to": DEPLOYER}, "make other calls"),
        ({"args": args(DEPLOYER)}, "account"),
        ({"operation": 1}, "no MultiSendCallOnly"),
        ({"operation": 2}, "no MultiSendCallOnly"),
    ],
)
def test_a_safe_transaction_that_does_something_else_than_its_actions_is_named(lie: dict[str, Any], names: str) -> None:
    (problem,) = judged(proposed(**lie))
    assert names in problem


def test_a_safe_tx_hash_that_is_not_its_fields_is_named() -> None:
    honest = proposed()
    wrong = replace(honest.body.proposals[0], hash="0x" + "11" * 32)
    (problem,) = judged(replace(honest, body=replace(honest.body, proposals=(wrong,))))
    assert "safeTxHash" in problem


def test_a_search_with_too_many_keys_ends_and_says_so() -> None:
    def mapping(value: str) -> dict[str, Any]:
        return {"label": value, "encoding": "mapping", "numberOfBytes": "32", "key": "uint256", "value": value}

    number = {"label": "uint256", "encoding": "inplace", "numberOfBytes": "32"}
    layout = {
        "storage": [{"label": "deep", "slot": "0", "offset": 0, "type": "outer"}],
        "types": {"uint256": number, "inner": mapping("uint256"), "outer": mapping("inner")},
    }
    slot = int.from_bytes(keccak256((7).to_bytes(32, "big") + keccak256((30).to_bytes(32, "big") + bytes(32))), "big")
    changes = {slot: (bytes(32), b"\x01" * 32)}

    def search(budget: int) -> SlotFinder:
        finder = SlotFinder(changes, KnownKeys(), lambda _: (bytes(32), bytes(32)), budget=budget)
        finder.search([Root(Types(layout))])
        return finder

    whole, cut = search(10_000), search(100)
    assert (whole.complete, [p.path for p in whole.pieces(slot)]) == (True, ["deep[30][7]"])
    assert (cut.complete, cut.unexplained()) == (False, [slot])
