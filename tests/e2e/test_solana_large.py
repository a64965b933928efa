"""A large program: as few transactions as its bytes allow, and killed again and again it is written once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.solana_large import WRITE_BYTES, large_project
from tests.support.solana_node import TOKEN_2022

pytestmark = pytest.mark.e2e


def _minimum(elf: bytes) -> int:
    """Writes of full packets; those of zeros alone are left out, for a new buffer holds zeros."""
    return sum(any(elf[at : at + WRITE_BYTES]) for at in range(0, len(elf), WRITE_BYTES))


def _exactly_the_minimum(project) -> None:
    """Minimum + 2 where one key pays and signs (create, deploy); with a key of its own, the authority's handover is the third, an
    extension before an upgrade the fourth."""
    minimum = _minimum(project.elf)
    done = project.deploy()
    assert done["sent"] == minimum + 2
    assert len(set(project.sent)) == len(project.signatures()) == minimum + 2
    project.hold_whole()
    assert project.deploy()["sent"] == 0


def test_as_few_transactions_as_the_bytes_allow(tmp_path: Path) -> None:
    with large_project(tmp_path) as project:
        assert _minimum(project.elf) == 100  # 100,312 bytes
        _exactly_the_minimum(project)


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_moments(tmp_path: Path, seed: int) -> None:
    with large_project(tmp_path, slot_ms=100) as project:
        assert project.killed(5, seed, within_s=1.5) >= 1  # a quick machine is done before the later ones strike
        project.hold_whole()


@pytest.mark.soak
def test_900_kb(tmp_path: Path) -> None:
    with large_project(tmp_path, size=900_000, built_in=TOKEN_2022) as project:
        assert _minimum(project.elf) == 890
        _exactly_the_minimum(project)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 4))
def test_900_kb_killed_ten_times(tmp_path: Path, seed: int) -> None:
    with large_project(tmp_path, size=900_000, built_in=TOKEN_2022, slot_ms=100) as project:
        assert project.killed(10, seed, within_s=3.0) >= 5
        project.hold_whole()
