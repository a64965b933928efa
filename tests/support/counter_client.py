"""The counter as its users see it: through anchorpy, a client that no one here wrote."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from anchorpy import Context, Idl, Program, Provider, Wallet
from anchorpy.error import ProgramError
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.types import TxOpts
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from tests.support.anchor_idl import legacy_idl
from tests.support.solana_node import COUNTER

__all__ = ["CounterClient"]

_IDL = json.loads((COUNTER / "next" / "idl" / "counter.json").read_text())


@dataclass
class CounterClient:
    """One user and her counter. ``add`` is of the second version only."""

    url: str
    key: Keypair

    def open(self) -> None:
        self._do(lambda program, accounts: program.rpc["initialize"](ctx=Context(accounts=accounts)))

    def increment(self) -> int:
        """The count afterwards."""
        return int(self._do(lambda program, accounts: program.rpc["increment"](ctx=_user(accounts))))

    def add(self, amount: int) -> int | None:
        """The count afterwards; ``None`` where the program knows no such instruction."""
        try:
            return int(self._do(lambda program, accounts: program.rpc["add"](amount, ctx=_user(accounts))))
        except ProgramError as error:
            assert error.code == 101  # noqa: PT017  Anchor's own: no such instruction
            return None

    def _do(self, act: Callable[[Program, dict[str, Pubkey]], Coroutine[Any, Any, Any]]) -> int:
        return asyncio.run(asyncio.wait_for(self._talk(act), 60))

    async def _talk(self, act: Callable[[Program, dict[str, Pubkey]], Coroutine[Any, Any, Any]]) -> int:
        client = AsyncClient(self.url, commitment=Confirmed)
        provider = Provider(client, Wallet(self.key), TxOpts(skip_confirmation=False, preflight_commitment=Confirmed))
        address = Pubkey.from_string(_IDL["address"])
        program = Program(Idl.from_json(json.dumps(legacy_idl(_IDL))), address, provider)
        counter, _ = Pubkey.find_program_address([b"counter", bytes(self.key.pubkey())], address)
        try:
            await act(program, {"counter": counter, "authority": self.key.pubkey(), "system_program": Pubkey.default()})
            return int((await program.account["Counter"].fetch(counter)).count)
        finally:
            await program.close()


def _user(accounts: dict[str, Pubkey]) -> Context:
    return Context(accounts={name: key for name, key in accounts.items() if name != "system_program"})
