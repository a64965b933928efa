"""One compiling process for all tests here, two chains, and contracts of every kind on the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.support.anvil import Anvil, anvil
from tests.support.explorers.compiling import Worker, worker
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.specimens import KINDS, Specimen, Specimens

SEPOLIA, BASE_SEPOLIA = 11155111, 84532
"""Ids that forge knows: for others it refuses to verify on Etherscan."""


@pytest.fixture(scope="session")
def compiling() -> Iterator[Worker]:
    with worker() as running:
        yield running


@pytest.fixture(scope="session")
def nodes() -> Iterator[dict[int, Anvil]]:
    with anvil("--chain-id", str(SEPOLIA)) as first, anvil("--chain-id", str(BASE_SEPOLIA)) as second:
        yield {SEPOLIA: first, BASE_SEPOLIA: second}


@pytest.fixture(scope="session")
def indexed(nodes: dict[int, Anvil]) -> dict[int, IndexedChain]:
    return {chain_id: IndexedChain(chain_id, node.url) for chain_id, node in nodes.items()}


@pytest.fixture(scope="session")
def specimens(compiling: Worker, nodes: dict[int, Anvil]) -> Specimens:
    return Specimens(compiling, nodes[SEPOLIA])


@pytest.fixture(scope="session")
def kinds(specimens: Specimens) -> Mapping[str, Specimen]:
    """One specimen of each kind."""
    return {kind: specimens.make(kind) for kind in KINDS}
