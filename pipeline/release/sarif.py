"""Slither's SARIF report, where the gate that the record speaks of kept it on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chains.jsontext import read_json
from pipeline.fingerprints import file_digests
from pipeline.gates.cache import GateCache

__all__ = ["kept_sarif"]

_NAME = "slither.sarif"


def kept_sarif(work: Path, record: Mapping[str, Any]) -> bytes | None:
    """The report of the very gate result in ``record``, if its files are as the gate left them. ``work`` is ``.ship``."""
    judged = {gate["judged"] for gate in record["gates"] if _NAME in gate["files"]}
    cache = GateCache(work / "cache" / "gates", work / "gates", work.parent)
    for path in sorted(cache.folder.glob("slither-*.json")):
        try:
            entry = read_json(path.read_bytes())
            home = cache.kept / path.stem[: len("slither-") + 16]
            if entry["judged"] in judged and file_digests(home, entry["files"]) == entry["files"]:
                return (home / _NAME).read_bytes()
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a cache is not evidence: what cannot be read is as good as not there
    return None
