"""Event logs over any range: nodes limit how much one ``eth_getLogs`` may cover, so a refused range is halved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chains.errors import Resumable
from chains.rpc import Endpoint, Rpc, RpcFault, RpcUnknown

__all__ = ["LogsUnavailable", "logs", "logs_of_each"]

_MOST_REQUESTS = 4_000


class LogsUnavailable(Resumable):
    """SHIP-N05: no endpoint gives the event logs that a conclusion needs."""

    code = "SHIP-N05"


def _from(endpoint: Endpoint, addresses: Sequence[str], topics: list[Any], first: int, last: int) -> list[Any]:
    """Raises ``RpcUnknown`` when a single block is refused, or the range would take too many requests."""
    found: list[Any] = []
    ranges, step, requests = [(first, last)], last - first + 1, 0
    while ranges:
        low, high = ranges.pop()
        if high - low + 1 > step:
            ranges.append((low + step, high))
            high = low + step - 1
        requests += 1
        if requests > _MOST_REQUESTS:
            raise RpcUnknown(f"{endpoint.label} limits eth_getLogs to {step} blocks, too few for {last - first + 1}")
        query = {"address": list(addresses), "topics": topics, "fromBlock": hex(low), "toBlock": hex(high)}
        answer = endpoint.batch([("eth_getLogs", [query])])[0]
        if isinstance(answer, RpcFault):
            if low == high:
                raise RpcUnknown(f"{endpoint.label} gives no logs: {answer}")
            step = (high - low + 1) // 2
            ranges.append((low, high))
        elif isinstance(answer, list):
            found += [log for log in answer if isinstance(log, dict) and not log.get("removed")]
        else:
            raise RpcUnknown(f"{endpoint.label} answers eth_getLogs with something else")
    return found


def logs(rpc: Rpc, addresses: Sequence[str], topics: list[Any], first: int, last: int) -> list[Any]:
    """The logs of the first endpoint that gives them all, in the chain's order. Raises ``LogsUnavailable``."""
    if not addresses or last < first:
        return []
    problems = []
    for endpoint in rpc.endpoints:
        try:
            return _from(endpoint, addresses, topics, first, last)
        except RpcUnknown as error:
            problems.append(str(error))
    raise LogsUnavailable(
        f"no endpoint gives the events of blocks {first} to {last}: {'; '.join(problems)}",
        remedy="Add an endpoint that keeps event logs under [rpc] of the target, then run again.",
    )


def logs_of_each(rpc: Rpc, addresses: Sequence[str], topics: list[Any], first: int, last: int) -> list[Any] | None:
    """The logs of every endpoint that answers, together; ``None`` if one does not: then absence proves nothing."""
    together: list[Any] = []
    if last < first:
        return together
    for endpoint in rpc.endpoints:
        try:
            together += _from(endpoint, addresses, topics, first, last)
        except RpcUnknown:
            return None
    return together
