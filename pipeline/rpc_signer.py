"""Letting forge send a script's transactions itself: a loopback JSON-RPC server that signs what the approved plan holds.

For scripts that need forge's own receipts. The plan is made from the dry run and approved as always; forge then runs with
``--unlocked --broadcast`` against the server. What it sends is held against the plan's next action of a script (recipient,
value, data, nonce) and goes through the same journal, policy and signer as any other transaction. Nothing else is signed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.evm.actions import Action
from chains.evm.loopback import loopback
from chains.evm.sender import Sender
from chains.rpc import RpcFault
from pipeline.plan import Plan
from pipeline.session import Session

__all__ = ["ScriptServer"]

_REFUSED = -32000
_SENT_WITHIN_S = 60.0


@dataclass
class ScriptServer:
    """One run of ``ship rpc-signer``. ``port`` 0 takes a free one."""

    session: Session
    plan: Plan
    port: int = 0
    _url: str = ""
    _announced: bool = False
    _released: set[str] = field(default_factory=set)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def actions(self) -> list[Action]:
        """The plan's actions that belong to scripts, in order."""
        scripts = self.session.target.units.spec.scripts
        return [action for action in self.plan.body.actions if action.unit in scripts]

    @contextlib.contextmanager
    def serving(self, sender: Sender) -> Iterator[None]:
        """Serve while the sender runs; its script actions wait until forge has asked for them."""
        sender.may_sign = lambda action: self._may_sign(sender, action)
        handlers = {
            "eth_accounts": lambda _: [self.plan.body.deployer],
            "eth_sendTransaction": lambda params: self._send(sender, params),
            "eth_sendRawTransaction": _no_raw,
        }
        with loopback(self.session.chain.rpc, handlers, port=self.port) as self._url:
            try:
                yield
            finally:
                self._over.set()

    def _may_sign(self, sender: Sender, action: Action) -> bool:
        own = self.actions
        if action not in own or action.id in self._released:
            return True
        before = self.plan.body.actions[: self.plan.body.actions.index(action)]
        if not self._announced and all(
            sender.states[a.id].stage in {"mined", "final", "adopted"} for a in before if a.id in sender.states
        ):
            self._announced = True
            self._announce()
        return False

    def _announce(self) -> None:
        for name, script in self.session.target.units.spec.scripts.items():
            if any(action.unit == name for action in self.actions):
                self.session.ui.note(
                    f"serving at {self._url}; now run: forge script {script.source} --rpc-url {self._url} --sender "
                    f"{self.plan.body.deployer} --unlocked --broadcast"
                )

    def _send(self, sender: Sender, params: list[Any]) -> str:
        """``eth_sendTransaction``: the hash of the planned transaction it is, signed and sent. Raises ``RpcFault``."""
        with self._turn:
            action = next((a for a in self.actions if not sender.states[a.id].attempts), None)
            if action is None:
                raise RpcFault(_REFUSED, "the plan has no further transaction of a script")
            problem = _difference(params[0] if params else {}, action, self.plan.body.deployer)
            if problem:
                raise RpcFault(
                    _REFUSED, f"not the plan's next transaction, {action.id}: {problem}. Nothing was signed."
                )
            self._released.add(action.id)
            return self._hash(sender, action)

    def _hash(self, sender: Sender, action: Action) -> str:
        clock = self.session.clock
        deadline_s = clock.monotonic_s() + _SENT_WITHIN_S
        while not (attempts := sender.states[action.id].attempts):
            if self._over.is_set() or clock.monotonic_s() > deadline_s:
                raise RpcFault(_REFUSED, f"{action.id} was not sent; see the output of ship rpc-signer")
            self._over.wait(0.02)
        return attempts[-1].hash


def _no_raw(_: list[Any]) -> Any:
    raise RpcFault(_REFUSED, "transactions signed elsewhere are not passed on: use --unlocked, without a key")


def _difference(asked: Mapping[str, Any], action: Action, deployer: str) -> str | None:
    """What differs between forge's transaction and the planned one; gas and fees are the plan's in any case."""
    try:
        data = bytes.fromhex(str(asked.get("input") or asked.get("data") or "0x")[2:])
        value_wei = int(str(asked.get("value") or "0x0"), 16)
        nonce = int(str(asked["nonce"]), 16) if asked.get("nonce") is not None else action.nonce
        sender, to = str(asked.get("from")).lower(), str(asked.get("to") or "").lower()
    except (ValueError, AttributeError):
        return "it cannot be read"
    rules = {
        "the sender": (sender, deployer.lower()),
        "the recipient": (to, (action.to or "").lower()),
        "the value": (value_wei, action.value_wei),
        "the data": (data, action.data),
        "the nonce": (nonce, action.nonce),
    }
    return next((f"{what} differs" for what, (given, planned) in rules.items() if given != planned), None)
