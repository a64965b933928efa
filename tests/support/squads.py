"""A multisig on the local node, run by a FAKE of the Squads v4 program (``solana/squads_fake``), and what its members do.

Accounts are written here from the published layout, not by ship's code.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana.errands import Errands
from chains.solana.job import Job
from chains.solana.layouts import Account, program_data_address
from chains.solana.plan import plan_program
from chains.solana.squads.accounts import (
    Multisig,
    Proposal,
    VaultTransaction,
    parse_multisig,
    parse_proposal,
    parse_transaction,
)
from chains.solana.squads.addresses import (
    SQUADS,
    multisig_address,
    proposal_address,
    transaction_address,
    vault_address,
)
from chains.solana.squads.instructions import Vote, proposal_vote, vault_transaction_execute
from chains.solana.squads.upgrade import VaultUpgrade
from chains.solana.squads.wanted import Wanted, upgrade_of
from chains.solana.transactions import compile_message, populate
from tests.support.solana_node import COUNTER, SolanaNode
from tests.support.solana_release import LocalKey, Quiet, Release, SlotClock

__all__ = ["ALL", "V1", "V2", "Governed", "Squad"]

ALL, INITIATE, VOTE, EXECUTE = 7, 1, 2, 4
V1 = (COUNTER / "target" / "deploy" / "counter.so").read_bytes()
V2 = (COUNTER / "next" / "deploy" / "counter.so").read_bytes()
FAKE = Path(__file__).parent / "solana" / "squads_fake" / "squads_fake.so"
_OLD_LOADER = "BPFLoader2111111111111111111111111111111111"


def multisig_data(
    create_key: Pubkey, threshold: int, members: Sequence[tuple[Pubkey, int]], time_lock_s: int, index: int, stale: int
) -> bytes:
    ordered = sorted(members, key=lambda one: bytes(one[0]))
    return (
        sha256(b"account:Multisig").digest()[:8]
        + bytes(create_key)
        + bytes(32)
        + struct.pack("<HIQQB", threshold, time_lock_s, index, stale, 0)
        + bytes([multisig_address(create_key)[1]])
        + struct.pack("<I", len(ordered))
        + b"".join(bytes(key) + bytes([mask]) for key, mask in ordered)
    ).ljust(8 + 32 + 32 + 2 + 4 + 8 + 8 + 33 + 1 + 4 + 33 * len(ordered), b"\0")


@dataclass
class Squad:
    """``members`` with their permissions; ``funds`` pays for what members send by themselves."""

    node: SolanaNode
    members: list[LocalKey]
    masks: list[int]
    threshold: int
    time_lock_s: int
    funds: Keypair
    create_key: Pubkey = field(default_factory=lambda: Keypair().pubkey())

    @classmethod
    def of(
        cls,
        node: SolanaNode,
        *,
        masks: Sequence[int] = (ALL, ALL, ALL),
        threshold: int = 2,
        time_lock_s: int = 0,
        first: LocalKey | None = None,
    ) -> Squad:
        members = [first or LocalKey(Keypair()), *(LocalKey(Keypair()) for _ in masks[1:])]
        squad = cls(node, members, list(masks), threshold, time_lock_s, node.funded())
        squad.put(str(SQUADS), _OLD_LOADER, FAKE.read_bytes(), executable=True)
        squad.put_multisig(0, 0)
        node.advance(33)
        return squad

    def put(self, address: str, owner: str, data: bytes, *, executable: bool = False) -> None:
        account = {"lamports": 0, "owner": owner, "executable": executable, "data": base64.b64encode(data).decode()}
        self.node.call("ship_setAccount", address, account)

    def put_multisig(self, index: int, stale: int) -> None:
        members = [(one.key.pubkey(), mask) for one, mask in zip(self.members, self.masks, strict=True)]
        data = multisig_data(self.create_key, self.threshold, members, self.time_lock_s, index, stale)
        self.put(str(self.address), str(SQUADS), data)

    @property
    def address(self) -> Pubkey:
        return multisig_address(self.create_key)[0]

    @property
    def vault(self) -> Pubkey:
        return vault_address(self.address, 0)[0]

    def _read(self, key: Pubkey, parse: Callable[[str, Account], Any]) -> Any:
        found = self.node.account(key)
        assert found
        return parse(str(key), Account(found["lamports"], found["owner"], found["data"], False, 0))

    def multisig(self) -> Multisig:
        return self._read(self.address, parse_multisig)  # type: ignore[no-any-return]

    def transaction(self, index: int) -> VaultTransaction:
        return self._read(transaction_address(self.address, index)[0], parse_transaction)  # type: ignore[no-any-return]

    def proposal(self, index: int) -> Proposal:
        return self._read(proposal_address(self.address, index)[0], parse_proposal)  # type: ignore[no-any-return]

    def act(self, made: Sequence[Instruction], *signers: LocalKey) -> Any:
        """Send it; the error it landed with, ``None`` where it went well."""
        message = compile_message(self.funds.pubkey(), list(made), self.node.blockhash())
        keys = {self.funds.pubkey(): self.funds, **{one.key.pubkey(): one.key for one in signers}}
        needed = message.account_keys[: message.header.num_required_signatures]
        raw = populate(message, [bytes(keys[key].sign_message(bytes(message))) for key in needed])
        config = {"encoding": "base64", "skipPreflight": True}
        signature = self.node.call("sendTransaction", base64.b64encode(raw).decode(), config)
        self.node.advance(2)
        status = self.node.status(signature)
        assert status, "it did not land"
        return status["err"]

    def vote(self, vote: Vote, index: int, *members: LocalKey) -> list[Any]:
        return [self.act([proposal_vote(vote, self.address, index, one.key.pubkey())], one) for one in members]

    def propose(self, wanted: Wanted, member: LocalKey | None = None) -> int:
        """By a member's own client, at the next index."""
        one = member or self.members[0]
        index = self.multisig().transaction_index + 1
        own = replace(wanted, member=one.address, payer=str(self.funds.pubkey()))
        assert self.act(own.made(index), one) is None
        return index

    def execute(self, index: int, member: LocalKey) -> Any:
        message = self.transaction(index).message
        key = member.key.pubkey()
        return self.act([vault_transaction_execute(self.address, index, key, self.vault, message)], member)


@dataclass
class Governed:
    """The counter's first version, live, with the squad's vault as its authority."""

    release: Release
    squad: Squad

    @classmethod
    def of(cls, node: SolanaNode, folder: Path, squad: Squad, *, room: int = len(V2) + 64) -> Governed:
        release = Release.of(node, folder)
        release.engine(release.job(V1, max_length=room)).run()
        one = cls(release, squad)
        one.errands().move_authority_to_vault(
            release.program.address,
            release.authority.address,
            str(squad.address),
            str(squad.vault),
            confirm=str(squad.vault),
        )
        return one

    def errands(self) -> Errands:
        release, clock = self.release, SlotClock(self.release.node)
        signers = {key.address: key for key in (release.payer, release.authority)}
        cluster = release.cluster([], clock)
        given = (
            cluster,
            release.journal(),
            clock,
            Quiet(),
            release.settings,
            "ee" * 32,
            release.payer.address,
            signers,
        )
        return Errands(*given)

    def job(self, elf: bytes = V2, plan: str = "cd" * 32) -> Job:
        release = self.release
        planned = plan_program(
            release.cluster(),
            plan,
            "counter",
            release.program.address,
            release.payer.address,
            str(self.squad.vault),
            elf,
        )
        assert planned.job
        return planned.job

    def wanted(self, job: Job, *, member: LocalKey | None = None, since: int | None = None, **more: Any) -> Wanted:
        squad = self.squad
        newest = squad.multisig().transaction_index if since is None else since
        return upgrade_of(job, str(squad.address), 0, (member or squad.members[0]).address, newest, **more)

    def upgrade(
        self,
        job: Job,
        wanted: Wanted,
        *,
        urls: Sequence[str] = (),
        kill_after: int | None = None,
        keys: Sequence[LocalKey] | None = None,
        each: Callable[[], None] = lambda: None,
    ) -> VaultUpgrade:
        """One run of the command: its own journal, opened from the file."""
        release = self.release
        clock = SlotClock(release.node, release.blocks, each=each)
        hands = [release.payer, self.squad.members[0]] if keys is None else keys
        signers: Mapping[str, LocalKey] = {one.address: one for one in hands}
        cluster = release.cluster(urls, clock)
        journal = release.journal(kill_after)
        return VaultUpgrade(cluster, journal, clock, Quiet(), release.settings, job, wanted, signers)

    def holder(self) -> str:
        from chains.solana.layouts import parse_program_data

        found = self.release.node.account(program_data_address(self.release.program.key.pubkey()))
        assert found
        return str(parse_program_data(Account(0, found["owner"], found["data"], False, 0)).authority)

    def rows(self, kind: str, plan: str = "cd" * 32) -> list[Any]:
        return [row for row in self.release.rows(kind) if row["plan"] == plan]

    def steps(self, plan: str = "cd" * 32) -> list[str]:
        """What was signed, chunk writes aside."""
        return [row["step"] for row in self.rows("sol.signed", plan)]
