"""Services of the secret stores, one of each for a module."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chains.errors import ShipError
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret
from tests.support.ministack import Ministack, ministack
from tests.support.openbao import OpenBao, openbao

VALUE = "canary-value-77ab3e"
Read = Callable[[str], str]


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    with openbao() as server:
        yield server


@pytest.fixture(scope="module")
def stack() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever runs the tests may be logged in somewhere."""
    for name in list(os.environ):
        if name.startswith(("VAULT_", "BAO_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    return lambda reference: resolve_secret(SecretRef(reference), default_stores(tmp_path)).reveal()


@pytest.fixture
def refused(read: Read) -> Callable[..., ShipError]:
    def check(reference: str, *words: str, code: str = "SHIP-M40", exit_code: int = 2) -> ShipError:
        with pytest.raises(ShipError) as caught:
            read(reference)
        error = caught.value
        assert (error.code, error.exit_code) == (code, exit_code), error.cause
        assert error.__suppress_context__
        assert VALUE not in json.dumps(error.to_json())
        assert "canary" not in json.dumps(error.to_json())
        for word in (reference, *words):
            assert word in error.cause, error.cause
        return error

    return check
