"""``ship signer list`` and ``ship signer test``: what they sign can be no transaction, and no secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from eth_account import Account
from eth_account.messages import encode_typed_data

from chains.evm.transaction import decode_signed
from chains.rpc import RpcFault
from pipeline.cli.signer_cmd import command
from pipeline.signing.keystore import LocalKey
from pipeline.signing.probe_message import ProbeMessage
from pipeline.signing.probing import probe_transaction
from tests.support.anvil import DEPLOYER, KEY, anvil
from tests.support.fault_proxy import fault_proxy, result
from tests.support.keyfiles import PASSWORD, keyfile, password_file
from tests.support.schemas import hold

SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def _target(root: Path, name: str, *signer: str) -> None:
    (root / "manifests").mkdir(exist_ok=True)
    (root / "ship.toml").write_text('schema = 1\n[project]\nname = "p"\nversion = "1.0.0"\n')
    lines = ["schema = 1", 'extends = "builtin:local"', "[signer]", *signer]
    (root / "manifests" / f"{name}.toml").write_text("\n".join(lines) + "\n")


def _ship(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [arguments[0], "-C", str(root), *arguments[1:]])


def test_the_probe_is_the_typed_data_it_says_it_is() -> None:
    """Held against another implementation of EIP-712."""
    text = encode_typed_data(
        {"name": "contract-ship signer test", "version": "1", "chainId": 8453},
        {"Probe": [{"name": "target", "type": "string"}, {"name": "time", "type": "string"}, {"name": "number", "type": "uint256"}]},
        {"target": "base", "time": "2026-11-24T14:00:00Z", "number": 7},
    )  # fmt: skip
    digest = ProbeMessage("base", "2026-11-24T14:00:00Z", 7, 8453).digest()
    r, s = LocalKey(KEY, "x").sign_digest(digest)
    recovered = {Account.recover_message(text, vrs=(27 + parity, r, s)) for parity in (0, 1)}
    assert DEPLOYER in recovered


def test_a_node_takes_no_probe_that_a_transaction_signer_made() -> None:
    with anvil() as node, fault_proxy(node.url) as proxy:
        unsigned = probe_transaction(DEPLOYER, 31337)
        signed = Account.from_key(KEY).sign_transaction({
            "type": 2, "chainId": 31337, "nonce": unsigned.nonce, "to": DEPLOYER, "value": 0, "data": b"", "gas": 1,
            "maxFeePerGas": 0, "maxPriorityFeePerGas": 0,
        })  # fmt: skip
        assert decode_signed(bytes(signed.raw_transaction))[0] == unsigned
        before = node.number()
        with pytest.raises(RpcFault):
            node.call("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
        assert node.number() == before
        assert proxy.sent == []


def test_each_kind_of_backend_is_tested(tmp_path: Path) -> None:
    key = keyfile(tmp_path)
    _target(tmp_path, "soft", 'backend = "keystore"', f'file = "{key.name}"', f'address = "{DEPLOYER}"')
    done = _ship(tmp_path, "test", "--chain", "soft", "--count", "2", "--password-file", str(password_file(tmp_path)))
    assert done.exit_code == 0, done.output
    assert "typed data, 2 times" in done.output
    assert PASSWORD not in done.output
    with anvil() as node, fault_proxy(node.url) as proxy:
        _target(tmp_path, "far", 'backend = "remote"', f'url = "{proxy.url}"', f'address = "{SECOND}"')
        done = _ship(tmp_path, "test", "--chain", "far", "--json")
        assert done.exit_code == 0, done.output
        document: dict[str, Any] = json.loads(done.output)
        hold(document)
        assert (document["address"], document["signed"]) == (SECOND, "a transaction no chain can take")
        assert document["microseconds"] > 0
        proxy.add(result("0x02c0", "eth_signTransaction"))
        assert _ship(tmp_path, "test", "--chain", "far").exception is not None
        assert proxy.sent == []
    _target(tmp_path, "away", 'backend = "offline"', f'address = "{DEPLOYER}"')
    assert "another machine" in str(_ship(tmp_path, "test", "--chain", "away").exception)


def test_the_list_shows_every_target_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNER_TOKEN", "canary-token-77aa01")
    key = keyfile(tmp_path)
    _target(tmp_path, "soft", 'backend = "keystore"', f'file = "{key.name}"')
    _target(tmp_path, "away", 'backend = "offline"', f'address = "{SECOND}"')
    _target(tmp_path, "dead", 'backend = "remote"', 'url = "http://127.0.0.1:9"', 'token = "env:SIGNER_TOKEN"', f'address = "{SECOND}"')  # fmt: skip
    done = _ship(tmp_path, "list", "--json")
    assert done.exit_code == 2  # one of them does not answer
    hold(json.loads(done.output))
    listed = {one["target"]: one for one in json.loads(done.output)["signers"]}
    assert (listed["soft"]["found"], listed["soft"]["pinned"], listed["soft"]["kept_by"]) == (
        DEPLOYER,
        None,
        "software",
    )
    assert (listed["away"]["found"], listed["away"]["kept_by"]) == (SECOND, None)
    assert listed["dead"]["found"] is None
    assert "gave no usable answer" in listed["dead"]["problem"]
    text = _ship(tmp_path, "list").output
    assert "canary" not in text + done.output
    assert "not pinned" in text
