"""Amounts are exact: what is written comes back, and nothing is rounded."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.manifest.amounts import AmountError, format_wei, parse_wei

UINT256_MAX = 2**256 - 1


@settings(deadline=None)
@given(st.integers(0, UINT256_MAX))
def test_an_amount_reads_back_as_it_was_shown(wei: int) -> None:
    assert parse_wei(format_wei(wei)) == wei


@settings(deadline=None)
@given(st.integers(0, 10**30), st.text("0123456789", max_size=18), st.sampled_from(["wei", "gwei", "ether"]))
def test_decimals_are_exact(whole: int, fraction: str, unit: str) -> None:
    decimals = {"wei": 0, "gwei": 9, "ether": 18}[unit]
    text = f"{whole}.{fraction} {unit}" if fraction else f"{whole} {unit}"
    exact = Fraction(text.split(maxsplit=1)[0]) * 10**decimals
    if exact.denominator == 1 and exact <= UINT256_MAX:
        assert parse_wei(text) == int(exact)
    else:
        with pytest.raises(AmountError):
            parse_wei(text)


@pytest.mark.parametrize(
    ("text", "wei"),
    [("2 gwei", 2 * 10**9), ("0.05 ether", 5 * 10**16), ("10 wei", 10), ("1.5 gwei", 1_500_000_000), (7, 7), (0, 0)],
)
def test_examples(text: str | int, wei: int) -> None:
    assert parse_wei(text) == wei


@settings(deadline=None)
@given(st.one_of(st.text(), st.booleans(), st.none(), st.floats(), st.integers(max_value=-1)))
def test_anything_else_is_refused_or_in_range(value: object) -> None:
    try:
        wei = parse_wei(value)
    except AmountError:
        return
    assert 0 <= wei <= UINT256_MAX
