"""Scenes tried in the best way the node and this machine have: ``eth_simulateV1``, else state overrides, else a fork."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chains.base import Clock, Progress, SystemClock
from chains.evm.node import Head, Node
from chains.evm.node_simulation import on_node
from chains.evm.scene import Ran, Scene, SimulationUnsupported
from chains.rpc import Rpc
from chains.tools import ToolMissing

if TYPE_CHECKING:
    from chains.evm.fork_simulation import Forked

__all__ = ["Simulator"]

_FRESH_S = 20.0
"""Nodes without history keep the state of 128 blocks; the quickest chains make four a second."""


@dataclass
class Simulator:
    """Tries scenes for one ``sender``. A fork, once it is needed, stays until the context ends.

    ``anvil`` finds the program that forks the chain; without it there is no fork. What the node cannot do is asked for
    once. Every ``run`` raises ``SimulationUnsupported``, with the reason of each way, where none is left.
    """

    rpc: Rpc
    sender: str
    clock: Clock = field(default_factory=SystemClock)
    progress: Progress | None = None
    anvil: Callable[[], Path] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _head: Head | None = None
    _forked: Forked | None = None
    _refused: str | None = None
    _looked_at_s: float = 0.0
    _told: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        self._forked = None
        self._stack.close()

    def rest_on(self, head: Head) -> None:
        """Take ``head``, which was just read, for the block to rest on."""
        self._head, self._looked_at_s = head, self.clock.monotonic_s()

    def run(self, scene: Scene) -> Ran:
        if self._refused is None:
            try:
                return self._on_node(scene)
            except SimulationUnsupported as error:
                self._refused = str(error)
        # Where a node simulates by itself these are needed by nobody.
        from chains.evm.overriding import by_overrides

        reasons = [self._refused]
        try:
            ran = by_overrides(self.rpc, scene, self._block())
        except SimulationUnsupported as error:
            reasons.append(f"state overrides: {error}")
        else:
            self._tell("by state overrides")
            return ran
        try:
            ran = self._fork().run(scene)
        except (SimulationUnsupported, ToolMissing) as error:
            raise SimulationUnsupported("; ".join([*reasons, str(error)])) from error
        return ran

    def _on_node(self, scene: Scene) -> Ran:
        """Once more on a newer block where it fails: another endpoint may have taken over and know another one."""
        head = self._block()
        try:
            return on_node(self.rpc, scene, head)
        except SimulationUnsupported:
            self._head = None
            if self._block().hash == head.hash:
                raise
            return on_node(self.rpc, scene, self._block())

    def _fork(self) -> Forked:
        from chains.evm.fork_simulation import forked

        if self._forked is None:
            if self.anvil is None:
                raise SimulationUnsupported("no anvil to fork the chain with")
            anvil = self.anvil()
            self._tell("on an anvil fork")
            self._forked = self._stack.enter_context(forked(self.rpc, anvil, self._block(), self.clock))
        return self._forked

    def _block(self) -> Head:
        """The block all scenes of a plan rest on, unless it has become so old that a node may have let go of its state."""
        now_s = self.clock.monotonic_s()
        if self._head is None or (self._forked is None and now_s - self._looked_at_s > _FRESH_S):
            self.rest_on(Node(self.rpc).account(self.sender)[2])
        assert self._head
        return self._head

    def _tell(self, how: str) -> None:
        if how not in self._told and self.progress is not None:
            self.progress.note(f"the node has no usable eth_simulateV1 ({self._refused}): simulating {how}")
        self._told.add(how)
