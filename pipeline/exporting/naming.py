"""Names of units and targets as other languages write them."""

from __future__ import annotations

import re

__all__ = ["camel", "constant", "snake"]

_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _words(name: str) -> list[str]:
    return [word for word in _BOUNDARY.sub("_", name).replace("-", "_").split("_") if word]


def constant(name: str) -> str:
    """``UniswapV2Router`` → ``UNISWAP_V2_ROUTER``."""
    return "_".join(_words(name)).upper()


def snake(name: str) -> str:
    """``UniswapV2Router`` → ``uniswap_v2_router``."""
    return constant(name).lower()


def camel(name: str) -> str:
    """``acme-vault`` → ``AcmeVault``."""
    return "".join(word[0].upper() + word[1:] for word in _words(name))
