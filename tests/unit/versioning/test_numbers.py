"""The arithmetic of versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from pipeline.versioning.errors import GoesBack, VersionForm
from pipeline.versioning.numbers import CHANNELS, Level, core, next_version, ordered, raised, release_version

stables = st.builds(Version, st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
levels = st.sampled_from(Level)


@given(stables, levels, levels)
def test_a_higher_level_never_asks_for_less(base: Version, one: Level, other: Level) -> None:
    assert (raised(base, one) <= raised(base, other)) or one > other


@given(stables, levels)
def test_any_change_asks_for_more_and_none_for_nothing(base: Version, level: Level) -> None:
    assert (raised(base, level) > base) is (level is not Level.NONE)


@pytest.mark.parametrize(
    ("base", "level", "least"),
    [
        ("1.2.3", Level.MAJOR, "2.0.0"),
        ("1.2.3", Level.MINOR, "1.3.0"),
        ("1.2.3", Level.PATCH, "1.2.4"),
        # before 1.0.0 the minor number is what breaking changes raise
        ("0.2.3", Level.MAJOR, "0.3.0"),
        ("0.2.3", Level.MINOR, "0.2.4"),
        ("0.2.3", Level.PATCH, "0.2.4"),
    ],
)
def test_what_each_level_asks_for(base: str, level: Level, least: str) -> None:
    assert str(raised(Version.parse(base), level)) == least


@given(stables, st.sampled_from(CHANNELS), st.lists(st.integers(0, 200), unique=True))
def test_a_prerelease_comes_after_all_before_it_and_before_its_version(
    stable: Version, channel: str, numbers: list[int]
) -> None:
    released = [stable.replace(prerelease=f"{channel}.{number}") for number in numbers]
    following = next_version(stable, channel, released)
    assert all(before < following for before in released)
    assert following < stable
    assert core(following) == stable
    assert release_version(str(following)) == following


def test_candidates_are_counted_as_numbers() -> None:
    released = [Version.parse(f"1.2.0-rc.{number}") for number in (2, 9, 10)]
    assert str(next_version(Version(1, 2, 0), "rc", released)) == "1.2.0-rc.11"


def test_a_channel_below_the_one_reached_is_refused() -> None:
    released = [Version.parse("1.2.0-rc.1")]
    with pytest.raises(GoesBack, match=r"1\.2\.0-rc\.1, and beta\.N sorts below rc\.N"):
        next_version(Version(1, 2, 0), "beta", released)
    assert str(next_version(Version(1, 2, 0), "rc", [Version.parse("1.2.0-beta.4")])) == "1.2.0-rc.1"


@pytest.mark.parametrize("text", ["1.2.0-rc9", "1.2.0-rc.09", "1.2.0-dev.1", "1.2.0-rc", "1.2", "one"])
def test_what_cannot_be_put_in_order_is_refused(text: str) -> None:
    assert ordered(text) is None
    with pytest.raises(VersionForm):
        release_version(text)


def test_a_tag_is_read_with_its_v() -> None:
    assert ordered("v1.2.0-rc.3") == Version.parse("1.2.0-rc.3")
