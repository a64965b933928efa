"""One S3-compatible service for all tests here; a bucket, a proxy without faults and credentials for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.s3 import S3Box, s3_box


@pytest.fixture(scope="session")
def _service() -> Iterator[S3Box]:
    with s3_box() as box:
        yield box


@pytest.fixture
def box(_service: S3Box, monkeypatch: pytest.MonkeyPatch) -> S3Box:
    for name, value in _service.service.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    _service.proxy.faults.clear()
    _service.proxy.log.clear()
    _service.proxy.on_put = None
    _service.proxy.unconditional = ""
    return _service
