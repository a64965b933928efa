"""``[policy.calls]``: the addresses that may be called, and the functions of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chains.evm.actions import EvmPlan
from chains.evm.hashing import keccak256
from pipeline.manifest.policy_spec import CONTRACT_KEY
from pipeline.signing.rules.base import Request

__all__ = ["AllowedCalls"]

_TRANSFER = "receive()"


@dataclass(frozen=True)
class AllowedCalls:
    """``selectors`` by lower-case address; the empty one is a transfer without data."""

    selectors: Mapping[str, frozenset[bytes]]
    name: str = "calls"

    @classmethod
    def of(cls, written: Mapping[str, tuple[str, ...]], plan: EvmPlan) -> AllowedCalls:
        """``${contracts.NAME}`` is the address the plan gives that contract; one it does not give allows nothing."""
        places = {unit.name: unit.after.get("address") for unit in plan.units}
        selectors: dict[str, frozenset[bytes]] = {}
        for callee, signatures in written.items():
            match = CONTRACT_KEY.fullmatch(callee)
            address = places.get(match[1]) if match else callee
            if address is not None:
                chosen = frozenset(b"" if s == _TRANSFER else keccak256(s.encode())[:4] for s in signatures)
                selectors[address.lower()] = selectors.get(address.lower(), frozenset()) | chosen
        return cls(selectors)

    def problem(self, request: Request) -> str | None:
        for to, data in _calls(request):
            allowed = self.selectors.get(to.lower())
            if allowed is None:
                return f"calls to {to} are not allowed"
            if data[:4] not in allowed:
                return f"the function 0x{data[:4].hex()} of {to} is not allowed"
        return None


def _calls(request: Request) -> Iterator[tuple[str, bytes]]:
    """Every call made in the end: our own from the bytes themselves, a Safe's from the approved plan."""
    for action in request.covers:
        if action.kind == "proposal" and action.to is not None:
            yield action.to, action.data
        elif action.kind == "call" and request.unsigned is not None and request.unsigned.to is not None:
            yield request.unsigned.to, request.unsigned.data
