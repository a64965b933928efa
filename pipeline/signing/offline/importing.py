"""What the other machine signed, checked and kept beside the request it answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused, Where
from chains.evm.lifecycle import TxState, fold
from chains.evm.transaction import UnsignedTransaction, decode_signed
from pipeline.journal import read_rows
from pipeline.lock import locked
from pipeline.manifest.families import NO_TIME_TO_CARRY, evm_target
from pipeline.manifest.project import load_project
from pipeline.plan import load_plan
from pipeline.session import unfinished_plan
from pipeline.signing.base import Assurance, EvmSigner
from pipeline.signing.offline.files import (
    FileRefused,
    Request,
    RequestedTransaction,
    Signed,
    read_bytes,
    read_signed,
    signed_path,
)
from pipeline.signing.offline.folder import requests_of
from pipeline.signing.offline.formats import read_cast_lines
from pipeline.signing.policy import PlanPolicy
from pipeline.state.local import ProjectState

__all__ = ["Imported", "import_signed"]


class NothingAsked(Refused):
    """SHIP-O06: nothing of the target waits for a signature of another machine."""

    code = "SHIP-O06"


@dataclass(frozen=True)
class Imported:
    """A signed transaction that was taken. ``hash`` is the one a node will know it by."""

    action: str
    nonce: int
    hash: str


@dataclass(frozen=True)
class _Given:
    """A signature that is already there, in the place of a backend: the shared path checks it."""

    address: str
    raw: bytes
    name: str = "offline"
    assurance: Assurance = "software"

    def sign_transaction(self, unsigned: UnsignedTransaction) -> bytes:
        return self.raw


def import_signed(root: Path, target_name: str, file: Path) -> list[Imported]:
    """Take every signed transaction of ``file``: what ``ship sign sign`` wrote, or raw transactions, one a line.

    Each has to be exactly one that was asked for, signed by the pinned key; all are checked before the first is kept.
    Raises ``FileRefused``, ``NothingAsked``, ``SignatureRejected``.
    """
    project = load_project(root)
    target = evm_target(project, target_name, *NO_TIME_TO_CARRY)
    state = ProjectState(project.root).target(target.name)
    answers, raws = _read(file)
    with locked(state.lock, f"ship sign import --chain {target.name}"):
        rows = read_rows(state.journal, state.journal.read_bytes())[0] if state.journal.exists() else []
        digest = unfinished_plan(rows)
        requests = requests_of(state.signing, digest) if digest else []
        if digest is None or not requests:
            raise NothingAsked(
                f"nothing of {target.name} waits for a signature of another machine",
                remedy=f"`ship deploy --chain {target.name}` plans, and writes what there is to sign.",
            )
        if answers is not None and answers not in {request.sha256 for _, request in requests}:
            raise _no(file, f"it answers the request {answers[:16]}, which is not one of the plan under way")
        load_plan(state.plan(digest), expected=digest)
        states = fold(rows, digest)
        taken: dict[Path, list[tuple[str, bytes]]] = defaultdict(list)
        imported = []
        for raw in raws:
            path, one = _checked(raw, requests, states, file)
            taken[path].append((one.action, raw))
            imported.append(one)
        for path, request in requests:
            if path in taken:
                _keep(signed_path(path), Signed(request.sha256, request.signer, tuple(taken[path])))
    return imported


def _read(file: Path) -> tuple[str | None, Sequence[bytes]]:
    """``(the request it answers, raw transactions)``."""
    data = read_bytes(file)
    if data.lstrip().startswith(b"{"):
        signed = read_signed(file)
        return signed.request, [raw for _, raw in signed.transactions]
    try:
        return None, read_cast_lines(data.decode("ascii"))
    except ValueError as error:
        raise _no(file, str(error)) from error


def _checked(
    raw: bytes, requests: Sequence[tuple[Path, Request]], states: Mapping[str, TxState], file: Path
) -> tuple[Path, Imported]:
    try:
        signing_hash = decode_signed(raw)[0].signing_hash()
    except ValueError as error:
        raise _no(file, f"something in it is no signed transaction: {error}") from error
    for path, request in requests:
        for asked in request.transactions:
            if asked.unsigned.signing_hash() != signing_hash:
                continue
            if not _wanted(asked, states.get(asked.action, TxState(asked.action))):
                raise _no(
                    file,
                    f"{asked.action} was asked for anew with other fees since: this signature would never be sent by ship, "
                    "but whoever has it can send it",
                )
            action = next(a for a in request.plan.body.actions if a.id == asked.action)
            signer = EvmSigner(_Given(request.signer, raw), PlanPolicy.of(request.plan.body))
            signed = signer.sign(asked.unsigned, action)
            return path, Imported(asked.action, asked.unsigned.nonce, signed.hash)
    raise _no(file, "it holds a transaction that nobody asked to sign: another payload, or other fees")


def _wanted(asked: RequestedTransaction, state: TxState) -> bool:
    """Whether the journal has reserved exactly this, has used it already, or waits for a replacement."""
    return asked.replaces or state.fees == asked.unsigned.fees


def _keep(path: Path, signed: Signed) -> None:
    """Beside what was taken before."""
    before = dict(read_signed(path).transactions) if path.exists() else {}
    merged = {**before, **dict(signed.transactions)}
    Signed(signed.request, signed.signer, tuple(merged.items())).write(path)


def _no(file: Path, why: str) -> FileRefused:
    return FileRefused(
        f"this file is refused: {why}",
        where=Where(str(file)),
        remedy="Nothing was taken. Have the request signed that `ship deploy` named.",
    )
