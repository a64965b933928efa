"""Only init code of the approved plan becomes a contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chains.evm.actions import Action
from chains.evm.address import CREATE2_FACTORY, keccak256
from chains.evm.createx import CREATEX, init_code_of
from pipeline.signing.rules.base import Request

__all__ = ["ApprovedInitCode"]

_BY = {CREATE2_FACTORY.lower(), CREATEX.lower()}


def _init_code(to: str | None, data: bytes) -> bytes | None:
    """The init code a transaction deploys directly or through a known factory; ``None`` when it deploys nothing so."""
    if to is None:
        return data
    if to.lower() == CREATE2_FACTORY.lower():
        return data[32:]
    if to.lower() == CREATEX.lower():
        try:
            return init_code_of(data)[1]
        except ValueError:
            return data
    return None


@dataclass(frozen=True)
class ApprovedInitCode:
    """``hashes`` are keccak256 of the init code of every creation in the approved plan."""

    hashes: frozenset[bytes]
    name: str = "init-code"

    @classmethod
    def of(cls, actions: Iterable[Action]) -> ApprovedInitCode:
        codes = (_init_code(action.to, action.data) for action in actions)
        return cls(frozenset(keccak256(code) for code in codes if code is not None))

    def problem(self, request: Request) -> str | None:
        if request.unsigned is None:
            return None
        code = _init_code(request.unsigned.to, request.unsigned.data)
        if code is not None and keccak256(code) not in self.hashes:
            return f"init code with keccak256 0x{keccak256(code).hex()} is not in the approved plan"
        return None
