"""What holds for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.manifest.redaction import REDACTOR
from pipeline.secrets.kept import KEPT


@pytest.fixture(autouse=True)
def _secrets_of_a_test_are_forgotten_with_it() -> Iterator[None]:
    """A process of ``ship`` knows the secrets of one run. What one test's run hid is no secret in the next."""
    spellings, pattern = set(REDACTOR._spellings), REDACTOR._pattern
    yield
    KEPT.forget()
    REDACTOR._spellings, REDACTOR._pattern = spellings, pattern
