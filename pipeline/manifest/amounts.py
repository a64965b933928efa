"""Amounts of an EVM chain's native currency, exact: "0.05 ether", "1.5 gwei", "10 wei", or an integer of wei."""

from __future__ import annotations

import re

from pipeline.manifest.guards import UINT256_MAX

__all__ = ["AmountError", "format_wei", "parse_wei"]

_UNITS = {"wei": 0, "gwei": 9, "ether": 18}
_AMOUNT = re.compile(r"([0-9]{1,78})(?:\.([0-9]{1,78}))? ([a-z]+)")


class AmountError(ValueError):
    """Why a text is no amount."""


def parse_wei(value: object) -> int:
    """``value`` in wei. Raises ``AmountError`` for anything inexact, negative, or over 2^256-1."""
    if isinstance(value, int) and not isinstance(value, bool):
        wei = value
    elif isinstance(value, str):
        wei = _parse_text(value)
    else:
        raise AmountError("an amount is text with a unit, or an integer of wei")
    if wei < 0:
        raise AmountError("an amount cannot be negative")
    if wei > UINT256_MAX:
        raise AmountError("the amount is over 2^256-1 wei")
    return wei


def _parse_text(text: str) -> int:
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise AmountError("an amount is digits, one space and a unit")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    if unit not in _UNITS:
        raise AmountError("the unit is not one of wei, gwei, ether")
    decimals = _UNITS[unit]
    kept, lost = fraction[:decimals], fraction[decimals:]
    if lost.strip("0"):
        raise AmountError("the amount is finer than 1 wei")
    return int(whole + kept.ljust(decimals, "0"))


def format_wei(wei: int) -> str:
    """``wei`` in the largest unit that keeps it short, exactly; ``parse_wei`` reads it back."""
    for unit in ("ether", "gwei"):
        scale = 10 ** _UNITS[unit]
        whole, rest = divmod(wei, scale)
        digits = str(rest).zfill(_UNITS[unit]).rstrip("0")
        if len(digits) <= 6 and (whole or (rest and len(str(rest)) > _UNITS[unit] - 6)):
            return f"{whole}.{digits} {unit}" if digits else f"{whole} {unit}"
    return f"{wei} wei"
