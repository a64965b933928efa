"""Owners of a Safe that are contracts and sign as such (EIP-1271), on Safe's own contracts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode

from chains.evm.address import keccak256
from tests.support.safes import ACCOUNTS, call, new_handler, new_safe, sign_as_safe
from tests.support.schemas import hold
from tests.support.vault import Vault

pytestmark = pytest.mark.e2e

DEPLOYER, SECOND, THIRD, OTHER = ACCOUNTS


def _signed_data(system: Vault, document: dict[str, Any]) -> bytes:
    """The Safe's own word on what is signed."""
    m = document["ship"]["typedData"]["message"]
    data = call(
        "encodeTransactionData(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,uint256)",
        m["to"], int(m["value"]), bytes.fromhex(m["data"][2:]), m["operation"], 0, 0, 0, m["gasToken"],
        m["refundReceiver"], int(m["nonce"]),
    )  # fmt: skip
    raw = bytes.fromhex(system.chain.ask("eth_call", {"to": system.safe, "input": "0x" + data.hex()}, "latest")[2:])
    return raw[64 : 64 + int.from_bytes(raw[32:64], "big")]


class Committee:
    """The vault's Safe is the deployer's and an inner Safe's, both needed; the upgrade is proposed."""

    def __init__(self, vault: Callable[..., Vault], *, handler: bool = True) -> None:
        from tests.support.safes import Chain

        made: list[str] = []

        def owners(chain: Chain) -> list[str]:
            made.append(
                new_safe(chain, [SECOND], 1, salt=7, handler=new_handler(chain) if handler else "0x" + "00" * 20)
            )
            return [DEPLOYER, *made]

        self.system = vault(owners, threshold=2)
        (self.inner,) = made
        self.proxy = self.system.ship.deploy()["units"]["Vault"]["address"]
        self.system.upgrade('"${params.owner}"')
        assert "1 of 2 signatures" in self.system.ship.deploy(exit_code=3)["error"]["cause"]
        _, self.document = self.system.proposal()

    def hand_in(self, signature: str, *, exit_code: int = 0) -> dict[str, Any]:
        file = self.system.ship.root / "contract-signature.json"
        file.write_text(
            json.dumps({"safeTxHash": self.document["ship"]["safeTxHash"], "signatures": [{"signature": signature}]})
        )
        done = self.system.ship("proposals", "import", str(file), "--chain", "local", "--json", exit_code=exit_code)
        document: dict[str, Any] = json.loads(done.stdout)
        hold(document)
        return document

    def sign(self, signer: str) -> str:
        return sign_as_safe(self.system.chain, self.inner, signer, _signed_data(self.system, self.document))


def test_a_safe_that_is_an_owner_signs_as_a_contract_and_the_upgrade_is_executed(vault: Callable[..., Vault]) -> None:
    committee = Committee(vault)
    taken = committee.hand_in(committee.sign(SECOND))
    assert [(s["owner"], s["known"]) for s in taken["signatures"]] == [(committee.inner, False)]
    assert committee.hand_in(committee.sign(SECOND))["signatures"][0]["known"]
    done = committee.system.ship.deploy()
    assert done["sent"] == 1
    assert committee.system.version(committee.proxy) == "2"
    record = json.loads((committee.system.ship.root / done["record"]).read_text())
    assert record["proposals"][0]["signed_by"] == sorted([DEPLOYER, committee.inner])
    committee.system.ship("record", "verify")


@pytest.mark.soak
def test_a_signature_the_contract_does_not_accept_is_refused_before_it_is_kept(vault: Callable[..., Vault]) -> None:
    committee = Committee(vault)
    refused = committee.hand_in(committee.sign(THIRD), exit_code=2)
    assert refused["error"]["code"] == "SHIP-K01"
    assert "EIP-1271" in refused["error"]["cause"]
    right = committee.sign(SECOND)
    stranger = "0x" + OTHER[2:].lower().rjust(64, "0") + right[66:]
    assert "no owner of" in committee.hand_in(stranger, exit_code=2)["error"]["cause"]
    assert "offset" in committee.hand_in(right[:66] + "00" * 32 + right[130:], exit_code=2)["error"]["cause"]
    assert "length" in committee.hand_in(right + "00", exit_code=2)["error"]["cause"]
    assert committee.system.kinds().count("proposal.signed") == 1


@pytest.mark.soak
def test_an_owner_that_cannot_sign_as_a_contract_is_told_how_it_can_agree(vault: Callable[..., Vault]) -> None:
    committee = Committee(vault, handler=False)
    refused = committee.hand_in(committee.sign(SECOND), exit_code=2)
    assert "approve the hash on chain" in refused["error"]["remedy"]


def test_a_contract_that_no_longer_stands_by_its_signature_is_not_counted(vault: Callable[..., Vault]) -> None:
    """The inner Safe gets another owner between the signature and its use: execution would revert."""
    committee = Committee(vault)
    committee.hand_in(committee.sign(SECOND))
    _swap_owner(committee, SECOND, THIRD)
    stopped = committee.system.ship("deploy", "--chain", "local", "--json", exit_code=3)
    assert "no longer stands by its signature" in stopped.stderr
    assert "1 of 2 signatures" in json.loads(stopped.stdout)["error"]["cause"]
    assert committee.system.version(committee.proxy) == "1"
    committee.hand_in(committee.sign(THIRD))
    assert committee.system.ship.deploy()["outcome"] == "done"
    assert committee.system.version(committee.proxy) == "2"


def _swap_owner(committee: Committee, old: str, new: str) -> None:
    inner, chain = committee.inner, committee.system.chain
    zero = "0x" + "00" * 20
    swap = call("swapOwner(address,address,address)", "0x" + "00" * 19 + "01", old, new)
    by_sender = bytes(12) + bytes.fromhex(old[2:]) + bytes(32) + b"\x01"
    types = ["address", "uint256", "bytes", "uint8", "uint256", "uint256", "uint256", "address", "address", "bytes"]
    data = keccak256(f"execTransaction({','.join(types)})".encode())[:4]
    data += encode(types, [inner, 0, swap, 0, 0, 0, 0, zero, zero, by_sender])
    chain.send(inner, data, sender=old)
