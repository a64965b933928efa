"""Answers of any shape in the middle of a run: it ends well or stops resumably, and never with a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.errors import Resumable
from chains.evm.sending.errors import WrongCode
from tests.support import fault_proxy as fp
from tests.support.anvil import Anvil, anvil
from tests.support.deployment import Rig

HOSTILE: list[Any] = [None, "", "0x", "zz", 5, [], {}, True, "0x" + "f" * 65, {"number": "0x1"}, "\ud800"]
METHODS = [
    *["eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByNumber", "eth_getTransactionCount"],
    *["eth_getCode", "eth_sendRawTransaction", "eth_feeHistory", "eth_chainId", "eth_blockNumber"],
]


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.mark.parametrize("method", METHODS)
def test_answers_of_any_shape(node: Anvil, tmp_path: Path, method: str) -> None:
    with fp.fault_proxy(node.url) as proxy:
        rig = Rig(node, proxy, tmp_path / "j").usual()
        for answer in HOSTILE:
            proxy.clear()
            proxy.add(fp.result(answer, method, times=None, after=2 if method != "eth_getCode" else 0))
            with contextlib.suppress(Resumable, WrongCode):
                rig.run(window=1, wait_s=0.2, patience_s=0.2, foreign_after_s=0.05)
        rig.oracles()
