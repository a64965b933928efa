"""The state document: every storage slot the plan changes, and which variable of which contract it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.evm.address import checksum, keccak256
from chains.evm.artifacts import Artifact
from chains.evm.proxies import BEACON_SLOT, IMPLEMENTATION_SLOT, encode_call
from pipeline.review.contracts import Codes, minimal_proxy_target, roots_of
from pipeline.review.keys import KnownKeys
from pipeline.review.running import Replica, Step
from pipeline.review.slots import Change, Piece, SlotFinder
from pipeline.review.wellknown import well_known

__all__ = ["Account", "State", "Touch", "inspect_state"]

_ROUNDS = 4


@dataclass(frozen=True)
class Touch:
    """What one action did to one slot."""

    action: str
    words: Change


@dataclass
class Account:
    """An account whose storage or code the plan changes. ``contracts``: whose layouts its storage is read by."""

    address: str
    name: str
    contracts: tuple[Artifact, ...]
    code: tuple[bytes, bytes] | None
    touched: Mapping[int, Sequence[Touch]]
    finder: SlotFinder | None = None

    def unexplained(self) -> set[int]:
        """A slot counts as explained only when it is after every action that wrote it."""
        return set(self.finder.unexplained()) if self.finder else set()

    def to_json(self, allowed: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        bad = self.unexplained()
        return {
            "address": self.address,
            "name": self.name,
            "contracts": [artifact.source for artifact in self.contracts],
            "searched": self.finder is None or self.finder.complete,
            "code": None if self.code is None else {
                "before": _code_hash(self.code[0]), "after": _code_hash(self.code[1]), "after_bytes": len(self.code[1]),
            },
            "slots": [self._slot(slot, bad, allowed) for slot in sorted(self.touched)],
        }  # fmt: skip

    def _slot(self, slot: int, bad: set[int], allowed: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        touches = self.touched[slot]
        finder = self.finder
        assert finder
        before, after = touches[0].words[0], touches[-1].words[1]
        known = (
            "explained" if slot not in bad else "allowed" if slot in allowed.get(self.address, ()) else "unexplained"
        )
        return {
            "slot": "0x" + slot.to_bytes(32, "big").hex(),
            "before": "0x" + before.hex(),
            "after": "0x" + after.hex(),
            "known": known,
            "variables": [_piece(piece, before, after) for piece in finder.pieces(slot)],
            "actions": [{"action": t.action, "after": "0x" + t.words[1].hex()} for t in touches],
        }


def _piece(piece: Piece, before: bytes, after: bytes) -> dict[str, Any]:
    return {"path": piece.path, "type": piece.type, "before": piece.value(before), "after": piece.value(after)}


def _code_hash(code: bytes) -> str | None:
    return "0x" + keccak256(code).hex() if code else None


@dataclass(frozen=True)
class State:
    """``keys`` are what was known in the end; other documents name values by them."""

    accounts: tuple[Account, ...]
    keys: KnownKeys

    def unexplained(self) -> list[tuple[Account, int]]:
        return [(account, slot) for account in self.accounts for slot in sorted(account.unexplained())]

    def to_json(self, allowed: Mapping[str, Sequence[int]]) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/review-state",
            "accounts": [account.to_json(allowed) for account in self.accounts],
        }


def inspect_state(
    there: Replica, steps: Sequence[Step], codes: Codes, names: Mapping[str, str], keys: KnownKeys
) -> State:
    """Explain what ``steps`` changed. ``there`` has all of them behind it; ``keys`` grows."""
    _learn(keys, steps, codes)
    touched: dict[str, dict[int, list[Touch]]] = {}
    changed_code: dict[str, tuple[bytes, bytes]] = {}
    for step in steps:
        for address, slots in step.storage.items():
            for slot, words in slots.items():
                touched.setdefault(address, {}).setdefault(slot, []).append(Touch(step.action, words))
        for address, (before, after) in step.codes.items():
            changed_code[address] = (changed_code.get(address, (before, after))[0], after)
    accounts = []
    for address in sorted({*touched, *changed_code}, key=lambda a: (names.get(a.lower(), "~"), a.lower())):
        contracts = _Contracts(there, codes, touched).at(address)
        account = Account(
            address, names.get(address.lower(), ""), contracts, changed_code.get(address), touched.get(address, {})
        )
        account.finder = _finder(there, account, keys)
        accounts.append(account)
    _search(accounts, keys)
    return State(tuple(accounts), keys)


def _finder(there: Replica, account: Account, keys: KnownKeys) -> SlotFinder:
    """Any byte an action changed has to be explained, also where a later action put the old value back."""
    net: dict[int, Change] = {}
    for slot, touches in account.touched.items():
        differs = bytearray(32)
        for touch in touches:
            for i in range(32):
                differs[i] |= touch.words[0][i] ^ touch.words[1][i]
        after = touches[-1].words[1]
        net[slot] = bytes(a ^ d for a, d in zip(after, differs, strict=True)), after
    known = {slot: (touches[0].words[0], touches[-1].words[1]) for slot, touches in account.touched.items()}

    def stored(slot: int) -> Change:
        slot %= 2**256
        if slot not in known:
            word = there.slot(account.address, slot)
            known[slot] = word, word
        return known[slot]

    return SlotFinder(net, keys, stored)


def _search(accounts: Sequence[Account], keys: KnownKeys) -> None:
    """In rounds: what one round reads out of storage may be the key the next one needs."""
    for _ in range(_ROUNDS):
        size = keys.size
        for account in accounts:
            finder = account.finder
            assert finder
            if not finder.unexplained():
                continue
            finder.search([root for artifact in account.contracts for root in roots_of(artifact)])
            finder.search(well_known())
            for slot, touches in account.touched.items():
                for piece in finder.found.get(slot, {}).values():
                    for touch in touches:
                        for word in touch.words:
                            keys.add_value(piece.value(word))
        if keys.size == size:
            return


def _learn(keys: KnownKeys, steps: Sequence[Step], codes: Codes) -> None:
    for artifact in codes.artifacts:
        for entry in artifact.abi:
            if entry.get("type") == "function" and not entry.get("inputs"):
                keys.add_name(str(entry["name"]))
    for step in steps:
        for log in step.logs:
            for topic in log.topics[1:]:
                keys.add_word(topic)
            keys.add_words(log.data)
        for address, slots in step.storage.items():
            keys.add_address(address)
            for words in slots.values():
                for word in words:
                    keys.add_word(word)
        for address in sorted({*step.balances, *step.codes}):
            keys.add_address(address)


@dataclass
class _Contracts:
    """Whose code runs on an account's storage: its own, and what a proxy delegates to, before and after the plan."""

    there: Replica
    codes: Codes
    touched: Mapping[str, Mapping[int, Sequence[Touch]]]
    _found: dict[str, Artifact] = field(default_factory=dict)

    def at(self, address: str) -> tuple[Artifact, ...]:
        for before in (True, False):
            self._follow(address, before=before, depth=0)
        slot = int(IMPLEMENTATION_SLOT, 16)
        for touch in self.touched.get(address, {}).get(slot, ()):
            self._add(_address(touch.words[1]), before=False, depth=1)
        return tuple(self._found.values())

    def _follow(self, address: str, *, before: bool, depth: int) -> None:
        self._add(address, before=before, depth=depth)
        for target in (
            _address(self.there.slot(address, int(IMPLEMENTATION_SLOT, 16), before=before)),
            self._behind(_address(self.there.slot(address, int(BEACON_SLOT, 16), before=before)), before=before),
        ):
            self._add(target, before=before, depth=depth + 1)

    def _behind(self, beacon: str | None, *, before: bool) -> str | None:
        if beacon is None:
            return None
        return _address(self.there.call(beacon, encode_call("implementation", [], []), before=before) or b"")

    def _add(self, address: str | None, *, before: bool, depth: int) -> None:
        if address is None or depth > 2:
            return
        code = self.there.code(address, before=before)
        artifact = self.codes.find(code)
        if artifact is not None:
            self._found.setdefault(artifact.source, artifact)
        target = minimal_proxy_target(code)
        if target:
            self._add(target, before=before, depth=depth + 1)


def _address(word: bytes) -> str | None:
    raw = word[-20:]
    return checksum(raw) if len(word) >= 20 and any(raw) else None
