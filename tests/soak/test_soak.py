"""Random faults, kills and reorganizations, seed by seed: oracles O1–O7 hold in all (faults.md).

    scripts/soak                      200 runs
    SOAK_RUNS=1000 SOAK_FIRST=5000 scripts/soak

A few runs belong to the ordinary suite. Each prints its seed; ``SOAK_FIRST=<seed> SOAK_RUNS=1`` plays one again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.soak import Soak
from tests.support.zygote import Zygote, zygote

RUNS = int(os.environ.get("SOAK_RUNS", "200"))
FIRST = int(os.environ.get("SOAK_FIRST", "1"))
SHORT = range(9001, 9007)


@pytest.fixture(scope="session")
def runners() -> Iterator[Zygote]:
    with zygote() as running:
        yield running


@pytest.mark.parametrize("seed", SHORT)
def test_a_short_soak(tmp_path: Path, runners: Zygote, seed: int) -> None:
    print(Soak(seed, tmp_path, runners).run())


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_soak(tmp_path: Path, runners: Zygote, seed: int) -> None:
    print(Soak(seed, tmp_path, runners).run())


@pytest.mark.parametrize("seed", range(9101, 9104))
def test_control_a_journal_written_after_sending_fails_the_soak(tmp_path: Path, runners: Zygote, seed: int) -> None:
    """Otherwise the oracles would prove nothing."""
    with pytest.raises(AssertionError, match=r"O[1-7]"):
        Soak(seed, tmp_path, runners, late=True).run()
