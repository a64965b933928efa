"""The ``offline`` backend: gives signatures that another machine made, and none that it did not.

Requests and what came back lie in ``deployments/<target>/signing/``. What is found there is held against the asked
transaction and the pinned address by ``pipeline.signing.base`` like any backend's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from chains.errors import Resumable
from chains.evm.transaction import UnsignedTransaction
from pipeline.signing.base import Assurance
from pipeline.signing.context import SignerContext
from pipeline.signing.offline.files import signed_path
from pipeline.signing.offline.folder import signed_in
from pipeline.state.local import ProjectState

__all__ = ["AwaitingSignatures", "OfflineBackend", "evm_address", "open_evm"]


class AwaitingSignatures(Resumable):
    """SHIP-O01: the other machine has not signed yet."""

    code = "SHIP-O01"


class OfflineBackend:
    """``folder`` holds the requests and the answers; ``missing`` writes a request for what is not among them.

    Nobody can tell from here what keeps the key, so the least is claimed of it.
    """

    name = "offline"
    assurance: Assurance = "software"

    def __init__(self, folder: Path, address: str, target: str) -> None:
        self.folder = folder
        self.address = address
        self.target = target
        self.missing: Callable[[UnsignedTransaction], AwaitingSignatures] | None = None
        self._raw = signed_in(folder)

    def has(self, unsigned: UnsignedTransaction) -> bool:
        return unsigned.signing_hash() in self._raw

    def sign_transaction(self, unsigned: UnsignedTransaction) -> bytes:
        """What came back for exactly this transaction. Raises ``AwaitingSignatures``."""
        raw = self._raw.get(unsigned.signing_hash())
        if raw is None and self.missing is not None:
            raise self.missing(unsigned)
        if raw is None:
            raise self.awaiting(f"nonce {unsigned.nonce} has to be signed with these fees by the other machine")
        return raw

    def awaiting(self, what: str, request: Path | None = None) -> AwaitingSignatures:
        """The error that stops a run. ``request`` is the file to carry over, where it was written already."""
        if request is None:
            remedy = f"`ship sign export --chain {self.target}` writes what there is to sign."
        else:
            remedy = (
                f"Take {request} to the machine with the key and run `ship sign sign {request.name}` there. Bring "
                f"{signed_path(request).name} back, run `ship sign import --chain {self.target} FILE`, then `ship deploy` again."
            )
        return AwaitingSignatures(what, remedy=remedy)


def evm_address(context: SignerContext) -> str:
    if context.spec.address is None:
        raise context.unavailable(
            "an offline signer needs its address pinned: nobody can be asked for it",
            remedy="Set `address` under [signer].",
        )
    return context.spec.address


def open_evm(context: SignerContext) -> OfflineBackend:
    name = context.target.name
    return OfflineBackend(ProjectState(context.root).target(name).signing, evm_address(context), name)
