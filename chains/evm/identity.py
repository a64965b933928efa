"""Which chain this is, held against every endpoint, and the account two providers agree on."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from chains.base import Clock
from chains.errors import Resumable
from chains.evm.fees import market_request
from chains.evm.node import Head, Node, WrongChain, account_requests, check_identity, hold_genesis, quantity
from chains.rpc import Endpoint, Request, Rpc, RpcDown, RpcUnknown

__all__ = ["ChainIdentity", "ProvidersDisagree", "agreed_account", "confirm", "first_questions", "guard"]


class ProvidersDisagree(Resumable):
    """SHIP-N06: two providers say different things about what only one answer can be true of."""

    code = "SHIP-N06"


@dataclass(frozen=True)
class ChainIdentity:
    """Which chain this is. ``genesis_hash`` is ``None`` where the target does not pin it; ``local``: nobody else's.

    ``transaction_gas_cap`` is the most gas one transaction may ask for there, where that is less than a block has.
    """

    name: str
    id: int
    genesis_hash: str | None
    currency: str
    block_time_s: float
    legacy_fees: bool = False
    local: bool = False
    fee_model: str = "eip1559"
    transaction_gas_cap: int | None = None

    @property
    def moment_s(self) -> float:
        """For how long an answer of the chain is as good as a new one while a plan is made: half a block, 3 s at most."""
        return min(self.block_time_s / 2, 3.0)


def confirm(rpc: Rpc, identity: ChainIdentity, clock: Clock, ahead: Sequence[Request] = ()) -> str:
    """Check chain id and genesis block on every endpoint that answers; gives the genesis hash.

    ``ahead`` is what will be read next: asked in the same batch, it is there when it is wanted (``Rpc.recent``).
    One that is down is put aside, and checked before its word counts once it is back. Raises ``WrongChain`` if one
    serves another chain, ``RpcDown`` if none answers within the patience of the run.
    """
    deadline_s = clock.monotonic_s() + rpc.patience_s
    while True:
        genesis, problems = _identities(rpc, identity, ahead)
        if genesis is not None:
            guard(rpc, identity, genesis)
            _confirm_relays(rpc, identity)
            return genesis
        if clock.monotonic_s() >= deadline_s:
            break
        clock.sleep_s(min(1.0, rpc.patience_s / 10))
    raise RpcDown(
        f"no endpoint of {identity.name} answers: {'; '.join(problems)}",
        done="Nothing was sent.",
        remedy="Check the target's [rpc] endpoints; `ship doctor` tries each of them.",
    )


def first_questions(identity: ChainIdentity, deployer: str) -> list[Request]:
    """What a plan for ``deployer`` begins with. Nothing on a chain without blocks of a known pace: it answers at once."""
    if identity.moment_s == 0:
        return []
    return [*account_requests(deployer), market_request(legacy=identity.legacy_fees)]


def guard(rpc: Rpc, identity: ChainIdentity, genesis_hash: str) -> None:
    """From now on an endpoint that was away is held against chain id and genesis before its word counts."""
    rpc.guard = lambda endpoint: _only_checked(endpoint, identity.id, genesis_hash)


def _only_checked(endpoint: Endpoint, chain_id: int, genesis_hash: str) -> None:
    check_identity(endpoint, chain_id, genesis_hash)


def _identities(rpc: Rpc, identity: ChainIdentity, ahead: Sequence[Request]) -> tuple[str | None, list[str]]:
    """The genesis hash all endpoints that answer agree on, asked side by side, and what the others said."""

    def ask(endpoint: Endpoint) -> str | RpcUnknown:
        try:
            genesis, answers = check_identity(endpoint, identity.id, identity.genesis_hash, ahead)
        except RpcUnknown as error:
            return error
        rpc.recent.keep(endpoint, ahead, answers)
        return genesis

    endpoints = rpc.endpoints
    if rpc.alone:
        answers = [ask(endpoint) for endpoint in endpoints]
    else:
        with ThreadPoolExecutor(max_workers=min(len(endpoints), 8)) as threads:
            answers = list(threads.map(ask, endpoints))
    genesis, problems = None, []
    for endpoint, answer in zip(endpoints, answers, strict=True):
        if isinstance(answer, RpcUnknown):
            rpc.put_aside(endpoint)
            problems.append(str(answer))
            continue
        genesis = genesis or answer
        hold_genesis(endpoint, answer, genesis, identity.id)
    return genesis, problems


def _confirm_relays(rpc: Rpc, identity: ChainIdentity) -> None:
    """A relay that says which chain it serves must serve this one. Not every relay answers reads."""
    for relay in rpc.submit:
        try:
            answer = relay.batch([("eth_chainId", [])])[0]
            found = quantity(answer)
        except (RpcUnknown, ValueError):
            continue
        if found != identity.id:
            raise WrongChain(
                f"the relay {relay.label} serves chain {found}, the target names chain {identity.id}",
                remedy="Correct `submit` under the target's [rpc].",
            )


def agreed_account(rpc: Rpc, identity: ChainIdentity, clock: Clock, deployer: str) -> tuple[int, int, Head]:
    """Nonce, balance and head. Addresses follow from the nonce, so two providers must give the same one (design
    law 3); one that is a block behind catches up within moments. Raises ``ProvidersDisagree`` if it does not.
    """
    deadline_s = clock.monotonic_s() + max(10.0, 3 * identity.block_time_s)
    request: list[tuple[str, list[Any]]] = [("eth_getTransactionCount", [deployer, "latest"])]
    max_age_s = identity.moment_s
    while True:
        account = Node(rpc).account(deployer, max_age_s=max_age_s)
        others = {}
        for label, answers in rpc.second_words(request, than=rpc.answered_by, max_age_s=max_age_s):
            with contextlib.suppress(ValueError):
                others[label] = quantity(answers[0])
            if others.get(label) == account[0]:
                return account
        if not others:
            return account
        max_age_s = 0.0
        if clock.monotonic_s() >= deadline_s:
            said = ", ".join(f"{label} says {count}" for label, count in others.items())
            raise ProvidersDisagree(
                f"the providers disagree about the next nonce of {deployer}: {account[0]}, but {said}",
                done="Nothing was sent.",
                remedy="Wait until the deployer has no transaction on its way, then run again; a provider that stays "
                "behind has to be replaced.",
            )
        clock.sleep_s(max(0.25, min(identity.block_time_s / 2, 3.0)))
