"""Contracts of every kind to verify, compiled with real compilers and put on a real chain; and what can be wrong with a source."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chains.evm.address import CREATE2_FACTORY, checksum, create2_address, keccak256
from tests.support.anvil import DEPLOYER, Anvil
from tests.support.explorers.compiling import Worker

__all__ = ["KINDS", "Specimen", "Specimens"]

SOLC = {
    "0.8": "v0.8.37+commit.f401782d",
    "0.6": "v0.6.6+commit.6c089d02",
    "0.5": "v0.5.16+commit.9c3226ce",
}
_HEAD = "// SPDX-License-Identifier: MIT\n"
_SOURCES = {
    "src/Box.sol": """pragma solidity >=0.5.0;
contract Box {
    address public owner;
    uint256 public value;
    constructor(address owner_, uint256 value_) public { owner = owner_; value = value_; }
    function set(uint256 value_) external { require(msg.sender == owner, "owner"); value = value_; }
}
""",
    "src/Fixed.sol": """pragma solidity ^0.8.0;
import {Half} from "./Half.sol";
contract Fixed is Half {
    uint256 public immutable number;
    address public immutable maker = msg.sender;
    constructor(uint256 number_) { number = number_; }
    function halved() external view returns (uint256) { return half(number); }
}
""",
    "src/Half.sol": """pragma solidity ^0.8.0;
abstract contract Half { function half(uint256 n) public pure returns (uint256) { return n / 2; } }
""",
    "src/Linked.sol": """pragma solidity ^0.8.0;
library Sum {
    function calc(uint256[] memory values) public pure returns (uint256 total) {
        for (uint256 i = 0; i < values.length; ++i) total += values[i];
    }
}
contract Linked { function sum(uint256[] calldata values) external pure returns (uint256) { return Sum.calc(values); } }
""",
    "src/Factory.sol": """pragma solidity ^0.8.0;
contract Child {
    address public immutable parent = msg.sender;
    uint256 public number;
    constructor(uint256 number_) { number = number_; }
}
contract Factory {
    Child public last;
    function make(uint256 number) external returns (Child) { last = new Child(number); return last; }
}
""",
    "src/Proxy.sol": """pragma solidity ^0.8.0;
contract Proxy {
    constructor(address implementation) {
        assembly { sstore(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc, implementation) }
    }
    fallback() external payable {
        assembly {
            calldatacopy(0, 0, calldatasize())
            let to := sload(0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc)
            let ok := delegatecall(gas(), to, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok case 0 { revert(0, returndatasize()) } default { return(0, returndatasize()) }
        }
    }
}
""",
}
KINDS = ("plain", "old", "older", "immutables", "library", "linked", "via-ir", "create2", "factory", "child", "proxy")


@dataclass(frozen=True)
class Specimen:
    """A contract on chain, and what verifies it. ``transaction`` made it; ``contract`` is ``path:Name``."""

    address: str
    contract: str
    compiler: str
    standard_json: Mapping[str, Any]
    arguments: bytes
    transaction: str

    @property
    def path(self) -> str:
        return self.contract.rpartition(":")[0]

    def with_comment(self) -> Specimen:
        """The same code with another metadata hash."""
        return self._with_text(lambda text: text + "// a comment that was not there\n")

    def with_other_code(self) -> Specimen:
        """A source that compiles, to other code."""
        head = re.compile(rf"((?:contract|library) {self.contract.rpartition(':')[2]}\b[^{{]*{{)")
        return self._with_text(lambda text: head.sub(r"\1 function extra() external {}", text))

    def that_does_not_compile(self) -> Specimen:
        return self._with_text(lambda text: text.replace("contract", "contrakt"))

    def with_name(self, name: str) -> Specimen:
        return replace(self, contract=f"{self.path}:{name}")

    def with_arguments(self, arguments: bytes) -> Specimen:
        return replace(self, arguments=arguments)

    def _with_text(self, change: Any) -> Specimen:
        document = copy.deepcopy(dict(self.standard_json))
        document["sources"][self.path]["content"] = change(document["sources"][self.path]["content"])
        assert document != self.standard_json
        return replace(self, standard_json=document)


class Specimens:
    """Puts specimens on a chain. Each kind of ``KINDS`` is made by one method call, as often as one likes."""

    def __init__(self, worker: Worker, chain: Anvil) -> None:
        self._worker = worker
        self.chain = chain
        self._salts = 0

    def make(self, kind: str, number: int = 7) -> Specimen:
        """``number`` gives the contract something of its own, where its constructor takes one."""
        if kind == "child":
            return self._child(number)
        box = ("src/Box.sol:Box", _address(DEPLOYER) + _uint(number))
        recipes: dict[str, tuple[str, bytes, dict[str, Any]]] = {
            "plain": (*box, {}),
            "old": (*box, {"solc": "0.6"}),
            "older": (*box, {"solc": "0.5"}),
            "via-ir": (*box, {"viaIR": True}),
            "create2": ("src/Fixed.sol:Fixed", _uint(number), {"create2": True}),
            "immutables": ("src/Fixed.sol:Fixed", _uint(number), {}),
            "library": ("src/Linked.sol:Sum", b"", {}),
            "factory": ("src/Factory.sol:Factory", b"", {}),
        }
        if kind == "linked":
            library = self.make("library")
            linked = {"src/Linked.sol": {"Sum": library.address}}
            return self._put("src/Linked.sol:Linked", b"", libraries=linked)
        if kind == "proxy":
            return self._put("src/Proxy.sol:Proxy", _address(self.make("plain", number).address))
        contract, arguments, settings = recipes[kind]
        return self._put(contract, arguments, **settings)

    def crowd(self, count: int) -> list[Specimen]:
        """As many contracts, each with a source of its own."""
        arguments = _address(DEPLOYER) + _uint(0)
        return [self._put("src/Box.sol:Box", arguments, name=f"Box{number}") for number in range(count)]

    def _child(self, number: int) -> Specimen:
        factory = self.make("factory")
        sent = self.chain.send(
            **{"from": DEPLOYER, "to": factory.address, "data": "0x" + _selector("make(uint256)", number)}
        )
        last = self.chain.call("eth_call", {"to": factory.address, "data": "0x" + _selector("last()")}, "latest")
        address, transaction = checksum(bytes.fromhex(last[-40:])), sent["transactionHash"]
        return replace(
            factory,
            address=address,
            contract="src/Factory.sol:Child",
            arguments=_uint(number),
            transaction=transaction,
        )

    def _put(
        self,
        contract: str,
        arguments: bytes,
        *,
        solc: str = "0.8",
        create2: bool = False,
        name: str | None = None,
        **settings: Any,
    ) -> Specimen:
        path, _, given = contract.rpartition(":")
        compiler, document = SOLC[solc], _standard_json(path, solc, settings)
        if name is None:
            name = given
        else:
            text = document["sources"].pop(path)["content"].replace(f"contract {given}", f"contract {name}")
            path = f"src/{name}.sol"
            document["sources"][path] = {"content": text}
        output = self._worker.compile(compiler, document)
        code = bytes.fromhex(output["contracts"][path][name]["evm"]["bytecode"]["object"]) + arguments
        data, to = code, {}
        if create2:
            self._salts += 1
            data, to = _uint(self._salts) + code, {"to": CREATE2_FACTORY}
        sent = self.chain.send(**{"from": DEPLOYER, "data": "0x" + data.hex(), "gas": hex(5_000_000), **to})
        assert sent["status"] == "0x1", contract
        address = create2_address(CREATE2_FACTORY, data[:32], code) if create2 else checksum(sent["contractAddress"])
        return Specimen(address, f"{path}:{name}", compiler, document, arguments, sent["transactionHash"])


def _standard_json(path: str, solc: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The contract's own sources alone, as a build would hand them in."""
    texts = {path: _SOURCES[path]} | ({"src/Half.sol": _SOURCES["src/Half.sol"]} if path == "src/Fixed.sol" else {})
    if solc == "0.8":  # since 0.7 a constructor has no visibility
        texts = {name: text.replace(") public { owner", ") { owner") for name, text in texts.items()}
    return {
        "language": "Solidity",
        "sources": {name: {"content": _HEAD + text} for name, text in texts.items()},
        "settings": {
            "optimizer": {"enabled": True, "runs": 200},
            "evmVersion": {"0.8": "cancun", "0.6": "istanbul", "0.5": "istanbul"}[solc],
            "outputSelection": {"*": {"*": ["abi", "metadata", "evm.bytecode", "evm.deployedBytecode"]}},
            **settings,
        },
    }


def _uint(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _address(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def _selector(signature: str, *numbers: int) -> str:
    return keccak256(signature.encode())[:4].hex() + b"".join(map(_uint, numbers)).hex()
