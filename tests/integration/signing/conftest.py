"""Services of the signing tests, one of each for a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.ministack import Ministack, ministack
from tests.support.service_proxy import ServiceProxy, service_proxy


@pytest.fixture(scope="module")
def stack() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture
def proxy(stack: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceProxy]:
    """What ``ship`` is shown of ministack, with the credentials of a person in the environment."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    with service_proxy(stack.url) as running:
        yield running
