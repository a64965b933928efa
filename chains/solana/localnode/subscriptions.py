"""Who asked to be told what, over WebSocket."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .bank import Bank
from .base58 import b58decode, b58encode
from .params import Config, account_json, address, invalid
from .state import Account
from .store import Landed

__all__ = ["Client", "Subscriptions"]

_ids = itertools.count(1)
Push = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class _Subscription:
    kind: str
    params: list[Any]
    level: str
    seen: list[Account | None] = field(default_factory=list)
    """An account as it was last told."""


@dataclass(eq=False)
class Client:
    """One connection. ``push`` puts a message on its way."""

    push: Push
    active: dict[int, _Subscription] = field(default_factory=dict)

    def tell(self, kind: str, number: int, result: Any) -> None:
        params = {"result": result, "subscription": number}
        self.push({"jsonrpc": "2.0", "method": f"{kind}Notification", "params": params})


_KINDS = ("signature", "slot", "root", "logs", "account")
_LEVEL_AT = {"signature": 1, "logs": 1, "account": 1}


class Subscriptions:
    """All connections' subscriptions, told by the bank's two hooks."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._clients: set[Client] = set()
        self._told_root = bank.view("finalized")
        bank.on_slot, bank.on_landed = self._slot, self._landed

    def join(self, client: Client) -> None:
        self._clients.add(client)

    def leave(self, client: Client) -> None:
        self._clients.discard(client)

    def knows(self, method: str) -> bool:
        return method.removesuffix("Unsubscribe").removesuffix("Subscribe") in _KINDS

    def handle(self, client: Client, method: str, params: list[Any]) -> tuple[Any, Callable[[], None]]:
        """The answer, and what to do once that is on its way."""
        if method.endswith("Unsubscribe"):
            if not params or client.active.pop(params[0], None) is None:
                raise invalid("Invalid subscription id.")
            return True, lambda: None
        kind = method.removesuffix("Subscribe")
        config = Config.at(self._bank, params, _LEVEL_AT.get(kind, 9))
        number, level = next(_ids), config.get("commitment", "finalized")
        subscription = _Subscription(kind, params, level)
        if kind == "account":
            key = address(params[0])
            subscription.seen.append(self._bank.account(key, config.view))
        client.active[number] = subscription
        return number, lambda: self._look(client, number, subscription)

    def _context(self, level: str, value: Any) -> dict[str, Any]:
        return {"context": {"slot": self._bank.view(level)}, "value": value}

    def _look(self, client: Client, number: int, subscription: _Subscription) -> None:
        """Tell what has come true."""
        view = self._bank.view(subscription.level)
        if subscription.kind == "signature":
            row = self._bank.store.landed(b58decode(str(subscription.params[0])))
            if row and row.slot <= view:
                client.active.pop(number, None)  # told once, then over, as the protocol has it
                client.tell("signature", number, self._context(subscription.level, {"err": row.meta["err"]}))
        elif subscription.kind == "account":
            account = self._bank.account(address(subscription.params[0]), view)
            if account != subscription.seen[-1]:
                subscription.seen[:] = [account]
                config = Config.at(self._bank, subscription.params, 1)
                gone = Account(0, bytes(32), False, b"")
                shown = account_json(account or gone, config)
                client.tell("account", number, self._context(subscription.level, shown))

    def _each(self) -> list[tuple[Client, int, _Subscription]]:
        return [(client, *item) for client in self._clients for item in list(client.active.items())]

    def _slot(self) -> None:
        bank = self._bank
        head, root = bank.ledger.head, bank.view("finalized")
        for client, number, subscription in self._each():
            if subscription.kind == "slot":
                client.tell("slot", number, {"parent": bank.ledger.before(1), "root": root, "slot": head})
            elif subscription.kind == "root" and root != self._told_root:
                client.tell("root", number, root)
            elif subscription.kind == "logs" and subscription.level != "processed":
                newly = (
                    bank.settings.confirmed_lag if subscription.level == "confirmed" else bank.settings.finalized_lag
                )
                for row in bank.store.block(bank.ledger.before(newly)):
                    self._tell_logs(client, number, subscription, row)
            else:
                self._look(client, number, subscription)
        self._told_root = root

    def _landed(self, row: Landed) -> None:
        for client, number, subscription in self._each():
            if subscription.level != "processed":
                continue
            if subscription.kind == "logs":
                self._tell_logs(client, number, subscription, row)
            else:
                self._look(client, number, subscription)

    def _tell_logs(self, client: Client, number: int, subscription: _Subscription, row: Landed) -> None:
        wanted = subscription.params[0] if subscription.params else "all"
        if isinstance(wanted, dict):
            keys = {address(text) for text in wanted.get("mentions", [])}
            if not keys & self._bank.store.mentioned(row.slot, row.place):
                return
        value = {"signature": b58encode(row.signature), "err": row.meta["err"], "logs": row.meta["logMessages"]}
        client.tell("logs", number, self._context(subscription.level, value))
