"""The command line. Each command is a module of its own, imported only when it is called (start-up budget)."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Entry point of the ``ship`` command."""
    from pipeline.cli.group import ship
    from pipeline.cli.guard import guarded

    sys.exit(guarded(ship))
