"""Commands that are of one family of chains, and targets of another: refused in words that say so."""

from __future__ import annotations

from chains.errors import Refused, Where
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, load_target

__all__ = ["NO_SAFES", "NO_TIME_TO_CARRY", "NotThisFamily", "evm_target", "solana_target"]


class NotThisFamily(Refused):
    """SHIP-M90: the command is of another family of chains than the target."""

    code = "SHIP-M90"


def solana_target(project: Project, name: str, why: str) -> Target:
    """The target called ``name``, which has to be a Solana cluster."""
    return _of(load_target(project, name), "solana", f"{name} is an EVM chain, and {why}", "Name a Solana target.")


def evm_target(project: Project, name: str, why: str, remedy: str) -> Target:
    """The target called ``name``, which has to be an EVM chain."""
    return _of(load_target(project, name), "evm", f"{name} is a Solana cluster, and {why}", remedy)


def _of(target: Target, kind: str, cause: str, remedy: str) -> Target:
    if target.chain.kind != kind:
        raise NotThisFamily(cause, where=Where(target.file), remedy=remedy)
    return target


NO_SAFES = (
    "proposals to the owners of a Safe are of EVM chains",
    "docs/guide/solana.md says what several keys can do on Solana.",
)

NO_TIME_TO_CARRY = (
    (
        "what is signed there holds a blockhash that expires within about a minute: too short to carry to another machine and "
        "back. A durable nonce, which would not expire, is not built"
    ),
    "Sign with a key that can be asked: aws-kms, vault, pkcs11 or keystore under [signer].",
)
