"""Plain lines, one an event: for pipes, CI logs and, on stderr, beside ``--json``."""

from __future__ import annotations

from typing import TextIO

from chains.errors import printable
from pipeline.manifest.secrets import redact

__all__ = ["PlainUi"]


_PASSING = {"reserved", "mined"}  # states too short-lived to be worth a line


class PlainUi:
    """Writes to ``stream``; never asks, so ``confirm`` answers ``None``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _line(self, text: str) -> None:
        print(redact(printable(text, 20_000)), file=self._stream, flush=True)

    def step_started(self, title: str) -> None:
        self._line(f"… {title}")

    def step_done(self, title: str, summary: str, seconds: float) -> None:
        self._line(f"✓ {title}: {summary} ({seconds:.1f} s)" if summary else f"✓ {title} ({seconds:.1f} s)")

    def step_skipped(self, title: str, reason: str) -> None:
        self._line(f"- {title}: skipped, {reason}")

    def step_failed(self, title: str, seconds: float) -> None:
        self._line(f"✗ {title} ({seconds:.1f} s)")

    def item(self, item: str, state: str, note: str = "") -> None:
        if state not in _PASSING:
            self._line(f"    {item}: {state}{', ' + note if note else ''}")

    def note(self, text: str) -> None:
        self._line(f"    {text}")

    def block(self, text: str) -> None:
        for line in text.splitlines():
            self._line(f"  {line}" if line else "")

    def confirm(self, question: str) -> bool | None:
        return None

    def close(self) -> None:
        self._stream.flush()
