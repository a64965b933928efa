"""From an address to the build it came from, by every plan that is known; and to code that is only planned yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from chains.evm.artifacts import Artifact
from chains.evm.node import Node
from pipeline.bundle import Bundle, load_bundle
from pipeline.plan import Plan
from pipeline.proving import live_creations
from pipeline.session import Session, accepted_plans

__all__ = ["Builds", "bundle_or_none"]


@dataclass
class Builds:
    """``release`` is a plan that is not accepted yet. Bundles are read once each."""

    session: Session
    node: Node
    release: Plan | None = None
    _bundles: dict[str, Bundle] = field(default_factory=dict)

    @cached_property
    def _made(self) -> dict[str, tuple[str, str]]:
        """By address in lower case: bundle and source."""
        rows = self.session.rows
        plans = {digest: self.session.plan(digest) for digest in accepted_plans(rows)}
        made = {
            c.address.lower(): (c.plan.bundle, c.source) for c in live_creations(rows, plans) if c.source is not None
        }
        for plan in [*plans.values(), *([self.release] if self.release else [])]:
            for action in plan.body.actions:
                if action.address and action.source:
                    made[action.address.lower()] = (plan.bundle, action.source)
        return made

    def artifact(self, address: str) -> Artifact | None:
        """``None`` where no plan tells. Raises ``BundleMissing``, ``BundleDamaged``."""
        if address.lower() not in self._made:
            return None
        digest, source = self._made[address.lower()]
        if digest not in self._bundles:
            self._bundles[digest] = load_bundle(self.session.state.project.bundles, digest)
        return self._bundles[digest].artifact(source)

    def code(self, address: str) -> bytes:
        """The runtime code at ``address``, on chain or as planned."""
        planned = {a.address for a in self.release.body.actions} if self.release else set()
        if address in planned:
            artifact = self.artifact(address)
            return artifact.runtime_code if artifact else b""
        return self.node.code(address)


def bundle_or_none(session: Session, digest: str) -> Bundle:
    """The bundle, or where it is not on this machine an empty one of its name: going back deploys nothing out of it."""
    from pipeline.bundle import BundleMissing

    try:
        return load_bundle(session.state.project.bundles, digest)
    except BundleMissing:
        session.ui.note(f"the bundle {digest[:12]} is not on this machine: what cannot be read without it is said")
        folder = session.state.project.bundles / digest
        return Bundle(folder, digest, {"artifacts": {}, "files": {}, "toolchain": {}})
