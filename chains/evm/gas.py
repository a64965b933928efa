"""Gas by the rules of the protocol alone: what a transaction takes before it runs, and what reaches a constructor."""

from __future__ import annotations

from chains.evm.actions import Action

__all__ = ["creation_call_gas", "creation_gas", "intrinsic_gas"]

_CREATE = 32_000


def intrinsic_gas(action: Action) -> int:
    """What any node takes for the transaction before it runs (EIP-2028, EIP-2, EIP-3860)."""
    zeros = action.data.count(0)
    gas = 21_000 + 4 * zeros + 16 * (len(action.data) - zeros)
    return gas if action.to else gas + 32_000 + 2 * -(-len(action.data) // 32)


def creation_gas(action: Action) -> int:
    """What CREATE itself takes (EIP-3860), apart from what runs in it."""
    return _CREATE + 2 * -(-len(action.data) // 32)


def creation_call_gas(action: Action, limit: int, around: int) -> int:
    """The limit of a call that CREATEs its input so that the constructor has what it has in a transaction of ``limit``.

    The call pays for copying the input, and CREATE keeps back a 64th of what is left (EIP-150). ``around`` is what the
    code that does it takes for its other opcodes before CREATE.
    """
    words = -(-len(action.data) // 32)
    copying = 2 * 3 * words + words * words // 512
    creating = creation_gas(action)
    called = intrinsic_gas(action) - creating
    inner = max(limit - intrinsic_gas(action), 0)
    return called + around + copying + creating + -(-inner * 64 // 63)
