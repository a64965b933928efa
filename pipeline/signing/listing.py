"""Every target's signer, without opening a key and without a secret."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.errors import ShipError
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, default_target, list_targets, load_target
from pipeline.signing.opening import signer_address

__all__ = ["ListedSigner", "list_signers"]

_KEPT_BY = {
    "development": "software",
    "keystore": "software",
    "aws-kms": "hardware",
    "gcp-kms": "hardware",
    "azure-kv": "hardware",
    "vault": "service",
    "remote": "service",
    "pkcs11": "hardware",
}
"""What a backend claims at most; ``ship signer test`` says what the opened key claims. Of the others nothing is known."""


@dataclass(frozen=True)
class ListedSigner:
    """``pinned`` is what the manifest says, ``found`` what the backend says; ``problem`` why there is no ``found``."""

    target: str
    backend: str | None
    pinned: str | None
    found: str | None
    kept_by: str | None
    problem: str | None

    def to_json(self) -> dict[str, str | None]:
        return dict(self.__dict__)


def list_signers(project: Project) -> list[ListedSigner]:
    """One line a target. What is wrong with one does not hide the others."""
    return [_listed(project, project.root, name) for name in list_targets(project) or (default_target(project),)]


def _listed(project: Project, root: Path, name: str) -> ListedSigner:
    try:
        target = load_target(project, name)
    except ShipError as error:
        return ListedSigner(name, None, None, None, None, error.cause)
    spec = target.spec.signer
    if spec is None:
        return ListedSigner(name, None, None, None, None, "no [signer]")
    kept_by = _KEPT_BY.get(spec.backend)
    pinned = spec.address or spec.public_key
    try:
        return ListedSigner(name, spec.backend, pinned, _found(target, root), kept_by, None)
    except ShipError as error:
        return ListedSigner(name, spec.backend, pinned, None, kept_by, error.cause)


def _found(target: Target, root: Path) -> str:
    if target.chain.kind == "evm":
        return signer_address(target, root)
    from pipeline.programs.keys import deployer_and_payer  # start-up: Solana targets alone

    return deployer_and_payer(target, root)[0]
