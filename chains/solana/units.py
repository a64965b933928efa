"""What a project wants on a Solana cluster: programs, instructions sent once, reads that must hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.errors import Refused

__all__ = ["CallUnit", "CheckUnit", "ProgramUnit", "SolanaUnits", "UnitsUnordered", "Unless"]


class UnitsUnordered(Refused):
    """SHIP-Q20: units wait for each other in a circle, or for one that this cluster does not get."""

    code = "SHIP-Q20"


@dataclass(frozen=True)
class ProgramUnit:
    """A program. ``may_extend``: its account may grow; ``room_bytes`` what a first deployment leaves room for, at least;
    ``staged``: the bytes that an upgrade replaces are kept ready in a buffer."""

    name: str
    program: str
    may_extend: bool = True
    room_bytes: int = 0
    staged: bool = False
    idl: bool = True
    security: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unless:
    """An account that makes a call unnecessary: that it is there, or that its ``field`` is ``equals``."""

    account: str
    type: str | None = None
    field: str | None = None
    equals: Any = None


@dataclass(frozen=True)
class CallUnit:
    """An instruction of a program of the project, sent once. Arguments and accounts by their names in the IDL."""

    name: str
    program: str
    instruction: str
    args: Mapping[str, Any] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    unless: Unless | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckUnit:
    """A field of an account, as the IDL of ``program`` reads it."""

    name: str
    program: str
    account: str
    type: str
    field: str
    equals: Any


@dataclass(frozen=True)
class SolanaUnits:
    """Of one project on one cluster."""

    programs: tuple[ProgramUnit, ...] = ()
    calls: tuple[CallUnit, ...] = ()
    checks: tuple[CheckUnit, ...] = ()

    def ordered(self) -> Iterator[ProgramUnit | CallUnit]:
        """Each after those it waits for, else as declared; a call waits for its own program. Raises ``UnitsUnordered``."""
        waiting: list[ProgramUnit | CallUnit] = [*self.programs, *self.calls]
        done: set[str] = set()
        while waiting:
            ready = next((unit for unit in waiting if set(_before(unit)) <= done), None)
            if ready is None:
                raise UnitsUnordered(
                    f"{', '.join(unit.name for unit in waiting)} wait for each other, or for a unit this cluster does not get",
                    remedy="Correct `after` in ship.toml.",
                )
            waiting.remove(ready)
            done.add(ready.name)
            yield ready


def _before(unit: ProgramUnit | CallUnit) -> Sequence[str]:
    return [*unit.after, unit.program] if isinstance(unit, CallUnit) else unit.after
