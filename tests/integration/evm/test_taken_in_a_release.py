"""Fault 20 in a whole release: somebody puts our CREATE2 contract on the chain between approval and our transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chains.evm.address import CREATE2_FACTORY
from chains.evm.transaction import decode_signed
from tests.support import fault_proxy as fp
from tests.support.anvil import anvil

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
UNITS = """
[contracts.First]
source = "src/Box.sol:Box"
args = [1]

[contracts.Shared]
source = "src/Box.sol:Box"
args = [2]
create2 = "anybody can"

[contracts.Later]
source = "src/Box.sol:Box"
args = [3]

[checks.value]
on = "${contracts.Shared}"
call = "value()(uint256)"
equals = 2
"""
BOX = "contract Box { uint256 public immutable value; constructor(uint256 v) { value = v; } }"


def test_the_release_ends_well_and_its_record_says_adopted(small: Callable[..., Any]) -> None:
    project = small(UNITS, {"src/Box.sol": BOX})
    with anvil() as node, fp.fault_proxy(node.url) as proxy:

        def front_run(proxy: fp.FaultProxy, call: dict[str, Any]) -> dict[str, Any]:
            ours, _ = decode_signed(bytes.fromhex(call["params"][0][2:]))
            if ours.to == CREATE2_FACTORY and not node.nonce(OTHER):
                node.send(**{"from": OTHER, "to": CREATE2_FACTORY, "input": "0x" + ours.data.hex()})
            return proxy.forward(call)

        proxy.add(fp.Rule("front run", (fp.SEND,), front_run, None))
        manifest = f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{proxy.url}"]\n'
        project.write(**{"manifests/shared.toml": manifest})
        outcome, said = project.deploy("shared")
        assert node.nonce(OTHER) == 1
        assert outcome.exit_code == 0, said
        assert outcome.units["Shared"].state == "adopted"
        assert outcome.units["Shared"].transaction is None
        record = project.record(target="shared")
        assert [(one["unit"], one["action"]) for one in record["adopted"]] == [("Shared", "Shared")]
        assert "way" not in record
        assert record["units"]["Shared"]["transactions"] == []
        failed = record["adopted"][0]["evidence"]["found"]["failed"]
        assert [one["hash"] for one in record["cost"]["reverted"]] == [failed]
        assert {proof["unit"] for proof in record["proofs"]} == {"First", "Shared", "Later"}
        again, said = project.deploy("shared")
        assert (again.exit_code, again.sent) == (0, 0), said
        assert node.nonce() == 3
