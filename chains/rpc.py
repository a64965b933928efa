"""The endpoints of one chain as a pool: who is asked, whose word counts, who gets what is signed.

No URL appears in any message: endpoints are named by their host (``chains.rpc_endpoint``, ``chains.http``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from chains.base import Clock, SystemClock
from chains.errors import Refused, Resumable
from chains.http import UrlRefused
from chains.rpc_endpoint import Endpoint, Request, RpcFault, RpcUnknown
from chains.rpc_health import Health
from chains.rpc_memory import Recent

__all__ = ["Endpoint", "Request", "Rpc", "RpcDown", "RpcFault", "RpcUnknown", "UrlRefused"]

_OVERLOAD_FAULTS = {-32603, -32005, -32016, 429}
_INTERNAL = -32603
_RUNS_CODE = {"eth_call", "eth_estimateGas", "eth_simulateV1"}
_ROUNDS = 4


class RpcDown(Resumable):
    """SHIP-N02: no endpoint gave a usable answer within the patience of the run."""

    code = "SHIP-N02"


Guard = Callable[[Endpoint], None]
"""Holds an endpoint against the chain that is wanted. Raises ``RpcUnknown``, or a ``Refused`` that says what it is."""


class Rpc:
    """The endpoints of one chain.

    The one that answered last is asked first; one that fails is put aside for a growing time and the next one takes
    over. After several failures in a row ``guard`` confirms that an endpoint still serves the same chain before its word
    counts again. ``patience_s`` bounds how long a read is retried before ``RpcDown``. Sends are never retried here: the
    state machine decides on them. ``submit`` are relays that take signed transactions in place of the endpoints;
    only with ``submit_fallback`` do the endpoints get what no relay took.
    """

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        submit: Sequence[Endpoint] = (),
        submit_fallback: bool = False,
        patience_s: float = 60.0,
        clock: Clock | None = None,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.submit = tuple(submit)
        self.submit_fallback = submit_fallback
        self.patience_s = patience_s
        self.clock: Clock = clock or SystemClock()
        self.guard: Guard | None = None
        self.answered_by = ""
        self._health = {id(endpoint): Health() for endpoint in (*self.endpoints, *self.submit)}
        self.recent = Recent(self.clock)
        self._first = 0
        for position, endpoint in enumerate(self.endpoints):
            if any(endpoint.label == other.label for other in self.endpoints[:position]):
                endpoint.label += f" (endpoint {position + 1})"

    @property
    def requests(self) -> int:
        return sum(endpoint.requests for endpoint in (*self.endpoints, *self.submit))

    @property
    def alone(self) -> bool:
        """Whether there is no second provider to ask."""
        return len(self.endpoints) < 2

    def put_aside(self, endpoint: Endpoint) -> None:
        """Ask the others first, and confirm this one's chain before it is asked again."""
        self._health[id(endpoint)].failed(self.clock, doubtful=True)

    def read(self, method: str, params: list[Any]) -> Any:
        """One answer. Raises ``RpcFault`` (reverts and refusals) or ``RpcDown``."""
        answer = self.read_all([(method, params)])[0]
        if isinstance(answer, RpcFault):
            raise answer
        return answer

    def read_all(self, requests: Sequence[Request], *, max_age_s: float = 0.0) -> list[Any | RpcFault]:
        """Answers of one endpoint, ``answered_by``, to all requests. Overload faults are retried; reverts are answers.

        With ``max_age_s`` what an endpoint answered that short a time ago will do, and what it answers is remembered.
        """
        if not requests:
            return []
        if max_age_s > 0:
            for endpoint in self._in_turn():
                if (kept := self.recent.find(endpoint, requests, max_age_s)) is not None:
                    self.answered_by = endpoint.label
                    return kept
        deadline_s = self.clock.monotonic_s() + self.patience_s
        last, rounds = "no endpoint", 0
        while True:
            late = self.clock.monotonic_s() >= deadline_s
            rounds += 1
            for endpoint in self._in_turn(everyone=late):
                try:
                    answers = self._ask(endpoint, requests)
                except (RpcUnknown, Refused) as error:
                    last = error.cause if isinstance(error, Refused) else str(error)
                    continue
                overloaded = [] if late else self._overloaded(requests, answers, rounds)
                if overloaded:
                    self._health[id(endpoint)].failed(self.clock)
                    last = f"{endpoint.label}: {overloaded[0]}"
                    continue
                self._first = self.endpoints.index(endpoint)
                self.answered_by = endpoint.label
                if max_age_s > 0:
                    self.recent.keep(endpoint, requests, answers)
                return answers
            if late:
                raise RpcDown(
                    f"no RPC endpoint gave a usable answer for {self.patience_s:g} s ({last})",
                    remedy="Check the endpoints with `ship doctor`, then run the same command again.",
                )
            self.clock.sleep_s(self._until_one_is_back_s(deadline_s))

    def _in_turn(self, *, everyone: bool = False) -> list[Endpoint]:
        """Those not put aside, or all; the one that answered last first."""
        now_s = self.clock.monotonic_s()
        ring = self.endpoints[self._first :] + self.endpoints[: self._first]
        return [e for e in ring if everyone or self._health[id(e)].away_until_s <= now_s]

    def _until_one_is_back_s(self, deadline_s: float) -> float:
        back_s = min((self._health[id(e)].away_until_s for e in self.endpoints), default=deadline_s)
        return max(min(back_s, deadline_s) - self.clock.monotonic_s(), 0.005)

    def _ask(self, endpoint: Endpoint, requests: Sequence[Request]) -> list[Any | RpcFault]:
        """Its answers, its chain confirmed where that is in doubt. Raises ``RpcUnknown`` and what ``guard`` raises."""
        health = self._health[id(endpoint)]
        try:
            if health.doubtful and self.guard is not None:
                self.guard(endpoint)
            answers = endpoint.batch(requests)
        except RpcUnknown:
            health.failed(self.clock)
            raise
        except Refused:
            health.failed(self.clock, doubtful=True)
            raise
        health.worked()
        return answers

    @staticmethod
    def _overloaded(requests: Sequence[Request], answers: Sequence[Any | RpcFault], rounds: int) -> list[RpcFault]:
        """Faults that may pass. Of a call that runs code an internal error may also be its outcome (an invalid opcode on
        some nodes), so that it is asked again only a few times."""
        found = []
        for (method, _), answer in zip(requests, answers, strict=True):
            if not isinstance(answer, RpcFault) or answer.reverted or answer.code not in _OVERLOAD_FAULTS:
                continue
            if answer.code == _INTERNAL and method in _RUNS_CODE and rounds > _ROUNDS:
                continue
            found.append(answer)
        return found

    def second_words(
        self, requests: Sequence[Request], *, than: str, max_age_s: float = 0.0
    ) -> Iterator[tuple[str, list[Any | RpcFault]]]:
        """``(label, answers)`` of every other provider than the one called ``than``, one after another as asked for.

        For conclusions that need two (design law 3). Those that are put aside or give nothing usable are passed over.
        """
        now_s = self.clock.monotonic_s()
        for endpoint in self.endpoints:
            if endpoint.label == than or self._health[id(endpoint)].away_until_s > now_s:
                continue
            if max_age_s > 0 and (kept := self.recent.find(endpoint, requests, max_age_s)) is not None:
                yield endpoint.label, kept
                continue
            with contextlib.suppress(RpcUnknown, Refused):
                yield endpoint.label, self._ask(endpoint, requests)

    def send_all(self, requests: Sequence[Request], *, widely: bool = False) -> list[str]:
        """Hand signed transactions on, to the first provider that answers or (``widely``) to every one.

        With relays, to every relay and to nobody else, unless ``submit_fallback`` says so. The answers are hints for
        people, never conclusions (design law 3).
        """
        hints: list[str] = []
        if self.submit:
            taken = [self._hand(relay, requests, hints) for relay in self.submit]
            if any(taken) or not self.submit_fallback:
                return hints
        # One that was put aside is better than none: what it gets is bound to its chain id.
        for endpoint in self._in_turn() or self.endpoints:
            answered = self._hand(endpoint, requests, hints)
            if answered is not None and not widely:
                break
        return hints

    def _hand(self, endpoint: Endpoint, requests: Sequence[Request], hints: list[str]) -> bool | None:
        """Whether it took all of it; ``None`` when it gave no answer."""
        try:
            answers = endpoint.batch(requests)
        except RpcUnknown as error:
            self._health[id(endpoint)].failed(self.clock)
            hints.append(str(error))
            return None
        faults = [f"{endpoint.label}: {answer}" for answer in answers if isinstance(answer, RpcFault)]
        hints += faults
        return not faults

    def ask_each(self, method: str, params: list[Any]) -> list[Any | RpcFault | RpcUnknown]:
        """The answer of every endpoint, for conclusions that need more than one (design law 3)."""
        answers: list[Any | RpcFault | RpcUnknown] = []
        for endpoint in self.endpoints:
            try:
                answers += self._ask(endpoint, [(method, params)])
            except RpcUnknown as error:
                answers.append(error)
            except Refused as error:
                answers.append(RpcUnknown(error.cause))
        return answers
