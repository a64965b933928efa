"""What a message says, read from its bytes alone by a decoder that shares nothing with what made them.

Sources: the layouts of Solana's system program, compute-budget program and upgradeable loader (little-endian, bincode).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Said", "SaidInstruction", "read_message"]

_SYSTEM = "11111111111111111111111111111111"
_BUDGET = "ComputeBudget111111111111111111111111111111"
_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"
_RENT = "SysvarRent111111111111111111111111111111111"
_CLOCK = "SysvarC1ock11111111111111111111111111111111"
_ACCOUNTS: Mapping[str, tuple[tuple[int, ...], Mapping[int, str]]] = {
    "system.create-account": ((2,), {}),
    "system.transfer": ((2,), {}),
    "system.create-account-with-seed": ((2, 3), {}),
    "system.allocate-with-seed": ((2,), {}),
    "system.assign-with-seed": ((2,), {}),
    "budget.limit": ((0,), {}),
    "budget.price": ((0,), {}),
    "loader.initialize-buffer": ((2,), {}),
    "loader.write": ((2,), {}),
    "loader.deploy": ((8,), {4: _RENT, 5: _CLOCK, 6: _SYSTEM}),
    "loader.upgrade": ((7,), {4: _RENT, 5: _CLOCK}),
    "loader.set-authority": ((2, 3), {}),
    "loader.close": ((3,), {}),
    "loader.extend": ((4,), {2: _SYSTEM}),
    "loader.set-authority-checked": ((3,), {}),
    "loader.extend-checked": ((5,), {3: _SYSTEM}),
}
"""How many accounts each instruction has, and those that are always the same: no message may name others unseen."""


@dataclass(frozen=True)
class SaidInstruction:
    """``name`` is ``system.create-account``, ``loader.upgrade`` and so on, ``None`` where the program is none of those known here.
    ``fields`` are what it says, accounts by their part; ``accounts`` are all of them, with signer and writable."""

    program: str
    name: str | None
    fields: Mapping[str, Any]
    accounts: tuple[tuple[str, bool, bool], ...]
    data: bytes


@dataclass(frozen=True)
class Said:
    """A legacy message."""

    payer: str
    signers: tuple[str, ...]
    blockhash: str
    instructions: tuple[SaidInstruction, ...]

    @property
    def price_micro_lamports(self) -> int:
        return self._budget("budget.price")

    @property
    def units(self) -> int:
        """Compute units asked for; without a word of it, 200,000 for each other instruction."""
        others = sum(not (i.name or "").startswith("budget.") for i in self.instructions)
        return self._budget("budget.limit") or 200_000 * others

    @property
    def worst_lamports(self) -> int:
        """The fee at its most: five thousand a signature, and every unit at its price."""
        return 5_000 * len(self.signers) - (-self.units * self.price_micro_lamports // 1_000_000)

    def _budget(self, name: str) -> int:
        return next((int(i.fields["value"]) for i in self.instructions if i.name == name), 0)


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("it ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def short(self) -> int:
        """A compact-u16, in its one shortest form."""
        value = shift = 0
        for position in range(3):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                if (position and not byte) or value > 0xFFFF:
                    break
                return value
        raise ValueError("a length in no usual form")

    def key(self) -> str:
        return _base58(self.take(32))

    def rest(self) -> bytes:
        return self.take(len(self.data) - self.at)

    def end(self) -> None:
        if self.at != len(self.data):
            raise ValueError("bytes are left over")


_DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _base58(data: bytes) -> str:
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _DIGITS[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def read_message(message: bytes) -> Said:
    """Raises ``ValueError`` for anything that is not a legacy message in its one form."""
    source = _Bytes(message)
    signatures, signed_readonly, unsigned_readonly = source.take(3)
    if signatures & 0x80:
        raise ValueError("a versioned message, which is not made here")
    keys = [source.key() for _ in range(source.short())]
    if not 0 < signatures <= len(keys) or signed_readonly >= signatures or len(set(keys)) != len(keys):
        raise ValueError("its header does not fit its keys")

    def meta(index: int) -> tuple[str, bool, bool]:
        if index >= len(keys):
            raise ValueError("an account it does not have")
        signer = index < signatures
        readonly = index >= signatures - signed_readonly if signer else index >= len(keys) - unsigned_readonly
        return keys[index], signer, not readonly

    blockhash = source.key()
    instructions = []
    for _ in range(source.short()):
        program = meta(source.take(1)[0])[0]
        accounts = tuple(meta(index) for index in source.take(source.short()))
        data = source.take(source.short())
        name, fields = _named(program, [key for key, _, _ in accounts], data)
        instructions.append(SaidInstruction(program, name, fields, accounts, data))
    source.end()
    return Said(keys[0], tuple(keys[:signatures]), blockhash, tuple(instructions))


def _named(program: str, keys: list[str], data: bytes) -> tuple[str | None, Mapping[str, Any]]:
    readers: dict[str, Callable[[list[str], _Bytes], tuple[str, Mapping[str, Any]]]] = {
        _SYSTEM: _system,
        _BUDGET: _budget,
        _LOADER: _loader,
    }
    read = readers.get(program)
    if read is None:
        return None, {}
    source = _Bytes(data)
    try:
        name, fields = read(keys, source)
        source.end()
    except IndexError as error:
        raise ValueError("an instruction lacks accounts") from error
    counts, fixed = _ACCOUNTS[name]
    if len(keys) not in counts or any(keys[place] != key for place, key in fixed.items()):
        raise ValueError(f"{name} has other accounts than it takes")
    if "base" in fields and fields["base"] not in keys:
        raise ValueError(f"{name} names another base than its accounts")
    return name, fields


def _seed(source: _Bytes) -> str:
    return source.take(source.number(8)).decode("utf-8")


def _system(keys: list[str], source: _Bytes) -> tuple[str, Mapping[str, Any]]:
    match source.number(4):
        case 0:
            lamports, space, owner = source.number(8), source.number(8), source.key()
            made = {"from": keys[0], "account": keys[1], "lamports": lamports, "space": space, "owner": owner}
            return "system.create-account", made
        case 2:
            return "system.transfer", {"from": keys[0], "to": keys[1], "lamports": source.number(8)}
        case 3:
            base, seed = source.key(), _seed(source)
            lamports, space, owner = source.number(8), source.number(8), source.key()
            made = {"from": keys[0], "account": keys[1], "lamports": lamports, "space": space, "owner": owner}
            return "system.create-account-with-seed", {**made, "base": base, "seed": seed}
        case 9:
            base, seed, space, owner = source.key(), _seed(source), source.number(8), source.key()
            made = {"account": keys[0], "base": base, "seed": seed, "space": space, "owner": owner}
            return "system.allocate-with-seed", made
        case 10:
            base, seed, owner = source.key(), _seed(source), source.key()
            return "system.assign-with-seed", {"account": keys[0], "base": base, "seed": seed, "owner": owner}
        case other:
            raise ValueError(f"the system program's instruction {other}, which is never needed")


def _budget(_keys: list[str], source: _Bytes) -> tuple[str, Mapping[str, Any]]:
    match source.number(1):
        case 2:
            return "budget.limit", {"value": source.number(4)}
        case 3:
            return "budget.price", {"value": source.number(8)}
        case other:
            raise ValueError(f"the compute budget's instruction {other}, which is never needed")


def _loader(keys: list[str], source: _Bytes) -> tuple[str, Mapping[str, Any]]:
    match source.number(4):
        case 0:
            return "loader.initialize-buffer", {"buffer": keys[0], "authority": keys[1]}
        case 1:
            offset = source.number(4)
            data = source.take(source.number(8))
            return "loader.write", {"buffer": keys[0], "authority": keys[1], "offset": offset, "bytes": data}
        case 2:
            parts = ("payer", "program_data", "program", "buffer")
            made = dict(zip(parts, keys, strict=False))
            return "loader.deploy", {**made, "authority": keys[7], "max_length": source.number(8)}
        case 3:
            parts = ("program_data", "program", "buffer", "spill")
            return "loader.upgrade", {**dict(zip(parts, keys, strict=False)), "authority": keys[6]}
        case 4:
            new = keys[2] if len(keys) > 2 else None
            return "loader.set-authority", {"account": keys[0], "authority": keys[1], "new": new}
        case 5:
            return "loader.close", {"account": keys[0], "recipient": keys[1], "authority": keys[2]}
        case 6:
            parts = ("program_data", "program", "system", "payer")
            return "loader.extend", {**dict(zip(parts, keys, strict=False)), "bytes": source.number(4)}
        case 7:
            return "loader.set-authority-checked", {"account": keys[0], "authority": keys[1], "new": keys[2]}
        case 9:
            checked = ("program_data", "program", "authority", "system", "payer")
            return "loader.extend-checked", {**dict(zip(checked, keys, strict=False)), "bytes": source.number(4)}
        case other:
            raise ValueError(f"the loader's instruction {other}, which is never needed")
