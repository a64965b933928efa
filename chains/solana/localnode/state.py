"""Accounts as they were at every slot that is not final yet, so that each commitment level has its own answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Account", "State"]


@dataclass(frozen=True)
class Account:
    """What lies at an address. One without lamports does not exist."""

    lamports: int
    owner: bytes
    executable: bool
    data: bytes


class State:
    """Versions of accounts by slot; ``changed`` are those written since the last call of ``taken``."""

    def __init__(self, accounts: Mapping[bytes, Account], slot: int) -> None:
        self._versions: dict[bytes, list[tuple[int, Account | None]]] = {
            key: [(slot, account)] for key, account in accounts.items()
        }
        self._several: set[bytes] = set()
        self._changed: set[bytes] = set()

    def put(self, key: bytes, account: Account | None, slot: int) -> None:
        versions = self._versions.setdefault(key, [(-1, None)])
        if versions[-1][1] == account:
            return
        if versions[-1][0] == slot:
            versions[-1] = (slot, account)
        else:
            versions.append((slot, account))
            self._several.add(key)
        self._changed.add(key)

    def knows(self, key: bytes) -> bool:
        return key in self._versions

    def at(self, key: bytes, slot: int) -> Account | None:
        return next((account for s, account in reversed(self._versions.get(key, ())) if s <= slot), None)

    def owned(self, owner: bytes, slot: int) -> Iterator[tuple[bytes, Account]]:
        for key in sorted(self._versions):
            account = self.at(key, slot)
            if account is not None and account.owner == owner:
                yield key, account

    def live(self, slot: int) -> dict[bytes, Account]:
        found = ((key, self.at(key, slot)) for key in self._versions)
        return {key: account for key, account in found if account is not None}

    def root(self, slot: int) -> None:
        """Forget what no commitment level from ``slot`` on can see."""
        for key in [*self._several]:
            versions = self._versions[key]
            first = next((i for i in range(len(versions) - 1, -1, -1) if versions[i][0] <= slot), 0)
            del versions[:first]
            if len(versions) == 1:
                self._several.discard(key)

    def fork_away(self, kept: int) -> None:
        """Back to what ``kept`` saw."""
        for key, versions in self._versions.items():
            if versions[-1][0] > kept:
                self._versions[key] = [v for v in versions if v[0] <= kept] or [(-1, None)]
                self._changed.add(key)

    def taken(self) -> Iterable[tuple[bytes, Account | None]]:
        """The accounts written since the last call, as they are now."""
        changed, self._changed = self._changed, set()
        return [(key, self._versions[key][-1][1]) for key in changed]
