"""Whether what a plan shows of a transaction is what its bytes say. The first field that differs is named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.evm.hashing import keccak256
from pipeline.second_reader.contracts import Argument, Invocation, read_arguments
from pipeline.second_reader.reading import Call, Deployed, Reading

__all__ = ["difference", "lines"]

Shown = tuple[tuple[str, str, Any], ...]
"""Name, type and value of each argument."""


def difference(shown: Mapping[str, Any], reading: Reading) -> str | None:
    """The field of the plan's action ``shown`` (as in the plan's file) that the bytes contradict, or nothing."""
    unsigned = reading.unsigned
    plain = {
        "nonce": (shown["nonce"], unsigned.nonce),
        "gas_limit": (shown["gas_limit"], unsigned.gas_limit),
        "to": ((shown["to"] or "").lower(), unsigned.to or ""),
        "value_wei": (int(shown["value_wei"]), unsigned.value_wei),
        "data": (shown["data"], "0x" + unsigned.data.hex()),
        "payload_sha256": (shown["payload_sha256"], reading.payload_sha256),
        "kind": (shown["kind"].startswith("create"), reading.deployed is not None),
    }
    for field, (planned, read) in plain.items():
        if planned != read:
            return field
    if reading.deployed is not None:
        return _deployment(shown, reading.deployed)
    assert reading.call is not None
    if shown["needs_code"] and reading.call.to not in shown["needs_code"]:
        return "to"
    return _Calls(shown, reading.call).difference()


def _deployment(shown: Mapping[str, Any], deployed: Deployed) -> str | None:
    import hashlib

    if shown["address"] != deployed.address:
        return "address"
    if shown["effect"].get("created", {}).get(hashlib.sha256(deployed.init_code).hexdigest()) != deployed.address:
        return "effect"
    creations = [c for c in deployed.creations if c.source == shown["source"]]
    if not creations:
        return "source"
    own = _shown(creations[0].arguments)
    forms = [own]
    if deployed.initialize is not None:
        forms.append((*own, *_shown(deployed.initialize.arguments)))
    return None if _written(shown) in forms else "args"


@dataclass(frozen=True)
class _Calls:
    """A plan shows of a call through a timelock, a Safe or a proxy what is called in the end."""

    shown: Mapping[str, Any]
    call: Call

    def difference(self) -> str | None:
        checks = {"args": self._args(), "title": self._title(), "effect": self._effect()}
        return next((field for field, agrees in checks.items() if not agrees), None)

    def _read(self) -> list[tuple[Call, Invocation]]:
        return [(c, i) for c in self.call.all() if (i := c.invocation or self._as_shown(c)) is not None]

    def _as_shown(self, call: Call) -> Invocation | None:
        """A contract that is not in the bundle: the function the plan shows, if its selector and types fit the bytes."""
        name = self._function()
        arguments = self.shown["args"]
        types = [str(a["type"]) for a in arguments]
        if name is None or keccak256(f"{name}({','.join(types)})".encode())[:4] != call.data[:4]:
            return None
        read = read_arguments(types, [str(a["name"]) for a in arguments], call.data[4:])
        return None if read is None else Invocation(name, read)

    def _function(self) -> str | None:
        match = re.search(r"(?:^|: )call [^:]*\.([A-Za-z_$][A-Za-z0-9_$]*)$", self.shown["title"])
        return match[1] if match else None

    def _args(self) -> bool:
        written = _written(self.shown)
        if ".handover." in self.shown["id"]:  # shows the account alone; which right, is in the title
            held = {(kind, _key(value)) for _, i in self._read() for _, kind, value in _shown(i.arguments)}
            return all((kind, _key(value)) in held for _, kind, value in written)
        return not written or any(_fits(written, _shown(i.arguments)) for _, i in self._read())

    @property
    def _of_script(self) -> bool:
        """A script's calls are shown by name alone; what a script has done is named by its code, not by its calls."""
        return str(self.shown["title"]).startswith(f"{self.shown['unit']}: ")

    def _title(self) -> bool:
        name = self._function()
        if name is None or (self._of_script and self.call.invocation is None):
            return True
        takes = len(self.shown["args"])
        return any(i.function == name and (self._of_script or len(i.arguments) == takes) for _, i in self._read())

    def _effect(self) -> bool:
        effect = self.shown["effect"]
        done = {call.done for call in self.call.all()}
        made_by_call = self._function() is not None and not self._of_script
        if made_by_call and "done" in effect and effect["done"] not in done:
            return False
        if effect.get("implementation") is not None:
            held = [_key(value) for _, i in self._read() for _, kind, value in _shown(i.arguments) if kind == "address"]
            return _key(effect["implementation"]) in held
        return True


def _fits(written: Shown, read: Shown) -> bool:
    """Equal; a name the bytes' reader does not know counts for any."""
    return len(written) == len(read) and all(
        kind == other and _key(value) == _key(seen) and (name == known or not known)
        for (name, kind, value), (known, other, seen) in zip(written, read, strict=True)
    )


def _written(shown: Mapping[str, Any]) -> Shown:
    return tuple((str(a["name"]), str(a["type"]), _text(a["value"])) for a in shown["args"])


def _shown(arguments: Sequence[Argument]) -> Shown:
    return tuple((a.name, a.type, a.shown) for a in arguments)


def _text(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_text(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(value: Any) -> str:
    return str(value).lower() if re.fullmatch(r"0x[0-9a-fA-F]{40}", str(value)) else str(value)


def lines(reading: Reading) -> Iterator[str]:
    """For people: what the bytes say."""
    unsigned = reading.unsigned
    value = f", with {unsigned.value_wei} wei" if unsigned.value_wei else ""
    if reading.deployed is not None:
        sources = " or ".join(c.source for c in reading.deployed.creations) or "unknown code"
        yield f"  {unsigned.nonce:>5}  deploys {sources} at {reading.deployed.address}{value}"
        arguments = reading.deployed.creations[0].arguments if reading.deployed.creations else ()
        yield from _arguments(arguments, 9)
        if reading.deployed.initialize is not None:
            yield f"         and calls {reading.deployed.initialize.signature}"
            yield from _arguments(reading.deployed.initialize.arguments, 11)
        return
    assert reading.call is not None
    yield from _call(reading.call, f"  {unsigned.nonce:>5}  ", value)


def _call(call: Call, head: str, value: str) -> Iterator[str]:
    what = call.invocation.signature if call.invocation else f"an unknown function 0x{call.data[:4].hex()}"
    yield f"{head}calls {what} of {call.to}{value}"
    if call.invocation:
        yield from _arguments(call.invocation.arguments, len(head) + 2)
    for inner in call.inner:
        yield from _call(inner, " " * (len(head) + 2), f", with {inner.value_wei} wei" if inner.value_wei else "")


def _arguments(arguments: Sequence[Argument], indent: int) -> Iterator[str]:
    for argument in arguments:
        text = str(argument.shown)
        text = text if len(text) <= 66 else f"{text[:66]}… ({len(text)} characters)"
        yield f"{' ' * indent}{argument.type}{' ' + argument.name if argument.name else ''} = {text}"
