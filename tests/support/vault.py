"""The example vault, whose owner is a Safe, and what its owners do past ship."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.safes import ACCOUNTS, Chain, call, install, new_safe
from tests.support.schemas import hold

__all__ = ["Vault"]

OWNER_LINE = 'owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"'
UPGRADE = """source = "src/VaultV2.sol:VaultV2"
upgrade = { call = "initializeV2(address)", args = ["${params.treasury}"] }
authority = %s"""


class Vault:
    """The example vault on a chain with Safe's contracts, its Safe named `owner`."""

    def __init__(self, ship: Any, owners: list[str] | Callable[[Chain], list[str]], threshold: int) -> None:
        self.ship = ship
        self.chain = Chain(ship("localnet", "up").stdout.split()[3])
        install(self.chain)
        named = owners(self.chain) if callable(owners) else owners
        self.safe = new_safe(self.chain, named, threshold)
        ship.edit("manifests/local.toml", OWNER_LINE, f'owner = "{self.safe}"')

    def upgrade(self, authority: str) -> None:
        self.ship.edit("ship.toml", 'source = "src/Vault.sol:Vault"', UPGRADE % authority)
        self.ship.edit("ship.toml", 'version = "1.2.0-rc.1"', 'version = "1.3.0"')
        self.ship.edit(
            "ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"'
        )

    def proposal(self) -> tuple[Path, dict[str, Any]]:
        shown = json.loads(self.ship("proposals", "show", "--chain", "local", "--json").stdout)
        hold(shown)
        (listed,) = [p for p in shown["proposals"] if p["state"] == "proposed"]
        path = self.ship.root / listed["file"]
        return path, json.loads(path.read_text())

    def sign(self, owner: str) -> None:
        """As the owner's wallet would, from the exported file alone."""
        _, document = self.proposal()
        signature = self.chain.sign_typed(owner, document["ship"]["typedData"])
        document["ship"]["signatures"].append({"owner": owner, "signature": signature})
        signed = self.ship.root / f"signed-by-{owner}.json"
        signed.write_text(json.dumps(document))
        hold(json.loads(self.ship("proposals", "import", str(signed), "--chain", "local", "--json").stdout))

    def version(self, address: str) -> str:
        from eth_abi.abi import decode

        return str(decode(["string"], self.chain.read(address, "version()"))[0])

    def kinds(self) -> list[str]:
        return [row["kind"] for row in self.ship.journal() if row["kind"].startswith("proposal.")]

    def execute(self, document: dict[str, Any], signers: list[str]) -> None:
        """Another owner executes the proposal from the file, with the wallets' signatures, past ship."""
        ship = document["ship"]
        message = ship["typedData"]["message"]
        signatures = sorted((int(o, 16), self.chain.sign_typed(o, ship["typedData"])) for o in signers)
        packed = b"".join(bytes.fromhex(s[2:]) for _, s in signatures)
        execute = call(
            "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)",
            message["to"], int(message["value"]), bytes.fromhex(message["data"][2:]), message["operation"],
            0, 0, 0, message["gasToken"], message["refundReceiver"], packed,
        )  # fmt: skip
        self.chain.send(ship["safe"], execute, sender=ACCOUNTS[3])
