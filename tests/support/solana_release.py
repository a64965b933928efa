"""A release to the local node for tests: real keys, the real journal in a file, slots that go on whenever the engine waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from solders.keypair import Keypair

from chains.rpc import Endpoint, Rpc
from chains.solana.engine import Engine
from chains.solana.job import Job
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.transactions import Unsigned
from pipeline.journal import Journal
from tests.support.solana_node import SolanaNode

__all__ = ["Killed", "LocalKey", "Release", "SlotClock"]


class Killed(BaseException):
    """Stands for ``kill -9``: nothing of ours catches it."""


@dataclass
class LocalKey:
    """A key in memory; ``asked`` lists what it was asked to sign."""

    key: Keypair
    asked: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return str(self.key.pubkey())

    def sign(self, unsigned: Unsigned) -> bytes:
        self.asked.append(unsigned.step)
        return bytes(self.key.sign_message(unsigned.message))


@dataclass
class SlotClock:
    """Time passes by the node making blocks: waiting costs a test nothing."""

    node: SolanaNode
    blocks: int = 2
    now_s: float = 0.0
    each: Callable[[], None] = lambda: None

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float) -> None:
        self.now_s += max(seconds, 0.05)
        self.each()
        self.node.advance(self.blocks)


class Quiet:
    """Nobody watches."""

    def item(self, item: str, state: str, note: str = "") -> None: ...

    def note(self, text: str) -> None: ...


class KillingJournal(Journal):
    """Ends the run right after row number ``kill_after`` is on disk."""

    kill_after: int | None = None

    def append(self, kind: str, data: Any) -> Any:
        row = super().append(kind, data)
        if self.kill_after is not None and len(self.rows) >= self.kill_after:
            raise Killed
        return row


@dataclass
class Release:
    """Keys and a folder; ``run`` is one run of the command, with a journal opened from the file."""

    node: SolanaNode
    folder: Path
    payer: LocalKey
    authority: LocalKey
    program: LocalKey
    plan: str = "ab" * 32
    settings: Settings = field(default_factory=lambda: Settings(wait_s=60.0))
    blocks: int = 2

    @classmethod
    def of(cls, node: SolanaNode, folder: Path, *, program: Keypair | None = None) -> Release:
        return cls(node, folder, LocalKey(node.funded()), LocalKey(Keypair()), LocalKey(program or Keypair()))

    def job(self, elf: bytes, kind: str = "deploy", **more: Any) -> Job:
        keys = (self.program.address, self.payer.address, self.authority.address)
        given: dict[str, Any] = {"max_length": len(elf), **more}
        return Job(self.plan, "counter", kind, *keys, elf, **given)  # type: ignore[arg-type]

    def journal(self, kill_after: int | None = None) -> KillingJournal:
        journal = KillingJournal(self.folder / "journal.jsonl")
        journal.kill_after = kill_after
        return journal

    def cluster(self, urls: Sequence[str] = (), clock: Any = None) -> Cluster:
        endpoints = [Endpoint(url) for url in urls or [self.node.url]]
        return Cluster(Rpc(endpoints, clock=clock, patience_s=5.0))

    def engine(
        self,
        job: Job,
        *,
        urls: Sequence[str] = (),
        kill_after: int | None = None,
        each: Callable[[], None] = lambda: None,
    ) -> Engine:
        clock = SlotClock(self.node, self.blocks, each=each)
        signers = {one.address: one for one in (self.payer, self.authority, self.program)}
        cluster = self.cluster(urls, clock)
        return Engine(cluster, self.journal(kill_after), clock, Quiet(), self.settings, job, signers)

    def rows(self, kind: str) -> list[Any]:
        return [row.data for row in self.journal().rows if row.kind == kind]

    def live(self) -> bytes:
        from chains.solana.layouts import Account, parse_program_data, program_data_address

        found = self.node.account(program_data_address(self.program.key.pubkey()))
        assert found
        return parse_program_data(Account(found["lamports"], found["owner"], found["data"], False, 0)).elf
