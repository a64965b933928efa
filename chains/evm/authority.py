"""Who has to say yes: an action through the contracts that hold the right to it.

    the deployer itself            one transaction
    a TimelockController           schedule, then execute when the delay is over, each by whoever may
    a Safe the deployer has alone  execTransaction by the deployer, its owner
    any other Safe                 a proposal to its owners

They nest: a timelock whose proposer is a Safe is scheduled through that Safe. The chain is asked what an authority is;
where several accounts could act, a path (``authority = [timelock, safe]``) says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chains.errors import Refused
from chains.evm.actions import Action, Ready
from chains.evm.address import checksum
from chains.evm.logs import logs
from chains.evm.node import Node, quantity
from chains.evm.roles import TOPICS, holders
from chains.evm.safe.reading import SafeState, read_safe
from chains.evm.safe.signatures import approved, pack
from chains.evm.safe.typed import SafeTx, exec_calldata
from chains.evm.timelock import EXECUTOR, PROPOSER, Timelock, read_timelock

__all__ = ["Authorities", "AuthorityUnusable"]


class AuthorityUnusable(Refused):
    """SHIP-E32: the authority of an action is not one ``ship`` can go through."""

    code = "SHIP-E32"


@dataclass
class Authorities:
    """What the authorities of one plan were found to be. Reads only."""

    node: Node
    deployer: str
    chain_id: int = 0
    _safes: dict[str, SafeState | None] = field(default_factory=dict)
    _locks: dict[str, Timelock | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.deployer = checksum(self.deployer)

    def safe(self, address: str) -> SafeState | None:
        if address not in self._safes:
            self.chain_id = self.chain_id or quantity(self.node.rpc.read("eth_chainId", []))
            self._safes[address] = read_safe(self.node.rpc, address, self.chain_id)
        return self._safes[address]

    def timelock(self, address: str) -> Timelock | None:
        if address not in self._locks:
            self._locks[address] = read_timelock(self.node, address)
        return self._locks[address]

    def known(self, address: str) -> bool:
        """Whether ``address`` is a contract an action can go through."""
        if not self.node.code(address):
            return False
        return self.safe(address) is not None or self.timelock(address) is not None

    def through(self, base: Action, path: Sequence[str]) -> list[Action]:
        """``base`` done by ``path[0]``, as actions in order. The rest of the path says who acts for the one before.

        Raises ``AuthorityUnusable``.
        """
        actor, rest = checksum(path[0]), path[1:]
        if actor == self.deployer:
            return [base]
        if not self.node.code(actor):
            raise AuthorityUnusable(
                f"{base.title} needs {actor}, which is a key and not the one that signs here ({self.deployer})",
                remedy="Hand the right to a Safe or a timelock, or release with the signer that has it.",
            )
        safe = self.safe(actor)
        if safe is not None:
            return [self._by_safe(base, safe)]
        lock = self.timelock(actor)
        if lock is not None:
            return self._by_timelock(base, lock, rest)
        raise AuthorityUnusable(
            f"{base.title} needs {actor}, which is neither a Safe nor a TimelockController",
            remedy="Name the Safe or the timelock that has the right as `authority`.",
        )

    def _by_safe(self, base: Action, safe: SafeState) -> Action:
        needs = tuple(dict.fromkeys((safe.address, *base.needs_code)))
        if not safe.alone(self.deployer):
            return replace(base, kind="proposal", title=f"propose: {base.title}", by=safe.address, needs_code=needs)
        assert base.to is not None
        tx = SafeTx(base.to, base.value_wei, base.data, 0, safe.nonce)
        data = exec_calldata(tx, pack([approved(self.deployer)]))
        return replace(
            base, title=f"as the Safe {safe.address}: {base.title}", to=safe.address, value_wei=0, data=data,
            needs_code=needs,
        )  # fmt: skip

    def _by_timelock(self, base: Action, lock: Timelock, rest: Sequence[str]) -> list[Action]:
        assert base.to is not None
        operation = lock.operation(base.to, base.data, base.value_wei, base.id)
        proposer = checksum(rest[0]) if rest else self._acting(lock, PROPOSER, "propose to", base)
        if not lock.may(PROPOSER, proposer):
            raise AuthorityUnusable(
                f"{base.title}: {proposer} may not propose to the timelock {lock.address}",
                remedy="Name an account with PROPOSER_ROLE after the timelock in `authority`.",
            )
        schedule = replace(
            base, id=f"{base.id}.schedule", title=f"schedule: {base.title}", to=lock.address, value_wei=0,
            data=operation.schedule(lock.delay_s), effect={}, needs_code=(lock.address,), ready=None,
        )  # fmt: skip
        execute = replace(
            base, id=f"{base.id}.execute", title=f"execute: {base.title}", to=lock.address, data=operation.execute(), needs_code=(lock.address, *base.needs_code),
            ready=Ready(lock.address, operation.is_ready(), lock.delay_s),
        )  # fmt: skip
        actions = []
        if lock.timestamp_s(operation) == 0:
            actions += self.through(schedule, rest or (proposer,))
        if lock.may(EXECUTOR, self.deployer):
            return [*actions, execute]
        executor = proposer if lock.may(EXECUTOR, proposer) else self._acting(lock, EXECUTOR, "execute on", base)
        return actions + self.through(execute, rest if rest and executor == proposer else (executor,))

    def _acting(self, lock: Timelock, role: bytes, verb: str, base: Action) -> str:
        """The deployer if it has the role, else the one Safe or timelock among those that were granted it."""
        if lock.may(role, self.deployer):
            return self.deployer
        head = quantity(self.node.rpc.read("eth_blockNumber", []))
        granted = holders(logs(self.node.rpc, [lock.address], TOPICS, 0, head)).get((lock.address, role), ())
        found = [account for account in granted if self.known(account)]
        if len(found) == 1:
            return found[0]
        shown = ", ".join(found or granted) or "nobody"
        raise AuthorityUnusable(
            f"{base.title}: the deployer may not {verb} the timelock {lock.address}; those who may: {shown}",
            remedy="Say who acts for it: `authority = [timelock, safe]`.",
        )
