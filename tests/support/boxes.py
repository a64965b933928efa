"""A small project of OpenZeppelin proxies, one of each kind, for tests that release it, break it, and take it back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from chains.errors import ShipError
from chains.evm.hashing import keccak256
from pipeline.localnets import start_localnet, stop_localnet
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.rollback.drilling import drill_project
from pipeline.rollback.running import RollbackOptions, RolledBack, roll_back, show_rollback
from pipeline.signing.password import PasswordOptions
from pipeline.ui.plain import PlainUi
from tests.support.safes import Chain
from tests.support.schemas import hold

__all__ = ["BOX", "CHECK", "FOUNDRY", "KINDS", "Boxes", "unit"]

PACKAGES = Path(__file__).resolve().parents[2] / "examples" / "vault" / "node_modules"
FOUNDRY = """[profile.default]
solc = "0.8.37"
evm_version = "cancun"
libs = ["node_modules"]
auto_detect_remappings = false
remappings = ["@openzeppelin/=node_modules/@openzeppelin/"]
"""
HEAD = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;
import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";
import {TransparentUpgradeableProxy} from "@openzeppelin/contracts/proxy/transparent/TransparentUpgradeableProxy.sol";
import {UpgradeableBeacon} from "@openzeppelin/contracts/proxy/beacon/UpgradeableBeacon.sol";
import {BeaconProxy} from "@openzeppelin/contracts/proxy/beacon/BeaconProxy.sol";
import {UUPSUpgradeable} from "@openzeppelin/contracts-upgradeable/proxy/utils/UUPSUpgradeable.sol";
import {OwnableUpgradeable} from "@openzeppelin/contracts-upgradeable/access/OwnableUpgradeable.sol";
"""
BOX = (
    HEAD
    + """
contract Box is UUPSUpgradeable, OwnableUpgradeable {
    uint256 public value;
    uint256[49] private __gap;
    constructor() { _disableInitializers(); }
    function initialize(address owner_) external initializer { __Ownable_init(owner_); value = 7; }
    function _authorizeUpgrade(address) internal override onlyOwner {}
    function version() external pure returns (uint256) { return 1; }
    // more
}
"""
)
KINDS = ("uups", "transparent", "beacon")
CHECK = """
[checks.version]
on = "${contracts.%s}"
call = "version()(uint256)"
equals = 1
"""


def unit(name: str, kind: str, owner: str = "${deployer}", more: str = "") -> str:
    """A Box of its own behind a proxy of ``kind``."""
    owned = f'proxy-owner = "{owner}"\n' if kind != "uups" else ""
    return (
        f'[contracts.{name}]\nsource = "src/Box.sol:Box"\nproxy = "{kind}"\n{owned}{more}'
        f'initialize = {{ call = "initialize(address)", args = ["{owner}"] }}\n'
    )


class Boxes:
    """A released project; ``small`` is one of the integration tests' projects in a folder of its own."""

    def __init__(self, small: Any) -> None:
        assert PACKAGES.is_dir(), "run scripts/setup: the vault lacks its npm packages"
        self.small = small
        self.root: Path = small.root
        self.said = ""
        if not (self.root / "node_modules").exists():
            (self.root / "node_modules").symlink_to(PACKAGES)

    def edit(self, file: str, old: str, new: str) -> None:
        self.small.edit(file, old, new)

    def release(self, exit_code: int = 0) -> Any:
        outcome, self.said = self.small.deploy()
        assert outcome.exit_code == exit_code, self.said
        return outcome

    def second(self, *, source: tuple[str, str] | None = None, version: str = "1.1.0") -> None:
        """The sources of the next version, whose ``version()`` is 2."""
        self.edit("ship.toml", 'version = "1.0.0"', f'version = "{version}"')
        self.edit("src/Box.sol", "return 1;", "return 2;")
        if "equals = 1" in (self.root / "ship.toml").read_text():
            self.edit("ship.toml", "equals = 1", "equals = 2")
        if source is not None:
            self.edit("src/Box.sol", *source)

    def back(self, to: str | None = None, **options: Any) -> RolledBack:
        project = load_project(self.root)
        said = StringIO()
        try:
            done = roll_back(
                project,
                load_target(project, "local"),
                RollbackOptions(to, True, PasswordOptions(), **options),
                PlainUi(said),
            )
        finally:
            self.said = said.getvalue()
        hold(done.to_json("local"))
        return done

    def refused(self, error: type[ShipError], to: str | None = None, **options: Any) -> ShipError:
        """Going back is refused with ``error``, and nothing was signed."""
        signed = len(self.rows("tx.signed"))
        try:
            self.back(to, **options)
        except error as caught:
            assert len(self.rows("tx.signed")) == signed
            return caught
        raise AssertionError(f"it was not refused: {self.said}")

    def shown(self, to: str | None = None, out: Path | None = None) -> dict[str, Any]:
        project = load_project(self.root)
        said = StringIO()
        found = show_rollback(project, load_target(project, "local"), to, out, PlainUi(said))
        self.said = said.getvalue()
        hold(found)
        return found

    def drill(self) -> dict[str, Any]:
        said = StringIO()
        found = drill_project(load_project(self.root), "local", PlainUi(said)).to_json()
        self.said = said.getvalue()
        hold(found)
        return found

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The local chain runs on between commands, and can be asked."""
        self.chain = Chain(start_localnet(self.root, "local").url)
        try:
            yield
        finally:
            stop_localnet(self.root, "local")

    def live(self) -> dict[str, Any]:
        """By unit, what the journal says is live."""
        from pipeline.session import open_session

        project = load_project(self.root)
        target = load_target(project, "local")
        with open_session(project, target, PlainUi(StringIO()), purpose="test", write=False) as session:
            return dict(session.live())

    def read(self, name: str, signature: str = "version()") -> int:
        """A view of a unit, as a number."""
        address = self.live()[name].address
        with self.small.chain() as rpc:
            call = {"to": address, "input": "0x" + keccak256(signature.encode())[:4].hex()}
            return int(rpc.read("eth_call", [call, "latest"]), 16)

    def record(self, name: str) -> dict[str, Any]:
        """A file below ``releases``."""
        document: dict[str, Any] = json.loads((self.root / "releases" / name).read_text())
        return document

    def rows(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.root / "deployments/local/journal.jsonl").read_text().splitlines()
        return [row["data"] for row in map(json.loads, lines) if row["kind"] == kind]
