"""Proof that an address is a multisig's vault: nothing is handed to a vault on somebody's word.

A vault has no account that says so. What is proven is that the Squads program keeps a multisig at the given address, and that the
vault's address follows from it. Two providers have to show it at finality, a lone one at two slots.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from chains.base import Clock
from chains.errors import Refused
from chains.solana.rpc import Cluster
from chains.solana.settings import NotFinal, Settings
from chains.solana.squads.accounts import Multisig, parse_multisig
from chains.solana.squads.addresses import SQUADS, vault_address

__all__ = ["NotAVault", "Vault", "find_vault", "prove_vault", "read_multisig"]

_INDICES = range(256)


class NotAVault(Refused):
    """SHIP-Q42: an address is not the vault of the multisig that is named for it."""

    code = "SHIP-Q42"


@dataclass(frozen=True)
class Vault:
    """A vault whose multisig was read at finality; made by ``prove_vault`` alone."""

    address: str
    index: int
    multisig: Multisig


def find_vault(multisig: str, address: str) -> int:
    """The index with which ``address`` is a vault of ``multisig``, by arithmetic alone. Raises ``NotAVault``."""
    key = _key(multisig)
    for index in _INDICES:
        if str(vault_address(key, index)[0]) == address:
            return index
    raise NotAVault(
        f"{address} is none of the vaults of the multisig {multisig}",
        remedy="Name the multisig's own address (not a vault's) as `multisig`, and the vault as the authority.",
    )


def read_multisig(cluster: Cluster, address: str) -> Multisig:
    """As one node shows it at `confirmed`. Raises ``NotAVault`` where there is none."""
    found = cluster.accounts([address], "confirmed")[address]
    if found is None or found.owner != str(SQUADS):
        raise _no_multisig(address)
    return parse_multisig(address, found)


def prove_vault(cluster: Cluster, clock: Clock, settings: Settings, multisig: str, vault: str) -> Vault:
    """Raises ``NotAVault`` on any provider's word, ``Unreadable``, and ``NotFinal`` where too few answer."""
    index = find_vault(multisig, vault)
    until_s = clock.monotonic_s() + settings.wait_s
    slots: set[int] = set()
    while True:
        newest: list[Multisig] = []
        for _, height, accounts, _ in cluster.each([multisig], []):
            found = accounts[multisig]
            if found is None or found.owner != str(SQUADS):
                raise _no_multisig(multisig)
            newest.append(parse_multisig(multisig, found))
            slots.add(height.slot)
        if len(newest) >= 2 or (newest and cluster.rpc.alone and len(slots) >= 2):
            return Vault(vault, index, max(newest, key=lambda one: one.transaction_index))
        if clock.monotonic_s() > until_s:
            raise NotFinal(
                f"too few providers show the multisig {multisig} at finality", remedy="Run the same command again."
            )
        clock.sleep_s(settings.poll_s)


def _key(text: str) -> Pubkey:
    try:
        return Pubkey.from_string(text)
    except ValueError as error:
        raise NotAVault(f"{text!r} is no address", remedy="Give the multisig's address in base58.") from error


def _no_multisig(address: str) -> NotAVault:
    return NotAVault(
        f"the Squads program keeps no multisig at {address}",
        remedy="Name the multisig's own address: the application shows it in its settings, and the vault's on the front page.",
    )
