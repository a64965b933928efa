"""``deployments/<target>/signing/``: requests as ``NAME.json``, what came back as ``NAME.signed.json``."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Where
from chains.evm.transaction import decode_signed
from pipeline.signing.offline.files import FileRefused, Request, read_request, read_signed

__all__ = ["requests_of", "signed_in"]


def requests_of(folder: Path, plan: str) -> list[tuple[Path, Request]]:
    """The requests of the plan with this digest, newest first. Raises ``FileRefused``."""
    found = []
    for path in folder.glob("*.json"):
        if path.name.endswith(".signed.json"):
            continue
        request = read_request(path)
        if request.plan.digest == plan:
            found.append((path, request))
    return sorted(found, key=lambda pair: pair[1].created_at, reverse=True)


def signed_in(folder: Path) -> dict[bytes, bytes]:
    """Every signed transaction in ``folder``, by the hash it signs. Raises ``FileRefused``."""
    found: dict[bytes, bytes] = {}
    for path in sorted(folder.glob("*.signed.json")):
        for _, raw in read_signed(path).transactions:
            try:
                found[decode_signed(raw)[0].signing_hash()] = raw
            except ValueError as error:
                raise FileRefused(
                    f"something in this file is no signed transaction: {error}",
                    where=Where(str(path)),
                    remedy="Bring the file over again, or remove it.",
                ) from error
    return found
