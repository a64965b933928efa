"""Reaching a target's chain: its endpoints as a pool, and which chain they must serve.

``ask_ahead`` puts the first question while the rest of ``ship`` is still being imported: half a second in which a hosted
node sets up TLS and answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from chains.base import Clock, SystemClock
from chains.errors import Refused, ShipError, Where
from chains.evm.identity import ChainIdentity, confirm, first_questions
from chains.rpc import Endpoint, Rpc
from pipeline.manifest.project import Project
from pipeline.manifest.secrets import resolve_endpoint
from pipeline.manifest.target import Target

__all__ = ["NoEndpoint", "Reached", "ask_ahead", "endpoint_urls", "is_embedded", "pool", "reach", "relay_urls"]


class NoEndpoint(Refused):
    """SHIP-C02: the target names no endpoint."""

    code = "SHIP-C02"


@dataclass(frozen=True)
class Reached:
    """``confirmed`` gives the genesis hash, or raises what ``identity.confirm`` does."""

    rpc: Rpc
    identity: ChainIdentity
    confirmed: Callable[[str], str]


def is_embedded(target: Target) -> bool:
    """Whether ``ship`` runs this chain itself: a local chain without endpoints."""
    return target.chain.local and not target.spec.rpc.endpoints


def endpoint_urls(project: Project, target: Target) -> list[str]:
    """The URLs of a target's endpoints, secrets resolved; the chain's public one where it names none.

    Raises ``NoEndpoint``, and what a secret that cannot be read raises.
    """
    urls = _resolved(project, target, "endpoints", target.spec.rpc.endpoints)
    urls = urls or ([target.chain.rpc_url] if target.chain.rpc_url else [])
    if not urls:
        raise NoEndpoint(
            f"the target {target.name} names no RPC endpoint",
            where=Where(target.file),
            remedy='Add `endpoints = ["env:RPC_URL"]` under [rpc].',
        )
    return urls


def relay_urls(project: Project, target: Target) -> list[str]:
    """The URLs of a target's private relays, secrets resolved."""
    return _resolved(project, target, "submit", target.spec.rpc.submit)


def _resolved(project: Project, target: Target, key: str, texts: Sequence[str]) -> list[str]:
    allowed = target.spec.network.allow_hosts
    return [
        resolve_endpoint(text, project.root, allow_hosts=allowed, where=target.layers.where(("rpc", key, position)))
        for position, text in enumerate(texts)
    ]


def pool(project: Project, target: Target, urls: Sequence[str], clock: Clock) -> Rpc:
    """The endpoints at ``urls`` and the target's relays; nothing is asked yet."""
    timeout_s = float(target.spec.rpc.timeout_s)
    return Rpc(
        [Endpoint(url, timeout_s=timeout_s) for url in urls],
        submit=[Endpoint(url, timeout_s=timeout_s) for url in relay_urls(project, target)],
        submit_fallback=target.spec.rpc.submit_fallback,
        clock=clock,
    )


def reach(project: Project, target: Target, urls: Sequence[str], clock: Clock) -> Reached:
    """The pool, and which chain it must serve; nothing is asked yet."""
    facts, rpc = target.chain, pool(project, target, urls, clock)
    identity = ChainIdentity(
        name=facts.name,
        id=facts.chain_id or 0,
        genesis_hash=facts.genesis,
        currency=facts.currency,
        block_time_s=0.0 if is_embedded(target) else facts.block_time_ms / 1000,
        legacy_fees=facts.fee_model == "legacy",
        local=facts.local,
        fee_model=facts.fee_model,
        transaction_gas_cap=facts.transaction_gas_cap,
    )
    return Reached(
        rpc, identity, lambda deployer: confirm(rpc, identity, clock, ahead=first_questions(identity, deployer))
    )


def ask_ahead(project: Project, target: Target) -> Reached | None:
    """Begin to confirm the chain, in a thread; ``None`` for one that ``ship`` runs itself, and for a Solana cluster.

    Only where the target pins its signer is its account asked for along. Raises nothing: what is wrong is raised by
    ``confirmed``, in the step that needs it.
    """
    if is_embedded(target) or target.chain.kind != "evm":
        return None
    try:
        reached = reach(project, target, endpoint_urls(project, target), SystemClock())
    except ShipError:
        return None  # opening the target says it again, at its place
    signer = target.spec.signer.address if target.spec.signer else None
    answer: Future[str] = Future()

    def ask() -> None:
        try:
            ahead = first_questions(reached.identity, signer) if signer else ()
            answer.set_result(confirm(reached.rpc, reached.identity, SystemClock(), ahead=ahead))
        except BaseException as error:  # noqa: BLE001  raised again by whoever asks for the answer
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True, name=f"asking {target.name}").start()
    return Reached(reached.rpc, reached.identity, lambda _: answer.result())
