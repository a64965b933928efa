"""The yes of the person at the machine with the key."""

from __future__ import annotations

import sys

import click

from chains.errors import Refused

__all__ = ["NotConfirmed", "confirmed"]


class NotConfirmed(Refused):
    """SHIP-O07: nobody at the machine with the key said yes."""

    code = "SHIP-O07"


def confirmed(count: int, *, yes: bool) -> None:
    """Raises ``NotConfirmed`` unless somebody says yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(
            "signing needs a yes, and there is no terminal to ask on",
            done="Nothing was signed.",
            remedy="Run it on a terminal, or with --yes once the summary was read.",
        )
    if not click.confirm(f"Sign {'this transaction' if count == 1 else f'these {count} transactions'}?", err=True):
        raise NotConfirmed("it was not confirmed", done="Nothing was signed.", remedy="Run again when it is right.")
