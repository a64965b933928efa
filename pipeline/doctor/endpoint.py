"""One RPC endpoint: does it answer, for which chain, how fast, and can it do what a release asks of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal

from chains.errors import printable
from chains.evm.node import Head, quantity
from chains.rpc import Endpoint, RpcFault, RpcUnknown
from pipeline.doctor.findings import Finding

__all__ = ["Expected", "probe"]

_STALE_S = 1800
_METHOD_NOT_FOUND = -32601


@dataclass(frozen=True)
class Expected:
    """What the target says of its chain; ``finality_tag`` is a block tag the policy waits for, ``local`` a development chain."""

    chain_id: int
    genesis: str | None
    finality_tag: str | None
    local: bool


def probe(endpoint: Endpoint, expected: Expected) -> tuple[Finding, ...]:
    """Look at ``endpoint``: one finding, or one for each thing that is wrong with it."""
    requests: list[tuple[str, list[Any]]] = [
        ("eth_chainId", []),
        ("eth_getBlockByNumber", ["0x0", False]),
        ("eth_getBlockByNumber", ["latest", False]),
        ("web3_clientVersion", []),
    ]
    if expected.finality_tag:
        requests.append(("eth_getBlockByNumber", [expected.finality_tag, False]))
    try:
        answers = endpoint.batch(requests)
        began_s = time.monotonic()
        endpoint.batch([("eth_blockNumber", [])])
        latency_ms = round((time.monotonic() - began_s) * 1000)
        chain_id, head = quantity(answers[0]), Head.from_rpc(answers[2])
        simulates = _simulates(endpoint)
    except RpcUnknown as error:
        return (_missing(endpoint, str(error)),)
    except (ValueError, KeyError, TypeError):
        return (_missing(endpoint, "it answers, but not as a chain"),)
    client = answers[3] if isinstance(answers[3], str) else None
    genesis = answers[1].get("hash") if isinstance(answers[1], dict) else None
    facts = {
        "endpoint": endpoint.label,
        "chain_id": chain_id,
        "genesis": genesis,
        "latency_ms": latency_ms,
        "block": head.number,
        "client": printable(client, 80) if client else None,
        "simulates": simulates,
    }
    problems = _problems(endpoint, expected, chain_id, genesis, head, answers, simulates=simulates)
    if problems:
        return tuple(Finding(p.item, p.state, p.found, p.remedy, facts) for p in problems)
    speed = f"{latency_ms} ms" if latency_ms else "<1 ms"
    shown = f"{endpoint.label}  {speed}  block {head.number:,}  {printable(client, 60) if client else ''}"
    return (Finding("rpc", "ok", shown.rstrip(), facts=facts),)


def _missing(endpoint: Endpoint, why: str) -> Finding:
    why = why if endpoint.label in why else f"{endpoint.label}: {why}"
    return Finding(
        "rpc",
        "missing",
        why,
        "See that the node runs and that the URL, with its key, is right.",
        {"endpoint": endpoint.label},
    )


def _simulates(endpoint: Endpoint) -> bool:
    """Whether ``eth_simulateV1`` is there. An empty simulation costs nothing."""
    answer = endpoint.batch([("eth_simulateV1", [{"blockStateCalls": [{"calls": []}]}, "latest"])])[0]
    return not (isinstance(answer, RpcFault) and answer.code == _METHOD_NOT_FOUND)


def _problems(
    endpoint: Endpoint,
    expected: Expected,
    chain_id: int,
    genesis: str | None,
    head: Head,
    answers: list[Any],
    *,
    simulates: bool,
) -> list[Finding]:
    problems: list[Finding] = []

    def add(state: Literal["warn", "wrong"], found: str, remedy: str) -> None:
        problems.append(Finding("rpc", state, f"{endpoint.label} {found}", remedy))

    if chain_id != expected.chain_id:
        remedy = "Point the target's [rpc] endpoints at its own chain."
        add("wrong", f"serves chain {chain_id}, the target names chain {expected.chain_id}", remedy)
        return problems
    if genesis is None:
        add("wrong", "does not serve the genesis block", "Use an endpoint that does: ship checks which chain it is on.")
    elif expected.genesis and genesis.lower() != expected.genesis.lower():
        remedy = "This is another chain with the same id (a fork, or a local node begun anew). Use the right endpoint."
        add("wrong", f"has another genesis block: {genesis}, expected {expected.genesis}", remedy)
    age_s = int(time.time()) - head.timestamp_s
    if not expected.local and age_s > _STALE_S:
        add("warn", f"is behind: its newest block is {age_s // 60} minutes old", "Use an endpoint that is in step.")
    if expected.finality_tag and not isinstance(answers[4], dict):
        remedy = "Use another endpoint, or set `finality` under [policy] to a number of confirmations."
        add("wrong", f"gives no `{expected.finality_tag}` block, which the policy waits for", remedy)
    if not simulates:
        remedy = "Put an endpoint that serves it first (geth, reth, nethermind and anvil do), or see that anvil is installed."
        add("warn", "does not serve eth_simulateV1: plans are tried by state overrides, or on an anvil fork", remedy)
    return problems
