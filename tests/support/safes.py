"""Real Safe 1.4.1 contracts on an anvil, at their canonical addresses, and owners that sign."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from eth_abi.abi import encode

from chains.evm.address import CREATE2_FACTORY, checksum, create2_address, keccak256
from chains.rpc import Endpoint, RpcFault

NPM = Path(__file__).parents[1] / "projects" / "safe" / "node_modules"
MODULES = NPM / "@safe-global"
ACCOUNTS = (
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
    "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
)
"""anvil's first development accounts, unlocked there. The first is the deployer."""
ZERO = "0x" + "00" * 20
SAFE = "0x41675C099F32341bf84BFc5382aF534df5C7461a"
PROXY_FACTORY = "0x4e1DCf7AD4e460CfD30791CCC4F9c8a4f820ec67"
MULTISEND_CALL_ONLY = "0x9641d764fc13c8B624c04430C7356C1C7C8102e2"
SAFE_130 = "0x69f4D1788e39c87893C980c06EdF4b7f686e2938"
"""GnosisSafe 1.3.0, as the singleton factory puts it."""
_CONTRACTS = {
    SAFE: "Safe.sol/Safe.json",
    PROXY_FACTORY: "proxies/SafeProxyFactory.sol/SafeProxyFactory.json",
    MULTISEND_CALL_ONLY: "libraries/MultiSendCallOnly.sol/MultiSendCallOnly.json",
    SAFE_130: "GnosisSafe.sol/GnosisSafe.json",
}


def artifact(name: str) -> dict[str, Any]:
    package = NPM / "@gnosis.pm" if name.startswith("GnosisSafe") else MODULES
    folder = package / "safe-contracts" / "build" / "artifacts" / "contracts"
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


class Chain:
    """An anvil by URL: raw calls, transactions from unlocked accounts, time."""

    def __init__(self, url: str) -> None:
        self._endpoint = Endpoint(url)

    def ask(self, method: str, *params: Any) -> Any:
        answer = self._endpoint.batch([(method, list(params))])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def send(self, to: str | None, data: bytes, sender: str = ACCOUNTS[3], value_wei: int = 0) -> dict[str, Any]:
        request = {"from": sender, "input": "0x" + data.hex(), "value": hex(value_wei), "gas": hex(8_000_000)}
        if to:
            request["to"] = to
        return self.receipt(self.ask("eth_sendTransaction", request))

    def receipt(self, transaction: str) -> dict[str, Any]:
        """anvil may answer with nothing for a moment, also when it mines at once."""
        for _ in range(500):
            receipt: dict[str, Any] | None = self.ask("eth_getTransactionReceipt", transaction)
            if receipt is not None:
                assert receipt["status"] == "0x1", receipt
                return receipt
            time.sleep(0.01)
        raise AssertionError(f"{transaction} was not mined")

    def read(self, to: str, signature: str, types: list[str] = [], values: list[Any] = []) -> bytes:  # noqa: B006
        data = keccak256(signature.encode())[:4] + encode(types, values)
        return bytes.fromhex(self.ask("eth_call", {"to": to, "input": "0x" + data.hex()}, "latest")[2:])

    def code(self, address: str) -> bytes:
        return bytes.fromhex(self.ask("eth_getCode", address, "latest")[2:])

    def later(self, seconds: int) -> None:
        self.ask("evm_increaseTime", seconds)
        self.ask("evm_mine")

    def sign_typed(self, account: str, typed_data: dict[str, Any]) -> str:
        """By anvil's own wallet: an implementation of EIP-712 that shares nothing with ship's."""
        return str(self.ask("eth_signTypedData_v4", account, typed_data))


def call(signature: str, *values: Any) -> bytes:
    types = signature[signature.index("(") + 1 : -1]
    return keccak256(signature.encode())[:4] + encode(types.split(",") if types else [], list(values))


def install(chain: Chain) -> None:
    """The singleton factory by its presigned transaction, then Safe's contracts through it."""
    folder = MODULES / "safe-singleton-factory" / "artifacts" / str(int(chain.ask("eth_chainId"), 16))
    presigned = json.loads((folder / "deployment.json").read_text())
    if not chain.code(presigned["address"]):
        chain.send(presigned["signerAddress"], b"", value_wei=presigned["gasPrice"] * presigned["gasLimit"])
        chain.receipt(chain.ask("eth_sendRawTransaction", presigned["transaction"]))
    assert presigned["address"] != CREATE2_FACTORY
    for address, name in _CONTRACTS.items():
        init_code = bytes.fromhex(artifact(name)["bytecode"][2:])
        assert create2_address(presigned["address"], bytes(32), init_code) == address
        if not chain.code(address):
            chain.send(presigned["address"], bytes(32) + init_code)
            assert chain.code(address)


def new_safe(
    chain: Chain, owners: list[str], threshold: int, salt: int = 0, singleton: str = SAFE, handler: str = ZERO
) -> str:
    """A Safe proxy made by the canonical factory, of 1.4.1 unless another singleton is given.

    Without a ``handler`` it cannot sign as a contract.
    """
    setup = call(
        "setup(address[],uint256,address,bytes,address,address,uint256,address)",
        owners, threshold, ZERO, b"", handler, ZERO, 0, ZERO,
    )  # fmt: skip
    receipt = chain.send(PROXY_FACTORY, call("createProxyWithNonce(address,bytes,uint256)", singleton, setup, salt))
    created = keccak256(b"ProxyCreation(address,address)")
    log = next(log for log in receipt["logs"] if log["topics"][0] == "0x" + created.hex())
    return checksum(log["topics"][1][-40:])


def new_handler(chain: Chain) -> str:
    """A CompatibilityFallbackHandler 1.4.1: with it a Safe answers isValidSignature."""
    name = "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json"
    return checksum(chain.send(None, bytes.fromhex(artifact(name)["bytecode"][2:]))["contractAddress"])


def sign_as_safe(chain: Chain, safe: str, signer: str, signed_data: bytes) -> str:
    """The signature of ``safe``, a contract, of another Safe's transaction: one owner signs a SafeMessage of it.

    In the form Safe's tools hand around: the contract's 65 bytes, and what it is asked with behind them.
    """
    typed = {
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"}],
            "SafeMessage": [{"name": "message", "type": "bytes"}],
        },
        "primaryType": "SafeMessage",
        "domain": {"chainId": int(chain.ask("eth_chainId"), 16), "verifyingContract": safe},
        "message": {"message": "0x" + signed_data.hex()},
    }
    inner = bytes.fromhex(chain.sign_typed(signer, typed)[2:])
    head = bytes(12) + bytes.fromhex(safe[2:]) + (65).to_bytes(32, "big") + b"\0"
    return "0x" + (head + len(inner).to_bytes(32, "big") + inner).hex()
