"""What is done to accounts of the loader beside a release: an upgrade authority moved, a program made immutable, an orphaned
buffer closed. Each is one transaction, carried out as those of a release are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from chains.base import Clock, Journal, Progress
from chains.errors import Refused
from chains.solana import loader
from chains.solana.job import AuthorityMismatch
from chains.solana.layouts import Account, parse_buffer, parse_program_data, program_data_address
from chains.solana.release import SolanaAction, SolanaPlan
from chains.solana.rpc import Cluster
from chains.solana.sending import Accounts, Sending
from chains.solana.settings import NotFinal, Settings
from chains.solana.squads.vaults import prove_vault
from chains.solana.transactions import MessageSigner, SignerMissing

__all__ = ["Errands", "NotConfirmedTwice", "errand_instruction"]


class NotConfirmedTwice(Refused):
    """SHIP-Q15: making a program immutable, or giving it to a vault, cannot be undone by this key, and was not asked for in so
    many words."""

    code = "SHIP-Q15"


def errand_instruction(action: SolanaAction, plan: SolanaPlan) -> Instruction:
    """The one instruction of an action that moves an authority, makes a program immutable, or closes a buffer."""
    details = action.details
    if action.kind == "close":
        keys = (Pubkey.from_string(key) for key in (details["buffer"], plan.payer, details["authority"]))
        return loader.close(*keys)
    account, old = program_data_address(Pubkey.from_string(details["program"])), Pubkey.from_string(details["from"])
    if action.kind == "authority":
        return loader.set_authority_checked(account, old, Pubkey.from_string(details["to"]))
    return loader.set_authority(account, old, None)


@dataclass
class Errands:
    """Runs of one plan's errands. ``signers`` by address; ``payer`` pays the fees."""

    cluster: Cluster
    journal: Journal
    clock: Clock
    progress: Progress
    settings: Settings
    plan: str
    payer: str
    signers: Mapping[str, MessageSigner]
    sent: int = 0

    def move_authority(self, program: str, authority: str, new: str, *, unit: str | None = None) -> None:
        """SetAuthorityChecked: the new authority signs too, or nothing is sent (fault 32). ``unit`` names the journal's rows.

        Raises ``SignerMissing`` and ``AuthorityMismatch`` before anything, else what ``Sending`` raises.
        """
        account = program_data_address(Pubkey.from_string(program))
        old_key, new_key = Pubkey.from_string(authority), Pubkey.from_string(new)
        made = loader.set_authority_checked(account, old_key, new_key)
        self._need(authority, new)
        self._program("set-authority", program, authority, new, made, unit or program)

    def move_authority_to_vault(
        self, program: str, authority: str, multisig: str, vault: str, *, confirm: str, unit: str | None = None
    ) -> None:
        """SetAuthority without the new authority's signature, which a vault cannot give: only after proof, on chain, that it is one.

        ``confirm`` is the vault's address a second time. Raises ``NotConfirmedTwice``, ``NotAVault``, ``AuthorityMismatch``,
        ``SignerMissing`` before anything.
        """
        if confirm != vault:
            raise NotConfirmedTwice(
                f"{program} would belong to the vault {vault}; the confirmation names {confirm or 'nothing'}",
                remedy="Give the vault's address once more to confirm.",
            )
        self._need(authority)
        prove_vault(self.cluster, self.clock, self.settings, multisig, vault)
        account = program_data_address(Pubkey.from_string(program))
        made = loader.set_authority(account, Pubkey.from_string(authority), Pubkey.from_string(vault))
        self._program("set-authority-to-vault", program, authority, vault, made, unit or program)

    def finalize(self, program: str, authority: str, *, confirm: str, unit: str | None = None) -> None:
        """No upgrade ever again. ``confirm`` is the program's address a second time, typed by whoever decides it."""
        if confirm != program:
            raise NotConfirmedTwice(
                f"{program} would become immutable for ever; the confirmation names {confirm or 'nothing'}",
                remedy="Give the program's address once more to confirm.",
            )
        self._need(authority)
        account = program_data_address(Pubkey.from_string(program))
        made = loader.set_authority(account, Pubkey.from_string(authority), None)
        self._program("finalize", program, authority, None, made, unit or program)

    def close_buffer(self, buffer: str, authority: str, recipient: str, *, unit: str | None = None) -> int:
        """Close an orphan; the lamports that came back. Raises ``AuthorityMismatch`` before anything."""
        self._need(authority)
        account = self.cluster.accounts([buffer], "confirmed")[buffer]
        # One that is gone already is concluded all the same: a run killed after its transaction landed finds it so.
        gone = account is None or not account.data
        holder = parse_buffer(account).authority if account is not None and not gone else None
        if not gone and str(holder) != authority:
            raise AuthorityMismatch(
                f"the buffer {buffer} is {holder or 'nobody'}'s, not {authority}'s",
                remedy="Use the key of its authority.",
            )
        key, to = Pubkey.from_string(buffer), Pubkey.from_string(recipient)
        made = loader.close(key, to, Pubkey.from_string(authority))
        self._carry("close", unit or buffer, buffer, made, lambda found: found is None or not found.data)
        return account.lamports if account is not None else 0

    def _need(self, *keys: str) -> None:
        for key in (self.payer, *keys):
            if key not in self.signers:
                raise SignerMissing(
                    f"this needs a signature of {key}, and that key is not at hand",
                    remedy="Configure a signer for it. A new authority has to sign, so that no key is named that nobody holds.",
                )

    def _program(self, step: str, program: str, old: str, new: str | None, made: Instruction, unit: str) -> None:
        account = str(program_data_address(Pubkey.from_string(program)))
        wanted = str(new)

        def done(found: Account | None) -> bool:
            return found is not None and str(parse_program_data(found).authority) == wanted

        found = self.cluster.accounts([account], "confirmed")[account]
        holder = str(parse_program_data(found).authority) if found else "nobody"
        if holder not in {old, wanted} or found is None:
            raise AuthorityMismatch(
                f"the upgrade authority of {program} is {holder}, not {old}", remedy="Use the key that holds it."
            )
        self._carry(step, unit, account, made, done)

    def _carry(self, step: str, unit: str, key: str, made: Instruction, done: Callable[[Account | None], bool]) -> None:
        """Until the effect is final: on every provider that answers, at least two unless there is but one."""
        sending = Sending(
            self.cluster,
            self.journal,
            self.clock,
            self.progress,
            self.settings,
            self.plan,
            unit,
            self.payer,
            self.signers,
        )

        def undone(accounts: Accounts) -> bool:
            return not done(accounts[key])

        forms: Sequence[Sequence[Instruction]] = [[made]]
        try:
            self._until_final(sending, step, key, forms, done, undone)
        finally:
            self.sent += sending.sent

    def _until_final(
        self,
        sending: Sending,
        step: str,
        key: str,
        forms: Sequence[Sequence[Instruction]],
        done: Callable[[Account | None], bool],
        undone: Callable[[Accounts], bool],
    ) -> None:
        until_s = self.clock.monotonic_s() + self.settings.wait_s
        while sending.state.final is None:
            if done(self.cluster.accounts([key], "confirmed")[key]):
                sending.confirm("", self.cluster.slots["confirmed"])
                self._conclude(sending, step, key, done)
            elif sending.drive(step, [key], lambda: forms, undone):
                until_s = self.clock.monotonic_s() + self.settings.wait_s
            if self.clock.monotonic_s() > until_s:
                raise NotFinal(
                    f"{step} of {sending.unit} is not final after {self.settings.wait_s:g} s ({sending.hint or 'no word'})",
                    remedy="Run the same command again: it goes on with the same bytes.",
                )
            if sending.state.final is None:
                self.clock.sleep_s(self.settings.poll_s)

    def _conclude(self, sending: Sending, step: str, key: str, done: Callable[[Account | None], bool]) -> None:
        words = [(height.slot, done(accounts[key])) for _, height, accounts, _ in self.cluster.each([key], [])]
        if not words or not all(shown for _, shown in words) or len(words) < (1 if self.cluster.rpc.alone else 2):
            return
        attempts = sending.state.attempts.get(step)
        signature = attempts[-1].signature if attempts else None
        sending.write("sol.final", {"step": step, "slot": words[0][0], "signature": signature})
