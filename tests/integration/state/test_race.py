"""Runners in folders of their own race for one deployment, and are killed at it: it happens once, and no row is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.anvil import anvil
from tests.support.deployment import Rig
from tests.support.fault_proxy import fault_proxy
from tests.support.s3 import S3Box
from tests.support.state_race import Race


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with anvil() as node, fault_proxy(node.url) as proxy:
        yield Rig(node, proxy, tmp_path / "unused.jsonl").usual()


def _race(rig: Rig, box: S3Box, folder: Path, seed: int, runners: int, kills: int) -> None:
    race = Race(rig, box, folder / "race", seed, runners, kills)
    race.run()
    race.judge()
    assert race.killed > 0, "nobody was killed"
    print(f"seed {seed}: {runners} runners, {race.killed} kills, exits {dict(race.exits)}")


def test_four_runners_and_two_kills_make_one_deployment(rig: Rig, box: S3Box, tmp_path: Path) -> None:
    _race(rig, box, tmp_path, 1, runners=4, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1, 4))
def test_twenty_runners_and_ten_kills_make_one_deployment(rig: Rig, box: S3Box, tmp_path: Path, seed: int) -> None:
    _race(rig, box, tmp_path, seed, runners=20, kills=10)
