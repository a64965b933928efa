"""Remembering which gates passed, over what. Only passes are remembered: a failure is always looked at again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import digest, pretty
from chains.files import write_atomic
from pipeline.fingerprints import file_digests
from pipeline.gates.base import GateResult, Verdict

__all__ = ["GateCache", "judged_digest"]


def judged_digest(gate: str, question: Mapping[str, Any], read: Mapping[str, str]) -> str:
    """Names what a gate judged: its question (bundle, settings, tests) and every other file it read."""
    return digest({"gate": gate, "question": dict(question), "read": dict(read)})


@dataclass(frozen=True)
class GateCache:
    """``folder`` is ``.ship/cache/gates``; ``root`` is what file names count from; ``kept`` is ``.ship/gates``."""

    folder: Path
    kept: Path
    root: Path

    def home(self, gate: str, question: Mapping[str, Any]) -> Path:
        """Where a gate leaves its files."""
        return self.kept / f"{gate}-{judged_digest(gate, question, {})[:16]}"

    def _entry(self, gate: str, question: Mapping[str, Any]) -> Path:
        return self.folder / f"{gate}-{judged_digest(gate, question, {})}.json"

    def find(self, gate: str, question: Mapping[str, Any]) -> GateResult | None:
        """The pass of an earlier run over the same bytes, if there was one and its files are as it left them."""
        try:
            entry = json.loads(self._entry(gate, question).read_bytes())
            read, files = entry["read"], entry["files"]
            home = self.home(gate, question)
            if entry["judged"] != judged_digest(gate, question, file_digests(self.root, read, text=True)):
                return None
            if file_digests(home, files) != files:
                return None
            return GateResult(
                name=gate,
                status="passed",
                summary=entry["summary"],
                details=tuple(entry["details"]),
                judged=entry["judged"],
                duration_s=entry["duration_ms"] / 1000,
                files=tuple(home / name for name in files),
                earlier=True,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def keep(self, gate: str, question: Mapping[str, Any], verdict: Verdict, result: GateResult) -> None:
        """Remember a pass; forget whatever was known when it is not one, or would not come out the same again."""
        path = self._entry(gate, question)
        if result.status != "passed" or not verdict.reusable:
            path.unlink(missing_ok=True)
            return
        home = self.home(gate, question)
        entry = {
            "schema": 1,
            "judged": result.judged,
            "summary": result.summary,
            "details": list(result.details),
            "duration_ms": round(result.duration_s * 1000),
            "read": dict(verdict.read),
            "files": file_digests(home, verdict.files),
        }
        write_atomic(path, pretty(entry))
