"""A project nobody here wrote, with two compilers and its own settings, released by ship."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from web3 import Web3

pytestmark = pytest.mark.e2e

PAIR_INIT_CODE_HASH = "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
"""The constant Uniswap's own router computes pair addresses with; it includes the metadata hash."""


def test_uniswap_v2_is_released_and_makes_a_pair(project: Callable[[str], Any]) -> None:
    ship = project("uniswap-v2")
    document = ship.deploy()
    assert document["outcome"] == "done"
    assert document["sent"] > 0
    assert ship.deploy()["sent"] == 0
    url = ship("localnet", "up").stdout.split()[3]
    chain = Web3(Web3.HTTPProvider(url))
    units = document["units"]
    factory = Web3.to_checksum_address(units["UniswapV2Factory"]["address"])
    abi = [
        {"type": "function", "name": "allPairs", "stateMutability": "view",
         "inputs": [{"name": "", "type": "uint256"}], "outputs": [{"name": "", "type": "address"}]},
    ]  # fmt: skip
    pair = chain.eth.contract(address=factory, abi=abi).functions.allPairs(0).call()
    assert chain.eth.get_code(pair)
    tokens = sorted(bytes.fromhex(unit["address"][2:]) for name, unit in units.items() if name.startswith("Token"))
    salt = Web3.keccak(b"".join(tokens))
    computed = Web3.keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + bytes.fromhex(PAIR_INIT_CODE_HASH))[12:]
    assert pair == Web3.to_checksum_address(computed)
