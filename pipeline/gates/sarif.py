"""Slither's SARIF, made fit for code scanning: only the findings that count, each with its severity.

Slither gives every result the level ``warning``. SARIF 2.1.0, §3.27.10: ``error``, ``warning``, ``note``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from chains.files import write_atomic
from pipeline.gates.base import GateError

__all__ = ["filter_sarif"]

_LEVELS = {"high": "error", "medium": "warning"}


def filter_sarif(path: Path, impacts: Mapping[str, str], kept: Collection[str]) -> None:
    """Keep the results whose fingerprint is in ``kept``, at the level of their impact. Raises ``GateError``."""
    try:
        data = json.loads(path.read_bytes())
        for run in data["runs"]:
            results = [result for result in run["results"] if result["partialFingerprints"]["id"] in kept]
            for result in results:
                result["level"] = _LEVELS.get(impacts[result["partialFingerprints"]["id"]].lower(), "note")
            run["results"] = results
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GateError(
            f"Slither's SARIF report cannot be read ({type(error).__name__}: {error})",
            remedy="Use the version of Slither ship was tried with: `ship doctor` names it.",
        ) from error
    write_atomic(path, json.dumps(data, indent=1, ensure_ascii=False).encode())
