"""CREATE3: the same address on every chain, nobody else's, and never on top of something else. Real CreateX on anvil."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chains.base import SystemClock
from chains.errors import NeedsPerson
from chains.evm.address import address_bytes, create_address, keccak256
from chains.evm.createx import (
    CREATEX,
    CREATEX_CODE_HASH,
    PRESIGNED_COST_WEI,
    PRESIGNED_SIGNER,
    create3_address,
    deploy_create3,
    guard,
    sender_salt,
)
from chains.evm.createx_deploying import PresignedUnusable, deploy_createx, look_for_createx
from chains.rpc import Endpoint, Rpc

DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ROUTER = "contract Router { uint256 public immutable fee; address public owner; constructor(uint256 f, address o) { fee = f; owner = o; } }"
PROXY = """
contract ERC1967Proxy {
    constructor(address implementation, bytes memory) payable {
        assembly { sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, implementation) }
    }
    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let done := delegatecall(gas(), sload(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(done) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}
"""
LOGIC = """
contract Logic {
    uint256 public constant version = 1;
    function proxiableUUID() external pure returns (bytes32) { return 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc; }
    function upgradeToAndCall(address implementation, bytes calldata) external payable {
        assembly { sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, implementation) }
    }
}
"""
UNITS = """
[contracts.Router]
source = "src/Router.sol:Router"
args = [7, "${deployer}"]
create3 = "acme.router.v1"

[contracts.Guarded]
source = "src/Router.sol:Router"
args = [8, "${deployer}"]
create2 = "acme.guarded.v1"
sender-guard = true

[contracts.Logic]
source = "src/Logic.sol:Logic"
proxy = "uups"
create3 = "acme.logic.v1"

[checks.fee]
on = "${contracts.Router}"
call = "fee()(uint256)"
equals = 7
"""
SOURCES = {"src/Router.sol": ROUTER, "src/Logic.sol": LOGIC, "src/Proxy.sol": PROXY}


def expected(salt: str) -> str:
    return create3_address(guard(sender_salt(DEPLOYER, keccak256(salt.encode())), DEPLOYER, 31337).salt)


def send(rpc: Rpc, data: bytes) -> None:
    """To CreateX, from the deployer; mined when it returns."""
    sent = rpc.read("eth_sendTransaction", [{"from": DEPLOYER, "to": CREATEX, "input": "0x" + data.hex()}])
    while rpc.read("eth_getTransactionReceipt", [sent]) is None:
        SystemClock().sleep_s(0.02)


def code_at(rpc: Rpc, address: str) -> bytes:
    return bytes.fromhex(str(rpc.read("eth_getCode", [address, "latest"]))[2:])


@pytest.fixture
def with_createx(anvil: Callable[..., Any]) -> Any:
    node = anvil()
    node.rpc("anvil_setBalance", PRESIGNED_SIGNER, hex(PRESIGNED_COST_WEI))
    assert deploy_createx(Rpc([Endpoint(node.url)]), SystemClock(), currency="ether", wait_s=10, poll_s=0.02)
    return node


def test_the_presigned_transaction_puts_the_real_createx_at_its_address(with_createx: Any) -> None:
    rpc = Rpc([Endpoint(with_createx.url)])
    assert "0x" + keccak256(code_at(rpc, CREATEX)).hex() == CREATEX_CODE_HASH
    assert look_for_createx(rpc).state == "there"
    assert not deploy_createx(rpc, SystemClock(), currency="ether", wait_s=10, poll_s=0.02)


def test_without_money_the_presigned_transaction_is_refused_with_what_is_missing(anvil: Callable[..., Any]) -> None:
    rpc = Rpc([Endpoint(anvil().url)])
    with pytest.raises(PresignedUnusable, match=r"needs 0\.3 ether") as refused:
        deploy_createx(rpc, SystemClock(), currency="ether", wait_s=1, poll_s=0.02)
    assert refused.value.exit_code == 2


def test_other_code_at_createxs_address_needs_a_person(anvil: Callable[..., Any]) -> None:
    node = anvil()
    node.rpc("anvil_setCode", CREATEX, "0x00")
    with pytest.raises(NeedsPerson):
        look_for_createx(Rpc([Endpoint(node.url)]))


@pytest.mark.parametrize(
    "salt",
    [
        pytest.param(address_bytes(DEPLOYER) + b"\0" + b"acme.router", id="sender"),
        pytest.param(address_bytes(DEPLOYER) + b"\1" + b"acme.router", id="sender, this chain"),
        pytest.param(bytes(20) + b"\0" + b"acme.router", id="nobody"),
        pytest.param(bytes(20) + b"\1" + b"acme.router", id="nobody, this chain"),
        pytest.param(keccak256(b"acme.router"), id="hash"),
        pytest.param(address_bytes(OTHER) + b"\0" + b"acme.router", id="another sender"),
    ],
)
def test_addresses_are_those_the_real_createx_gives(with_createx: Any, salt: bytes) -> None:
    predicted = create3_address(guard(salt, DEPLOYER, 31337).salt)
    init_code = bytes.fromhex("6001600c60003960016000f300")
    rpc = Rpc([Endpoint(with_createx.url)])
    send(rpc, deploy_create3(salt, init_code))
    assert code_at(rpc, predicted)


@pytest.mark.parametrize("owner", [address_bytes(DEPLOYER), bytes(20)])
def test_salts_createx_reverts_on_are_refused_before(with_createx: Any, owner: bytes) -> None:
    from chains.evm.createx import SaltRefused
    from chains.rpc import RpcFault

    salt = owner + b"\2" + b"acme.router"
    with pytest.raises(SaltRefused):
        guard(salt, DEPLOYER, 31337)
    call = {"from": DEPLOYER, "to": CREATEX, "input": "0x" + deploy_create3(salt, b"\0").hex()}
    with pytest.raises(RpcFault):
        with_createx.rpc("eth_call", call, "latest")


def test_contracts_come_to_the_address_of_their_salt_proven_and_only_once(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    assert outcome.sent == 4
    assert outcome.units["Router"].address == expected("acme.router.v1")
    assert outcome.units["Logic"].address == expected("acme.logic.v1")
    assert {u.state for u in outcome.units.values()} == {"proven"}
    proofs = {p["action"]: p for p in project.record()["proofs"]}
    assert {p["reexecution"] for p in proofs.values()} == {"match"}
    again, said = project.deploy()
    assert (again.exit_code, again.sent) == (0, 0), said


def test_new_code_behind_a_proxy_keeps_its_create3_address(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    project.deploy()
    project.edit("src/Logic.sol", "version = 1", "version = 2")
    project.edit("ship.toml", '"1.0.0"', '"1.1.0"')
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (0, 2), said
    assert outcome.units["Logic"].address == expected("acme.logic.v1")


def test_new_code_at_a_taken_create3_address_is_refused(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    project.deploy()
    project.edit("ship.toml", "args = [7,", "replace = true\nargs = [9,")
    project.edit("ship.toml", "equals = 7", "equals = 9")
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (2, 0)
    assert "SHIP-E06" in said
    assert "another `create3` salt" in said


def _deploy_by_hand(project: Any, fee: int, owner: str = DEPLOYER) -> None:
    """The router at the unit's own address, by the deployer but outside ship."""
    from eth_abi.abi import encode

    from pipeline.building import build_bundle
    from pipeline.manifest.project import load_project
    from pipeline.manifest.target import load_target
    from pipeline.making import recipe

    loaded = load_project(project.root)
    bundle = build_bundle(recipe(loaded, [load_target(loaded, "local")])).bundle
    init_code = bundle.artifact("Router").creation_code + encode(["uint256", "address"], [fee, owner])
    salt = sender_salt(DEPLOYER, keccak256(b"acme.router.v1"))
    with project.chain() as rpc:
        send(rpc, deploy_create3(salt, init_code))
        assert code_at(rpc, expected("acme.router.v1"))


def test_the_same_contract_already_there_is_adopted(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    _deploy_by_hand(project, 7)
    outcome, said = project.deploy()
    assert outcome.exit_code == 0, said
    assert outcome.units["Router"].state == "adopted"
    assert outcome.sent == 3


@pytest.mark.parametrize(
    ("fee", "owner"), [pytest.param(9, DEPLOYER, id="an immutable"), pytest.param(7, OTHER, id="only in storage")]
)
def test_the_same_code_made_with_other_arguments_needs_a_person(
    small: Callable[..., Any], fee: int, owner: str
) -> None:
    project = small(UNITS, SOURCES)
    _deploy_by_hand(project, fee, owner)
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (4, 0), said
    assert "SHIP-E62" in said


def test_other_code_at_the_address_needs_a_person(small: Callable[..., Any]) -> None:
    project = small(UNITS, SOURCES)
    with project.chain() as rpc:
        rpc.read("anvil_setCode", [expected("acme.router.v1"), "0x6000"])
    outcome, said = project.deploy()
    assert (outcome.exit_code, outcome.sent) == (4, 0), said


def test_a_chain_without_createx_is_refused_with_the_way_to_get_it(
    small: Callable[..., Any], anvil: Callable[..., Any]
) -> None:
    node = anvil()
    project = small(UNITS, SOURCES)
    project.write(
        **{"manifests/bare.toml": f'schema = 1\nextends = "builtin:local"\n[rpc]\nendpoints = ["{node.url}"]\n'}
    )
    outcome, said = project.deploy("bare")
    assert (outcome.exit_code, outcome.sent) == (2, 0)
    assert "SHIP-E61" in said
    assert "ship createx" in said


def test_the_first_contract_of_a_create3_proxy_lies_where_ethereum_puts_it() -> None:
    # CREATE3's proxy is a contract: its first CREATE has nonce 1 (EIP-161).
    guarded = guard(sender_salt(DEPLOYER, bytes(11)), DEPLOYER, 1)
    from chains.evm.createx import create3_proxy

    assert create3_address(guarded.salt) == create_address(create3_proxy(guarded.salt), 1)
    assert guarded.sender_only
    assert not guarded.chain_only
