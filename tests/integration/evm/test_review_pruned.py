"""A reviewer's endpoint that has no state of the plan's block any more, as most full nodes have not for long."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from pipeline.planning import plan_project
from pipeline.review.command import review
from pipeline.review.reviewing import Review
from pipeline.review.running import ReviewFailed
from pipeline.ui.plain import PlainUi
from tests.support import fault_proxy as fp

BOX = "contract Box { uint256 held; constructor(uint256 first) { held = first; } }"
UNITS = """
[contracts.Box]
source = "src/Box.sol:Box"
args = [7]
"""
STATE = ("eth_getBalance", "eth_getCode", "eth_getStorageAt", "eth_getTransactionCount", "eth_call")


def pruned(block: int) -> fp.Rule:
    """The node knows the block, and nothing of its state."""

    def act(proxy: fp.FaultProxy, call: Any) -> Any:
        if call["params"][-1] == hex(block):
            return fp.fault(call, -32000, "missing trie node")
        return proxy.forward(call)

    return fp.Rule("pruned", STATE, act, None)


def test_the_latest_block_is_looked_at_and_nothing_of_the_pack_goes_unseen(small: Callable[..., Any]) -> None:
    project = small(UNITS, {"src/Box.sol": BOX})
    folder: Path = project.root / "pack"

    def reviewed(url: str) -> Review:
        return review(folder, project.root, PlainUi(StringIO()), target=None, rpc=url, bundle=None)

    with project.chain() as rpc:
        plan = plan_project(project.root, "local", PlainUi(StringIO()), pack=folder)[0]
        block = plan.body.observed["block_number"]
        with fp.fault_proxy(rpc.endpoints[0].url) as proxy:
            proxy.add(pruned(block))
            with pytest.raises(ReviewFailed) as failed:
                reviewed(proxy.url)
            assert failed.value.exit_code == 3
            rpc.read("anvil_mine", ["0x1"])
            found = reviewed(proxy.url)
            assert (found.recomputed_at, found.differences) == ([block + 1], [])
            assert f"at block {block + 1}" in found.text()

            path = folder / "transactions.json"
            document = json.loads(path.read_text())
            document["transactions"][0]["arguments"][0]["value"] = 8
            path.write_text(json.dumps(document))
            changed = [d for d in reviewed(proxy.url).differences if "arguments[0].value" in d.what]
            assert [(d.file, d.moved) for d in changed] == [("transactions.json", False)]
