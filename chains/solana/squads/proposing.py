"""Makes one proposal, once. It can be killed between any two lines and run again.

A transaction for index 7 can land only while the multisig's newest is 6: its account's address says so, and the program checks it. So a
new one may be signed at another index as soon as number 7 is, at finality, another's; no blockhash has to expire for it. What is
ours is known by what it holds, not by who says so: a proposal whose reply was lost, or that another member made, is found and taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from solders.instruction import Instruction

from chains.base import Clock, Journal, Progress
from chains.errors import NeedsPerson, Refused
from chains.solana.layouts import Account
from chains.solana.rpc import Cluster
from chains.solana.sending import Accounts, Sending
from chains.solana.settings import NotFinal, Settings
from chains.solana.squads.accounts import INITIATE, Multisig, is_transaction, parse_multisig
from chains.solana.squads.message import Unreadable
from chains.solana.squads.standing import Found, Standing, found_in, proposal_rows, search, shown, there
from chains.solana.squads.vaults import NotAVault, Vault, prove_vault
from chains.solana.squads.wanted import Wanted
from chains.solana.transactions import MessageSigner, SignerMissing

__all__ = ["MemberRefused", "ProposalAltered", "ProposalClosed", "Proposing"]

_LOOKED_AT_AGAIN = 64


class MemberRefused(Refused):
    """SHIP-Q44: the key that would propose is no member of the multisig, or may not propose."""

    code = "SHIP-Q44"


class ProposalAltered(NeedsPerson):
    """SHIP-Q45: where the journal has our proposal, the chain shows another's."""

    code = "SHIP-Q45"


class ProposalClosed(NeedsPerson):
    """SHIP-Q46: a transaction that may have been ours was closed, and what it held cannot be read any more."""

    code = "SHIP-Q46"


@dataclass
class Proposing:
    """One run. ``signers`` by address: the payer's and the member's, which may be one key."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    wanted: Wanted
    signers: Mapping[str, MessageSigner]
    _looked: bool = False
    _final_at: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        wanted = self.wanted
        self.sending = Sending(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            wanted.plan,
            wanted.unit,
            wanted.payer,
            self.signers,
        )
        self.rows = proposal_rows(self.journal.rows, wanted.plan, wanted.unit)

    # -- before anything is signed -------------------------------------------------------------------------------------

    def prove(self) -> Vault:
        """That the vault is one, and that what it is to do can be proposed at all. Raises ``NotAVault``, ``OtherSigner``,
        ``MessageTooLarge``, ``Unreadable``."""
        wanted = self.wanted
        wanted.check()
        vault = prove_vault(self.cluster, self.clock, self.settings, wanted.multisig, wanted.vault)
        if vault.index != wanted.vault_index:
            raise NotAVault(
                f"{wanted.vault} is the vault {vault.index} of {wanted.multisig}, not {wanted.vault_index}",
                remedy="Plan again.",
            )
        return vault

    def check(self, members: Multisig) -> None:
        """That the keys at hand may propose. Raises ``MemberRefused``, ``SignerMissing``."""
        wanted = self.wanted
        if not members.may(wanted.member, INITIATE):
            can = [str(one.key) for one in members.members if one.mask & INITIATE]
            raise MemberRefused(
                f"{wanted.member} may not propose to the multisig {wanted.multisig}",
                remedy=f"Propose with one of {', '.join(can)}, or have the members give this key `initiate`.",
            )
        for key in (wanted.payer, wanted.member):
            if key not in self.signers:
                raise SignerMissing(
                    f"the proposal of {wanted.unit} needs a signature of {key}, and that key is not at hand",
                    remedy="Configure a signer for it.",
                )

    @property
    def signed(self) -> list[int]:
        """The indices a proposal was signed for and may still take."""
        steps = (step for step in self.sending.state.attempts if step.startswith("propose "))
        indices = [int(step.removeprefix("propose ")) for step in steps if self.sending.state.open_attempt(step)]
        return [index for index in indices if index not in self.rows.overtaken]

    # -- making it -----------------------------------------------------------------------------------------------------

    def look(self) -> Standing | None:
        """Where the proposal stands now; ``None`` while there is none. News is written down.

        Raises ``ProposalAltered``, ``Unreadable``.
        """
        known = self.rows.proposed
        if known is None:
            multisig, found = self._search()
            return Standing.of(self.wanted, multisig, found.index, found) if found else None
        index = int(known["index"])
        keys = [self.wanted.multisig, *self.wanted.accounts(index)]
        accounts = self.cluster.accounts(keys, "confirmed")
        found = self._ours(index, accounts)
        standing = Standing.of(self.wanted, _multisig(self.wanted, accounts), index, found)
        told = {name: standing.to_json()[name] for name in ("state", "approved", "rejected", "cancelled", "ready_s")}
        if self.rows.decided is None or any(self.rows.decided[name] != value for name, value in told.items()):
            self.write("sol.decided", {"index": index, **told})
        return standing

    def run(self) -> Standing:
        """Until the proposal is on chain at finality, and in the journal; where it stands.

        Raises what ``look`` and ``Sending`` raise, ``ProposalClosed`` and ``NotFinal``.
        """
        if self.rows.planned is None:
            self.write("sol.proposing", self.wanted.to_json())
        moved_s, before = self.clock.monotonic_s(), ""
        while self.rows.proposed is None:
            now = self._turn()
            if now != before:
                moved_s, before = self.clock.monotonic_s(), now
            elif self.clock.monotonic_s() - moved_s > self.settings.wait_s:
                raise NotFinal(
                    f"the proposal of {self.wanted.unit}: nothing changed for {self.settings.wait_s:g} s at {now} "
                    f"({self.sending.hint or 'no word'})",
                    remedy="Run the same command again: it finds the proposal, or goes on with the same bytes.",
                )
            if self.rows.proposed is None:
                self.clock.sleep_s(self.settings.poll_s)
        standing = self.look()
        assert standing is not None
        return standing

    def write(self, kind: str, data: Mapping[str, object]) -> None:
        self.sending.write(kind, data)
        self.rows.apply(self.journal.rows[-1])

    def _search(self) -> tuple[Multisig, Found | None]:
        multisig, found = search(self.cluster, self.wanted, newest_only=_LOOKED_AT_AGAIN if self._looked else None)
        self._looked = True
        return multisig, found

    def _turn(self) -> str:
        multisig, found = self._search()
        if found is None:
            following = multisig.transaction_index + 1
            if all(self._settled(index, multisig) for index in self.signed if index != following):
                self._drive(f"propose {following}", following, self.wanted.made(following))
            return f"propose {following} {self._moves(f'propose {following}')}"
        if found.proposal is None:
            # Somebody made the very same transaction and did not open it to votes: that alone is left to do.
            self._drive(f"open {found.index}", found.index, self.wanted.made(found.index)[1:])
            return f"open {found.index} {self._moves(f'open {found.index}')}"
        self._conclude(found.index)
        return f"waiting for {found.index} to be final"

    def _moves(self, step: str) -> str:
        state = self.sending.state
        return f"{len(state.attempts.get(step, []))} {len(state.expired)} {len(self.rows.overtaken)}"

    def _drive(self, step: str, index: int, made: Sequence[Instruction]) -> None:
        keys = [self.wanted.multisig, *self.wanted.accounts(index)]
        effect = keys[2]  # both steps make the proposal's account

        def undone(accounts: Accounts) -> bool:
            return not there(accounts[effect])

        self.sending.drive(step, keys, lambda: [made], undone)

    def _settled(self, index: int, multisig: Multisig) -> bool:
        """Whether what was signed for ``index`` can never land: another's transaction has that index, at finality."""
        step, wanted = f"propose {index}", self.wanted
        keys = [wanted.multisig, *wanted.accounts(index)]
        if index > multisig.transaction_index:
            # A fork was left, and the index that was the next one is not any more: only its expiry settles this.
            return self.sending.settle(step, keys)
        shows: list[tuple[str, int, str]] = []
        for label, height, accounts, _ in self.cluster.each(keys, []):
            held = accounts[keys[1]]
            if _multisig(wanted, accounts).transaction_index < index or found_in(wanted, index, accounts):
                return False
            if held is None or not there(held):
                raise ProposalClosed(
                    f"transaction {index} of {wanted.multisig}, which may have been the proposal of {wanted.unit}, is closed",
                    remedy="Look at it in the Squads application's history. `ship deploy --replan` proposes anew.",
                )
            shows.append((label, height.slot, "a vault transaction" if is_transaction(held) else "another kind"))
        if len(shows) < (1 if self.cluster.rpc.alone else 2):
            return False
        attempt = self.sending.state.open_attempt(step)
        signature = attempt.signature if attempt else None
        told = {"index": index, "signature": signature, "holder": shows[0][2], "slot": shows[0][1]}
        self.write("sol.overtaken", {**told, "providers": [label for label, _, _ in shows]})
        return True

    def _conclude(self, index: int) -> None:
        """Write down that it is there, when two providers show it at finality, a lone one at two slots."""
        wanted, shows, last = self.wanted, 0, None
        keys = [wanted.multisig, *wanted.accounts(index)]
        for _, height, accounts, _ in self.cluster.each(keys, []):
            found = found_in(wanted, index, accounts)
            if found is None or found.proposal is None:
                return
            shows, last = shows + 1, (height.slot, found, _multisig(wanted, accounts))
            self._final_at.add(height.slot)
        if last is None or (shows < 2 and not (self.cluster.rpc.alone and len(self._final_at) >= 2)):
            return
        slot, found, multisig = last
        attempt = self.sending.state.open_attempt(f"propose {index}")
        places = wanted.accounts(index)
        self.write(
            "sol.proposed",
            {
                "index": index,
                "transaction": places[0],
                "proposal": places[1],
                "vault": wanted.vault,
                "vault_index": wanted.vault_index,
                "message_sha256": wanted.message.digest,
                "creator": str(found.transaction.creator),
                "signature": attempt.signature if attempt else None,
                "slot": slot,
                **shown(multisig),
            },
        )

    def _ours(self, index: int, accounts: Mapping[str, Account | None]) -> Found | None:
        """Ours at the recorded index; ``None`` where it is closed. Raises ``ProposalAltered``."""
        held = accounts[self.wanted.accounts(index)[0]]
        found = found_in(self.wanted, index, accounts)
        if there(held) and found is None:
            raise ProposalAltered(
                f"transaction {index} of {self.wanted.multisig} is not what was proposed for {self.wanted.unit}",
                remedy="Do not approve it. Ask another node; if the cluster was reset, plan again: `--replan`.",
            )
        return found


def _multisig(wanted: Wanted, accounts: Mapping[str, Account | None]) -> Multisig:
    held = accounts[wanted.multisig]
    if held is None:
        raise Unreadable(f"the multisig {wanted.multisig} is not there", remedy="Ask another node.")
    return parse_multisig(wanted.multisig, held)
