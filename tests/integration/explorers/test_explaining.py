"""Why code is not what was built, told from code that a real compiler made in every one of these ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from chains.evm.artifacts import Artifact
from chains.evm.verify.explaining import explain
from chains.evm.verify.metadata import read_metadata
from pipeline.building import Built

Project = Callable[..., Path]
Compile = Callable[..., Artifact]

SOURCE = """// SPDX-License-Identifier: MIT
pragma solidity >=0.6.0;
library Sums { function sum(uint256[] calldata a) external pure returns (uint256 s) {
    for (uint256 i = 0; i < a.length; i++) s += a[i]; } }
contract Till {
    uint256 public immutable rate;
    address public immutable owner;
    uint256[] private paid;
    constructor(uint256 rate_, address owner_) public { rate = rate_; owner = owner_; }
    function pay(uint256 amount) external { require(amount > 0, "nothing"); paid.push(amount * rate); }
    function total() external view returns (uint256) { return Sums.sum(paid); }
}
"""
FOUNDRY = (
    '[profile.default]\nsolc = "{solc}"\nevm_version = "{evm}"\noptimizer = {optimizer}\noptimizer_runs = 200\n{more}'
)


@pytest.fixture
def compiled(project: Project, make_bundle: Callable[..., Built]) -> Compile:
    def compile_(
        source: str = SOURCE, *, solc: str = "0.8.37", evm: str = "cancun", optimizer: str = "true", more: str = ""
    ) -> Artifact:
        name = f"p{abs(hash((source, solc, evm, optimizer, more)))}"
        foundry = FOUNDRY.format(solc=solc, evm=evm, optimizer=optimizer, more=more)
        root = project({"src/Till.sol": source}, name=name, foundry=foundry)
        return make_bundle(root, "src/Till.sol:Till").bundle.artifact("src/Till.sol:Till")

    return compile_


LIBRARY = bytes.fromhex("aa" * 20)


def on_chain(artifact: Artifact, *, library: bytes = LIBRARY, rate: int = 7) -> bytes:
    """Runtime code as the constructor leaves it: the library's address and the immutables' values in their places."""
    code = bytearray(artifact.runtime_code)
    for places in artifact.runtime_links.values():
        for place in places:
            code[place.start : place.stop] = library
    for number, places in enumerate(artifact.immutables.values()):
        for place in places:
            code[place.start : place.stop] = (rate + number).to_bytes(place.length, "big")
    return bytes(code)


def libraries(artifact: Artifact) -> dict[str, bytes]:
    return dict.fromkeys(artifact.runtime_links, LIBRARY)


def test_every_kind_of_difference_is_told(compiled: Compile) -> None:
    ours = compiled()
    mine = libraries(ours)
    assert len(ours.immutables) == 2
    assert ours.runtime_links
    same = on_chain(ours)
    assert explain(ours, mine, same).why == "same"

    metadata = explain(ours, mine, on_chain(compiled(SOURCE.replace("contract Till", "/* a till */ contract Till"))))
    assert metadata.why == "metadata"
    assert "a comment" in metadata.text

    library = explain(ours, mine, on_chain(ours, library=bytes.fromhex("bb" * 20)))
    assert library.why == "library"
    assert "Sums is 0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" in library.text

    immutables = explain(ours, mine, on_chain(ours, rate=8), rerun=same)
    assert immutables.why == "immutables"
    assert "2 immutables of 2 have another value" in immutables.text
    assert "08, not 0x" in immutables.text

    compiler = explain(ours, mine, on_chain(compiled(solc="0.6.6", evm="istanbul")))
    assert compiler.why == "compiler"
    assert "solc 0.6.6, the build used 0.8.37" in compiler.text

    older = explain(ours, mine, on_chain(compiled(evm="paris")))
    assert older.why == "settings"
    assert "instructions up to" in older.text
    assert "evmVersion is cancun" in older.text

    unoptimized = explain(ours, mine, on_chain(compiled(optimizer="false")))
    assert unoptimized.why == "settings"
    assert "without the optimizer" in unoptimized.text

    other = explain(ours, mine, on_chain(compiled(SOURCE.replace("amount > 0", "amount > 1 && amount < 1e30"))))
    assert other.why == "code"
    assert f"{len(ours.runtime_code)} built" in other.text

    bare = explain(ours, mine, on_chain(compiled(more='bytecode_hash = "none"\ncbor_metadata = false\n')))
    assert bare.why == "metadata"
    assert "bytecode_hash or cbor_metadata" in bare.text


def test_the_compiler_is_read_from_the_code(compiled: Compile) -> None:
    found = read_metadata(compiled().runtime_code)
    assert found is not None
    assert found.solc == "0.8.37"
    assert found.hash is not None
    assert found.hash[0] == "ipfs"
    assert len(found.hash[1]) == 34
    old = read_metadata(compiled(solc="0.6.6", evm="istanbul").runtime_code)
    assert old is not None
    assert old.solc == "0.6.6"


def test_what_is_no_such_contract_at_all_is_told(compiled: Compile) -> None:
    ours = compiled()
    assert explain(ours, {}, b"").why == "nothing"
    to = bytes.fromhex("52908400098527886E0F7030069857D2E4169EE7")
    clone = bytes.fromhex("363d3d373d3d3d363d73") + to + bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    for code, why in ((clone, "clone"), (bytes.fromhex("ef0100") + to, "delegation")):
        explanation = explain(ours, {}, code)
        assert explanation.why == why
        assert "0x52908400098527886E0F7030069857D2E4169EE7" in explanation.text
