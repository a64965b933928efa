from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.solana_node import SolanaNode, solana_node


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaNode]:
    """One node for the tests that do not mind each other. Its slots end only when asked to."""
    with solana_node(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def node(tmp_path) -> Iterator[SolanaNode]:
    """A node of the test's own."""
    with solana_node(tmp_path / "node") as one:
        yield one
