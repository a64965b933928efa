"""Event logs from nodes that limit the range of one query, and roles folded from them."""

from __future__ import annotations

from typing import Any

import pytest

from chains.evm.address import checksum, keccak256
from chains.evm.logs import LogsUnavailable, logs, logs_of_each
from chains.evm.roles import GRANTED, REVOKED, holders, role_name
from chains.rpc import Endpoint, Rpc, RpcFault, RpcUnknown


class Limited(Endpoint):
    """An endpoint that gives at most ``most`` blocks at once, one log a block."""

    def __init__(self, most: int, missing: bool = False) -> None:
        super().__init__("http://127.0.0.1:1")
        self.most, self.missing, self.asked = most, missing, 0

    def batch(self, requests: Any) -> list[Any]:
        ((_, (query,)),) = requests
        self.asked += 1
        if self.missing:
            raise RpcUnknown("gone")
        first, last = int(query["fromBlock"], 16), int(query["toBlock"], 16)
        if last - first + 1 > self.most:
            return [RpcFault(-32005, "query returned more than 10000 results")]
        return [[{"blockNumber": hex(n), "removed": n == 3} for n in range(first, last + 1)]]


@pytest.mark.parametrize("most", [1, 2, 7, 1_000])
def test_every_block_is_asked_once_and_in_order_however_little_a_node_gives(most: int) -> None:
    endpoint = Limited(most)
    found = logs(Rpc([endpoint]), ["0x"], [], 0, 99)
    assert [int(log["blockNumber"], 16) for log in found] == [n for n in range(100) if n != 3]
    assert endpoint.asked <= 100 + 10


def test_without_any_node_that_gives_them_nothing_is_concluded() -> None:
    with pytest.raises(LogsUnavailable):
        logs(Rpc([Limited(0), Limited(9, missing=True)]), ["0x"], [], 0, 9)
    assert logs_of_each(Rpc([Limited(10), Limited(9, missing=True)]), ["0x"], [], 0, 9) is None
    assert len(logs_of_each(Rpc([Limited(10), Limited(10)]), ["0x"], [], 0, 9) or ()) == 18


def _event(kind: str, role: bytes, account: str) -> dict[str, Any]:
    topics = [kind, "0x" + role.hex(), "0x" + "00" * 12 + account[2:], "0x" + "00" * 32]
    return {"address": "0x" + "aa" * 20, "topics": topics}


def test_roles_are_who_was_granted_them_and_not_revoked_since() -> None:
    role, one, two = keccak256(b"MINTER_ROLE"), "0x" + "11" * 20, "0x" + "22" * 20
    events = [
        _event(GRANTED, role, one),
        _event(GRANTED, role, two),
        _event(REVOKED, role, one),
        _event(GRANTED, role, one),
    ]
    assert holders(events) == {(checksum("0x" + "aa" * 20), role): (two, one)}
    assert holders(events[:3]) == {(checksum("0x" + "aa" * 20), role): (two,)}
    abi = [{"type": "function", "name": "MINTER_ROLE", "inputs": []}]
    assert role_name(role, abi) == "MINTER_ROLE"
    assert role_name(role, None) == "0x" + role.hex()
    assert role_name(bytes(32), None) == "DEFAULT_ADMIN_ROLE"
