"""Running a Foundry script dry: on a private copy of the chain that has the plan's earlier actions behind it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chains.base import Clock, Progress
from chains.errors import printable
from chains.evm.actions import Action
from chains.evm.artifacts import Artifact
from chains.evm.dry_run import Created, ScriptRefused, ScriptTransaction, creation_of, read_dry_run
from chains.evm.fork import private_fork
from chains.evm.forking import ForkFailed, apply_actions
from chains.evm.foundry import Workspace
from chains.evm.node import Node
from chains.evm.scene import SimulationUnsupported
from chains.evm.units import ScriptUnit
from chains.processes import run_tool
from chains.rpc import Rpc

__all__ = ["ForgeScripts", "script_environment"]

_TIMEOUT_S = 900.0


def script_environment(workspace: Workspace, broadcast: Path, addresses: Mapping[str, str]) -> dict[str, str]:
    """What forge runs a script with: the release build's settings, and every unit's address as ``SHIP_ADDRESS_<UNIT>``.

    What forge writes goes to ``broadcast``. Its cache of "sensitive values" holds the URL it was given, which is a
    loopback one here; it stays in the working folder and is never archived.
    """
    named = {f"SHIP_ADDRESS_{re.sub('[^A-Za-z0-9]', '_', name).upper()}": at for name, at in addresses.items()}
    return {**workspace.environment, "FOUNDRY_BUILD_INFO": "false", "FOUNDRY_BROADCAST": str(broadcast), **named}


@dataclass
class ForgeScripts:
    """``chains.evm.script_units.Scripts`` on a real forge and anvil. ``artifacts`` are all of the bundle."""

    workspace: Workspace
    artifacts: Sequence[Artifact]
    rpc: Rpc
    anvil: Path
    sender: str
    chain_id: int
    clock: Clock
    progress: Progress
    _known: dict[bytes, Artifact | None] = field(default_factory=dict)

    def run(
        self, unit: ScriptUnit, actions: Sequence[Action], addresses: Mapping[str, str]
    ) -> tuple[ScriptTransaction, ...]:
        self.progress.note(f"forge runs {unit.source} dry, on a private copy of the chain")
        folder = Path(tempfile.mkdtemp(prefix="ship-script-"))
        try:
            self._on_a_fork(unit, actions, addresses, folder)
            file = Path(unit.source.rpartition(":")[0]).name
            found = folder / file / str(self.chain_id) / "dry-run" / "run-latest.json"
            if not found.exists():
                others = [p.name for p in folder.glob(f"{file}/*")]
                if others:
                    raise ScriptRefused(
                        f"{unit.name} sends on chain {', '.join(others)}, the target is chain {self.chain_id}",
                        remedy="Leave `vm.createFork` and `vm.selectFork` out of it: a script runs for one target.",
                    )
                return ()
            return read_dry_run(found, sender=self.sender, chain_id=self.chain_id)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _on_a_fork(
        self, unit: ScriptUnit, actions: Sequence[Action], addresses: Mapping[str, str], folder: Path
    ) -> None:
        head = Node(self.rpc).account(self.sender)[2]
        try:
            with private_fork(self.rpc, self.anvil, head.number, self.clock) as endpoint:
                apply_actions(Rpc([endpoint], clock=self.clock), actions, self.sender)
                self._forge(unit, endpoint.url, folder, addresses)
        except SimulationUnsupported as error:
            raise ForkFailed(
                f"{unit.name}: {error}",
                done="Nothing was sent.",
                remedy="Run `ship doctor`; the endpoint must serve the state of its latest block.",
            ) from error

    def _forge(self, unit: ScriptUnit, url: str, broadcast: Path, addresses: Mapping[str, str]) -> None:
        root = self.workspace.root
        command: list[str | Path] = [self.workspace.forge.path, "script", "--root", root, "--color", "never"]
        command += ["--rpc-url", url, "--sender", self.sender, "--no-storage-caching", "--", unit.source]
        environment = script_environment(self.workspace, broadcast, addresses)
        finished = run_tool(command, cwd=root, timeout_s=_TIMEOUT_S, env=environment)
        if finished.exit_code != 0:
            raise ScriptRefused(
                f"{unit.name} ({unit.source}) fails: {_last_words(finished.text)}",
                remedy=f"Make `forge script {unit.source}` succeed. Addresses of units that come before it are in its "
                "environment, as SHIP_ADDRESS_<UNIT>.",
            )

    def artifact_of(self, created: Created) -> Artifact | None:
        if created.init_code not in self._known:
            self._known[created.init_code] = creation_of(created.init_code, self.artifacts, created.name)
        return self._known[created.init_code]


def _last_words(text: str) -> str:
    errors = [line.strip() for line in text.splitlines() if re.match(r"\s*(Error|\[?Revert|script failed)", line)]
    return printable("; ".join(dict.fromkeys(errors)) or text[-600:], 1_500)
