"""The keys of a release to Solana, each behind the guard: the signer, the payer, a new program's own, and the next authority."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from solders.pubkey import Pubkey

from chains.errors import Refused, Where
from chains.solana.squads.releasing import SquadsAuthority
from chains.solana.workspace import KeypairUnusable, keypair
from pipeline.manifest.program_units import program_paths
from pipeline.manifest.target import Target
from pipeline.programs.guard import GuardedKey, MessageGuard
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession
from pipeline.signing.base import MessageBackend, PolicyRefused
from pipeline.signing.context import PasswordSource
from pipeline.signing.ed25519 import LocalEd25519
from pipeline.signing.opening import open_message_backend, signer_public_key
from pipeline.signing.rules.key import weaker

__all__ = ["deployer_and_payer", "open_keys", "squads_of"]


class OtherKey(Refused):
    """SHIP-Q23: a key is not the one the plan was made for."""

    code = "SHIP-Q23"


def deployer_and_payer(target: Target, root: Path) -> tuple[str, str]:
    """Their addresses, without opening a key where that can be known."""
    payer = signer_public_key(target, root, "payer") if target.spec.payer else None
    squads = squads_of(target, payer) if payer is not None else None
    deployer = squads.vault if squads else signer_public_key(target, root)
    return deployer, payer or deployer


def squads_of(target: Target, member: str) -> SquadsAuthority | None:
    """The vault that a ``squads`` signer names; ``None`` for a key."""
    signer = target.spec.signer
    if signer is None or signer.backend != "squads":
        return None
    assert signer.multisig is not None  # the manifest's own rule
    return SquadsAuthority(signer.multisig, signer.vault_index or 0, member)


def open_keys(
    session: ProgramSession, plan: ProgramPlan, guard: MessageGuard, password: PasswordSource
) -> Mapping[str, GuardedKey]:
    """Every key the plan's open actions need, by address. Raises ``OtherKey`` and what the backends raise."""
    target, root, body = session.target, session.project.root, plan.body
    found: dict[str, MessageBackend] = {}

    def take(table: str, wanted: str) -> None:
        backend = open_message_backend(target, root, password, table)
        address = str(Pubkey(backend.public_key))
        if address != wanted:
            raise OtherKey(
                f"the key under [{table}] is {address}, the plan was made for {wanted}",
                where=Where(target.file),
                remedy="Use that key, or plan again: `--replan`.",
            )
        found[address] = backend

    if squads_of(target, body.payer) is None:
        take("signer", body.deployer)
        _refuse_weak(target, found[body.deployer])
    if body.payer != body.deployer:
        take("payer", body.payer)
    for action in body.actions:
        if action.kind == "deploy":
            backend = _program_key(session, action.unit, action.details["program"])
            if backend is not None:
                found[action.details["program"]] = backend
        elif action.kind == "authority" and action.details["to"] not in found:
            take("next-authority", action.details["to"])
    return {address: GuardedKey(address, backend, guard) for address, backend in found.items()}


def _refuse_weak(target: Target, backend: MessageBackend) -> None:
    """The guard would say so as well, but only when the payer has filled a buffer."""
    required = target.spec.policy.require
    if required is not None and weaker(backend.assurance, required):
        raise PolicyRefused(
            f"the rule require: the {backend.name} key is kept by {backend.assurance}, {target.name} requires {required}",
            where=target.layers.where(("policy", "require")),
            remedy="Use a key that is kept as the policy asks, or change the policy.",
        )


def _program_key(session: ProgramSession, unit: str, program: str) -> LocalEd25519 | None:
    """The program's own key; ``None`` where its file is gone: once the deployment is signed, it is not needed."""
    paths = program_paths(session.project, unit, session.target.units.spec.programs[unit])
    if not paths.keypair.is_file():
        return None
    key = keypair(paths.keypair)
    if str(key.pubkey()) != program:
        raise KeypairUnusable(
            f"{paths.keypair.name} is the key of {key.pubkey()}, the program is {program}",
            where=Where(str(paths.keypair)),
            remedy="Name the program's own keypair under [programs].",
        )
    return LocalEd25519(bytes(key)[:32], "program keypair")
