"""Slots that may stay unexplained, by name: ``[review] allow-slots`` of ship.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.review.state import State

__all__ = ["allowed_slots", "not_allowed"]


def allowed_slots(state: State, patterns: Sequence[str]) -> dict[str, list[int]]:
    """By address, the unexplained slots that a pattern ``ACCOUNT:0xSLOT`` or ``ACCOUNT:*`` names.

    ``ACCOUNT`` is a unit's name (``Vault``, ``Vault.implementation``) or an address.
    """
    allowed: dict[str, list[int]] = {}
    for account, slot in state.unexplained():
        for pattern in patterns:
            owner, _, place = pattern.rpartition(":")
            names = {account.address.lower(), account.name.lower()} - {""}
            if owner.lower() in names and (place == "*" or int(place, 16) == slot):
                allowed.setdefault(account.address, []).append(slot)
                break
    return allowed


def not_allowed(state: State, allowed: Mapping[str, Sequence[int]]) -> list[str]:
    """Each unexplained slot nobody allowed, as a pattern that would allow it."""
    return [
        f"{account.name or account.address}:0x{slot:064x}"
        for account, slot in state.unexplained()
        if slot not in allowed.get(account.address, ())
    ]
