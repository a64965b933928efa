"""What lies at an address: the bundle's contracts recognized by their runtime code, and proxies by where they lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chains.evm.address import checksum
from chains.evm.artifacts import Artifact, mask
from chains.evm.storage_types import Types
from chains.evm.verify.bytecode import masks
from pipeline.bundle import Bundle
from pipeline.plan import Plan
from pipeline.review.slots import Root, erc7201_slot

__all__ = ["Codes", "minimal_proxy_target", "names_of", "roots_of"]


@dataclass
class Codes:
    """Every contract of a bundle, found by runtime code with libraries and immutables masked."""

    artifacts: Sequence[Artifact]
    _known: dict[bytes, Artifact | None] = field(default_factory=dict)

    @classmethod
    def of(cls, bundle: Bundle) -> Codes:
        return cls([bundle.artifact(source) for source in sorted(bundle.sources)])

    def find(self, code: bytes) -> Artifact | None:
        if code not in self._known:
            self._known[code] = next((a for a in self.artifacts if code and _same(a, code)), None)
        return self._known[code]


def _same(artifact: Artifact, code: bytes) -> bool:
    if len(code) != len(artifact.runtime_code):
        return False
    places = {**masks(artifact), **artifact.runtime_links}
    return mask(code, places) == mask(artifact.runtime_code, places)


def minimal_proxy_target(code: bytes) -> str | None:
    """Where a minimal proxy delegates to (ERC-1167)."""
    head, tail = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    if len(code) == 45 and code.startswith(head) and code.endswith(tail):
        return checksum(code[10:30])
    return None


def roots_of(artifact: Artifact) -> list[Root]:
    """The variables of a contract: its layout, and its ERC-7201 namespaces."""
    roots = []
    if artifact.storage_layout:
        roots.append(Root(Types(artifact.storage_layout, artifact.named_types or {}, artifact.storage_owners or ())))
    for name, layout in (artifact.namespaces or {}).items():
        space = name.removeprefix("erc7201:")
        roots.append(Root(Types(layout), erc7201_slot(space), space))
    return roots


def names_of(plan: Plan) -> dict[str, str]:
    """Address in small letters → what the project calls it."""
    names: dict[str, str] = {}

    def name(address: Any, text: str) -> None:
        if isinstance(address, str) and address:
            names.setdefault(address.lower(), text)

    for unit in plan.body.units:
        name(unit.after.get("address"), unit.name)
    for unit in plan.body.units:
        for part in ("implementation", "admin", "beacon"):
            name(unit.after.get(part), f"{unit.name}.{part}")
    for action in plan.body.actions:
        name(action.address, action.id)
        for created in action.creates:
            name(created["address"], f"{action.unit}.{_short(created) or 'created'}")
    for proposal in plan.body.proposals:
        name(proposal.safe, "Safe")
    name(plan.body.deployer, "deployer")
    return names


def _short(created: Mapping[str, Any]) -> str:
    return str(created.get("source") or created.get("name") or "").rpartition(":")[2]
