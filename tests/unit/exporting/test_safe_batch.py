"""A plan's calls for a Safe: the batch its builder imports, and a sidecar whose hash eth_account finds too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from chains.evm.actions import Action, EvmPlan
from chains.evm.safe.multisend import unpack
from pipeline.exporting.safe_batch import NotOnlyCalls, batch_checksum, write_safe_batch
from pipeline.plan import Plan

SAFE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TO = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"


def _call(number: int, kind: Any = "call") -> Action:
    return Action(f"call{number}", f"call{number}", kind, "call it", number, TO, number, bytes([number]) * 4)


def _plan(*actions: Action) -> Plan:
    body = EvmPlan({"name": "base", "id": 8453, "genesis_hash": "0x0"}, TO, actions, (), (), {}, {}, {"nonce": 0})
    return Plan("acme", "1.0.0", "base", None, dirty=False, bundle="00", inputs="00", state="00", body=body)


def _written(plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
    files = write_safe_batch(plan, SAFE, 17)
    assert files == write_safe_batch(plan, SAFE, 17)
    return json.loads(files["safe-batch.json"]), json.loads(files["safe-batch.sidecar.json"])


def _second_opinion(sidecar: dict[str, Any]) -> str:
    return "0x" + _hash_eip191_message(encode_typed_data(full_message=sidecar["typedData"])).hex()


def test_one_call_is_made_directly() -> None:
    batch, sidecar = _written(_plan(_call(1)))
    assert batch["transactions"] == [
        {"to": TO, "value": "1", "data": "0x01010101", "contractMethod": None, "contractInputsValues": None}
    ]
    assert (sidecar["operation"], sidecar["nonce"], sidecar["transaction"]["to"]) == (0, 17, TO)
    assert sidecar["safeTxHash"] == _second_opinion(sidecar)


def test_several_calls_are_one_delegated_multisend_in_order() -> None:
    batch, sidecar = _written(_plan(_call(1), _call(2), _call(3, "proposal")))
    assert [t["value"] for t in batch["transactions"]] == ["1", "2", "3"]
    assert sidecar["operation"] == 1
    assert sidecar["multiSendCodeHash"]
    inner = unpack(bytes.fromhex(sidecar["transaction"]["data"][2:]))
    assert [(call.to, call.value_wei, call.data) for call in inner] == [(TO, n, bytes([n]) * 4) for n in (1, 2, 3)]
    assert sidecar["safeTxHash"] == _second_opinion(sidecar)


def test_the_batch_carries_the_checksum_of_the_rest() -> None:
    batch, _ = _written(_plan(_call(1), _call(2)))
    checksum = batch["meta"].pop("checksum")
    assert batch_checksum(batch) == checksum
    batch["transactions"].reverse()
    assert batch_checksum(batch) != checksum


def test_a_plan_that_deploys_or_does_nothing_is_refused() -> None:
    with pytest.raises(NotOnlyCalls, match="deploys call2"):
        write_safe_batch(_plan(_call(1), _call(2, "create")), SAFE, 17)
    with pytest.raises(NotOnlyCalls, match="no call"):
        write_safe_batch(_plan(), SAFE, 17)
