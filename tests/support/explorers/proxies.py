"""What a proxy runs, as explorers find out: EIP-1967 slots, a beacon, EIP-1167's code."""

from __future__ import annotations

from chains.evm.address import checksum
from tests.support.explorers.indexing import IndexedChain

__all__ = ["implementation_of"]

_IMPLEMENTATION = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
_BEACON = 0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50
_CALL_IMPLEMENTATION = "0x5c60da1b"
_CLONE = (bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3"))


def implementation_of(chain: IndexedChain, proxy: str) -> str | None:
    code = chain.code(proxy)
    if code.startswith(_CLONE[0]) and code.endswith(_CLONE[1]):
        return checksum(code[10:30])
    if any(slot := chain.storage(proxy, _IMPLEMENTATION)[-20:]):
        return checksum(slot)
    if any(beacon := chain.storage(proxy, _BEACON)[-20:]):
        return checksum(chain.read(checksum(beacon), _CALL_IMPLEMENTATION)[-20:])
    return None
