"""Upgrades of a release whose authority is a Squads vault: what the plan holds of them, and the run that carries one out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from solders.pubkey import Pubkey

from chains.base import Clock, Journal, Progress
from chains.errors import Refused, Resumable
from chains.solana.announcing import publication_of
from chains.solana.job import Job
from chains.solana.release import SolanaAction, instruction_from, instruction_json
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.squads.addresses import vault_address
from chains.solana.squads.upgrade import VaultUpgrade
from chains.solana.squads.vaults import read_multisig
from chains.solana.squads.wanted import Wanted, upgrade_of
from chains.solana.transactions import MessageSigner

__all__ = ["FirstByKey", "Proposed", "SquadsAuthority", "carry_proposal", "wanted_of", "with_proposals"]


class Proposed(Resumable):
    """SHIP-Q50: the upgrade waits for the members of the multisig."""

    code = "SHIP-Q50"


class FirstByKey(Refused):
    """SHIP-Q51: a vault cannot do what the plan asks of it."""

    code = "SHIP-Q51"


@dataclass(frozen=True)
class SquadsAuthority:
    """The vault that is the programs' upgrade authority, and the member whose key proposes (and pays)."""

    multisig: str
    vault_index: int
    member: str

    @property
    def vault(self) -> str:
        return str(vault_address(Pubkey.from_string(self.multisig), self.vault_index)[0])


def with_proposals(
    cluster: Cluster, actions: list[SolanaAction], squads: SquadsAuthority, left_out: list[str]
) -> list[SolanaAction]:
    """The actions as a vault can have them done: upgrades become proposals, the record of a build goes into its upgrade's.

    What else would need the vault's signature is left out and said in ``left_out``. Raises ``FirstByKey``, ``NotAVault``.
    """
    multisig = read_multisig(cluster, squads.multisig)
    builds = {a.unit: a for a in actions if a.kind == "publish" and a.details["what"] == "build"}
    made: list[SolanaAction] = []
    for action in actions:
        if action.kind == "deploy":
            raise FirstByKey(
                f"{action.unit} is not deployed yet, and a vault cannot sign a first deployment",
                remedy="Deploy it with a key, then move its authority to the vault (`ship signer rotate`).",
            )
        if action.kind == "call" and any(
            meta["signer"] and meta["key"] == squads.vault for meta in action.details["instruction"]["accounts"]
        ):
            raise FirstByKey(
                f"{action.id} needs the vault's signature, and ship proposes upgrades alone",
                remedy="Propose it in the Squads application, and say with `unless` how it is seen that it was done.",
            )
        if action.kind == "publish":
            bundled = action.details["what"] == "build" and any(
                a.unit == action.unit and a.kind == "upgrade" for a in actions
            )
            if not bundled:
                left_out.append(f"{action.title}: left out, the vault would have to sign it by itself")
            continue
        if action.kind == "upgrade":
            first = _build_call(cluster, builds[action.unit]) if action.unit in builds else []
            told = {
                "multisig": squads.multisig,
                "vault_index": squads.vault_index,
                "member": squads.member,
                "since": multisig.transaction_index,
                "threshold": multisig.threshold,
                "first": first,
            }
            title = f"propose to {squads.multisig[:8]}… (threshold {multisig.threshold}): {action.title}"
            action = replace(action, title=title, details={**action.details, "squads": told})  # noqa: PLW2901
        made.append(action)
    return made


def _build_call(cluster: Cluster, action: SolanaAction) -> list[dict[str, Any]]:
    """The record of the build as the vault writes it: it names the deployment before this one, for the slot of a deployment is not
    known before it. The rent is the vault's own to pay: a transfer of the payer's cannot stand in a vault's transaction."""
    record = publication_of(action, "")
    accounts = cluster.accounts(list(record.keys), "confirmed")
    made = record.instructions("record", accounts, cluster.rent)
    return [instruction_json(one) for one in made if str(one.program_id) != "11111111111111111111111111111111"]


def wanted_of(action: SolanaAction, job: Job) -> Wanted:
    """The proposal of a planned upgrade."""
    told = action.details["squads"]
    first = [instruction_from(one) for one in told["first"]]
    return upgrade_of(job, told["multisig"], told["vault_index"], told["member"], told["since"], first=first)


def carry_proposal(
    cluster: Cluster,
    journal: Journal,
    clock: Clock,
    progress: Progress,
    settings: Settings,
    action: SolanaAction,
    job: Job,
    signers: Mapping[str, MessageSigner],
) -> None:
    """One run: until the program is final, or the members have to act (``Proposed``)."""
    given = (cluster, journal, clock, progress, settings, job, wanted_of(action, job), signers)
    outcome = VaultUpgrade(*given).run()
    if outcome.state == "final":
        return
    standing = outcome.standing
    assert standing is not None
    agreed = f"{len(standing.approved)} of {standing.multisig.threshold} approvals"
    verb = "execute it" if outcome.state == "approved" else "approve and execute it"
    raise Proposed(
        f"the upgrade of {action.unit} is proposal {standing.index} of the multisig {action.details['squads']['multisig']}, "
        f"{outcome.state}: {agreed}",
        done="The buffer is whole and the vault's; the proposal is on chain and in the journal.",
        remedy=f"Have the members {verb} in Squads, then run the same command again.",
    )
