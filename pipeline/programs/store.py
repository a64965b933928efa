"""The bytes of every program that was released or replaced, by digest: what a way back is made of."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from chains.errors import Refused, ShipError, Where
from chains.files import write_atomic
from chains.solana.release import SolanaAction
from pipeline.bundle import load_bundle
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession
from pipeline.session import accepted_plans

__all__ = ["ProgramBytesMissing", "bytes_source", "find_bytes", "keep_bytes"]


class ProgramBytesMissing(Refused):
    """SHIP-Q24: the bytes of a program are not on this machine."""

    code = "SHIP-Q24"


def _folder(session: ProgramSession) -> Path:
    return session.state.project.work / "programs"


def keep_bytes(session: ProgramSession, elf: bytes) -> Path:
    """Write them once, named by their sha256."""
    path = _folder(session) / f"{sha256(elf).hexdigest()}.so"
    if not path.exists():
        write_atomic(path, elf)
    return path


def find_bytes(session: ProgramSession, unit: str, file_sha256: str) -> bytes:
    """A program's bytes by their sha256: kept by themselves, or in the bundle of any accepted plan. Raises ``ProgramBytesMissing``."""
    path = _folder(session) / f"{file_sha256}.so"
    if path.is_file() and sha256(data := path.read_bytes()).hexdigest() == file_sha256:
        return data
    for digest in reversed(accepted_plans(session.rows)):
        try:
            elf = load_bundle(session.state.project.bundles, session.plan(digest).bundle).program(unit, "so")
        except ShipError:
            continue  # a bundle that is gone or damaged has no bytes to give; another may
        if elf is not None and sha256(elf).hexdigest() == file_sha256:
            return elf
    raise ProgramBytesMissing(
        f"the bytes of {unit} with sha256 {file_sha256[:16]}… are not here",
        where=Where(str(_folder(session))),
        remedy="Fetch the bundle of that release (it is an asset of its GitHub release) into .ship/bundles.",
    )


def bytes_source(session: ProgramSession, plan: ProgramPlan) -> Callable[[SolanaAction], bytes]:
    """What gives the bytes of each action of ``plan``, held to the digest the plan names; read once."""
    read: dict[str, bytes] = {}

    def bytes_of(action: SolanaAction) -> bytes:
        wanted = action.details["file_sha256"]
        if wanted not in read:
            read[wanted] = _read(session, plan, action, wanted)
        return read[wanted]

    return bytes_of


def _read(session: ProgramSession, plan: ProgramPlan, action: SolanaAction, wanted: str) -> bytes:
    if action.kind != "stage" and plan.rollback is None:
        elf = session.bundle(plan.bundle).program(action.unit, "so")
        if elf is not None and sha256(elf).hexdigest() == wanted:
            return elf
    return find_bytes(session, action.unit, wanted)
