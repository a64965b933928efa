"""One look at the chain for the transactions under way: head, finality, nonce, receipts, pool, canonical blocks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from chains.errors import Resumable
from chains.evm.actions import EvmPlan
from chains.evm.lifecycle import TxState
from chains.evm.node import Head, block_hash, quantity
from chains.evm.receipts import Receipts, read_receipts
from chains.evm.reconcile import Seen
from chains.rpc import Rpc

__all__ = ["ChainChanged", "Finality", "Looking"]

Finality = int | str
"""A number of confirmations (1 = the block it is in), or a block tag: ``latest``, ``safe``, ``finalized``."""


class ChainChanged(Resumable):
    """SHIP-E25: the endpoint began to serve another chain in the middle of a run."""

    code = "SHIP-E25"


@dataclass
class Looking:
    """Looks again and again; remembers only how far the blocks were read."""

    rpc: Rpc
    plan: EvmPlan
    finality: Finality
    receipts: Receipts = field(init=False)

    def __post_init__(self) -> None:
        self.receipts = Receipts(self.rpc)

    def look(self, states: Iterable[TxState], overdue: Collection[str] = ()) -> Seen | None:
        """Read everything ``reconcile`` needs, in two batches; ``None`` when the answers make no sense.

        Whether a pool knows a transaction matters for the ``overdue`` actions only, and is asked for these.

        Which chain it is comes first in the same batch: nothing is signed for another. Raises ``ChainChanged``, ``RpcDown``.
        """
        waiting = [s for s in states if s.stage in {"signed", "mined"}]
        pending = [s.attempts[-1].hash for s in waiting if s.stage == "signed" and s.action in overdue]
        hashes = self.receipts.at_once(waiting)
        tag = self.finality if isinstance(self.finality, str) else "latest"
        requests: list[tuple[str, list[Any]]] = [
            ("eth_chainId", []),
            ("eth_getBlockByNumber", ["0x0", False]),
            ("eth_getBlockByNumber", ["latest", False]),
            ("eth_getBlockByNumber", [tag, False]),
            ("eth_getTransactionCount", [self.plan.deployer, "latest"]),
        ]
        requests += [("eth_getTransactionByHash", [h]) for h in pending]
        requests += [("eth_getTransactionReceipt", [h]) for h in hashes]
        answers: list[Any] = self.rpc.read_all(requests)
        try:
            chain_id, genesis = quantity(answers[0]), block_hash(answers[1]["hash"])
            head, nonce = Head.from_rpc(answers[2]), quantity(answers[4])
            final_number = Head.from_rpc(answers[3]).number if isinstance(answers[3], dict) else -1
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        self._same_chain(chain_id, genesis)
        if isinstance(self.finality, int):
            final_number = head.number - self.finality + 1
        pooled = frozenset(h for h, t in zip(pending, answers[5:], strict=False) if isinstance(t, dict))
        known = read_receipts(hashes, answers[5 + len(pending) :]) if hashes else None
        receipts, canonical = self.receipts.of(waiting, known, head.number, nonce)
        return Seen(nonce, head.number, final_number, receipts, pooled, canonical, self.rpc.answered_by, head)

    def confirm_chain(self) -> bool:
        """Whether the endpoint says that it serves the plan's chain. Raises ``ChainChanged`` where it says otherwise."""
        answers: list[Any] = self.rpc.read_all([("eth_chainId", []), ("eth_getBlockByNumber", ["0x0", False])])
        try:
            chain_id, genesis = quantity(answers[0]), block_hash(answers[1]["hash"])
        except (ValueError, KeyError, TypeError):
            return False
        self._same_chain(chain_id, genesis)
        return True

    def _same_chain(self, chain_id: int, genesis: str) -> None:
        wanted = self.plan.chain
        if chain_id != wanted["id"]:
            problem = f"the endpoint now serves chain {chain_id} instead of {wanted['id']}"
        elif genesis != wanted["genesis_hash"].lower():
            problem = f"the endpoint now serves another chain {chain_id}, with the genesis block {genesis}"
        else:
            return
        raise ChainChanged(
            problem,
            done="Nothing was signed for the other chain.",
            remedy="Correct the endpoint, then run the same command again.",
        )
