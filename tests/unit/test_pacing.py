"""When to look next: never later than a regular block, at the fixed pace where blocks come irregularly."""

from __future__ import annotations

import random

import pytest

from chains.evm.node import Head
from chains.evm.sending.pacing import Pace

POLL_S = 1.5


def head(number: int, timestamp_s: int) -> Head:
    return Head(number, "0x" + "00" * 32, timestamp_s, 1, 30_000_000)


def watched(arrivals: list[tuple[int, int, float]], poll_s: float = POLL_S) -> Pace:
    pace = Pace(poll_s)
    for number, timestamp_s, at_s in arrivals:
        pace.saw(head(number, timestamp_s), at_s)
        pace.saw(head(number, timestamp_s), at_s + 0.1)
    return pace


REGULAR = [(100, 1_000, 50.9), (101, 1_012, 62.3), (102, 1_024, 74.6)]


def test_between_regular_blocks_nothing_is_asked() -> None:
    pace = watched(REGULAR)
    # Best phase seen: block 101, 62.3 for 1012. The next one, 1036, is due at 86.3.
    assert pace.pause_s(74.6) == pytest.approx(86.3 - POLL_S / 2 - 74.6)


def test_around_the_time_it_is_due_it_is_asked_for_often_and_then_as_ever() -> None:
    pace = watched(REGULAR)
    assert pace.pause_s(86.0) == POLL_S / 4
    assert pace.pause_s(87.0) == POLL_S / 4
    assert pace.pause_s(86.3 + POLL_S) == POLL_S


def test_a_slot_without_a_block_is_regular() -> None:
    pace = watched([*REGULAR, (103, 1_048, 98.5)])
    assert pace.pause_s(98.5) == pytest.approx(1_060 - (1_012 - 62.3) - POLL_S / 2 - 98.5)


@pytest.mark.parametrize(
    "arrivals",
    [
        pytest.param(REGULAR[:2], id="too few"),
        pytest.param([(1, 10, 1.0), (2, 17, 8.0), (3, 20, 11.0)], id="irregular"),
        pytest.param([(1, 10, 1.0), (5, 11, 2.0), (9, 12, 3.0)], id="several a second"),
        pytest.param([(1, 10, 60.0), (2, 11, 60.1), (3, 12, 60.2)], id="on demand, a second apart by timestamp alone"),
        pytest.param([*REGULAR, (90, 900, 80.0)], id="another branch"),
        pytest.param([*REGULAR, (103, 1_024, 80.0)], id="time that stands still"),
    ],
)
def test_what_is_not_regular_is_polled_as_ever(arrivals: list[tuple[int, int, float]]) -> None:
    pace = watched(arrivals)
    assert [pace.pause_s(at_s) for at_s in (0.0, 80.1, 90.0)] == [POLL_S] * 3


def test_a_chain_that_makes_blocks_on_demand_is_polled_as_ever() -> None:
    assert watched(REGULAR, poll_s=0.02).pause_s(74.6) == 0.02


def test_blocks_are_found_sooner_and_with_fewer_looks_than_at_a_fixed_pace() -> None:
    """Played through for 400 blocks of 12 s, with jitter and a slot left out now and then."""

    def play(regular: bool) -> tuple[int, float]:
        choice = random.Random(7)
        arrivals, slot = [], 0
        for number in range(400):
            slot += 2 if choice.random() < 0.03 else 1
            arrivals.append((number, 12 * slot, 12 * slot + 0.4 + choice.random() * 0.8))
        pace, now_s, looks, late_s, shown = Pace(POLL_S), 0.0, 0, 0.0, 0
        while shown < len(arrivals):
            looks += 1
            there = [a for a in arrivals[shown:] if a[2] <= now_s]
            if there:
                late_s += now_s - there[-1][2]
                shown = there[-1][0] + 1
                pace.saw(head(there[-1][0], there[-1][1]), now_s)
            now_s += (pace.pause_s(now_s) if regular else POLL_S) + 0.02
        return looks, late_s / len(arrivals)

    fixed_looks, fixed_late_s = play(regular=False)
    looks, late_s = play(regular=True)
    assert looks < fixed_looks * 0.7
    assert late_s < fixed_late_s * 0.5
