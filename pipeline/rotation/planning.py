"""The plan of a rotation: everything the old key may do on the target, given to the new one, and nothing else.

It is ``[handover]`` over what is recorded as live, with no unit of the project in it: no build, no gates, so that a key
that leaked can be left within minutes. The simulation, the prices and the refusals are those of any plan.
"""

from __future__ import annotations

import re
from dataclasses import replace

from chains.canonical import digest
from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import checksum
from chains.evm.handover import tell
from chains.evm.node import Node
from chains.evm.rights import rights_of
from chains.evm.roles import role_name
from chains.evm.units import EvmUnits
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.git import current_commit
from pipeline.manifest.resolved import resolved
from pipeline.plan import Plan, live_digest
from pipeline.session import Session, accepted_plans

__all__ = ["RotationImpossible", "bundle_of", "plan_rotation"]


class RotationImpossible(Refused):
    """SHIP-Z01: there is nothing to rotate, or something that no transaction of the old key can move."""

    code = "SHIP-Z01"


def plan_rotation(session: Session, bundle: Bundle, old: str, new: str) -> Plan:
    """Reads only. Raises ``RotationImpossible`` and what planning a handover raises."""
    live = session.live()
    old, new = checksum(old), checksum(new)
    if not live:
        raise RotationImpossible(
            f"nothing is recorded on {session.target.name}",
            remedy="There is nothing to move: change `address` under [signer] and deploy with the new key.",
        )
    held = rights_of(Node(session.chain.rpc), live.values(), old, heir=new, since=session.births())
    slots = [right for right in held if right.kind == "admin"]
    if slots:
        raise RotationImpossible(
            f"{old} is itself the admin of proxies, with no ProxyAdmin between: {tell(slots, _unnamed)}",
            remedy="Move these first by a call of your own, `changeAdmin(address)` of each proxy, then rotate the rest.",
        )
    body = session.chain.plan(
        EvmUnits(handover=new),
        bundle.artifact,
        live,
        deployer=old,
        genesis_hash=session.genesis_hash,
        since=session.births(),
    )
    if not body.actions:
        raise RotationImpossible(
            f"{old} holds no right in anything recorded on {session.target.name}",
            remedy="There is nothing to move: change `address` under [signer]. What the key holds elsewhere (the ownership "
            "of a Safe, balances) is moved there.",
        )
    project = session.project
    commit = current_commit(project.root)
    return Plan(
        project=project.name,
        version=project.version,
        target=session.target.name,
        commit=commit.id,
        dirty=commit.dirty,
        bundle=bundle.digest,
        inputs=digest(resolved(project, session.target)),
        state=live_digest(live),
        body=replace(body, actions=tuple(_named(action, bundle) for action in body.actions)),
        warnings=_warnings(session, new),
    )


def _named(action: Action, bundle: Bundle) -> Action:
    """Roles by the names the project's sources give them; planned without a unit, they have their hashes only."""
    match = re.search(r"0x([0-9a-f]{64})$", action.id)
    if match is None:
        return action
    role = bytes.fromhex(match[1])
    names = (role_name(role, bundle.artifact(source).abi) for source in bundle.sources)
    name = next((name for name in names if name != match[0]), match[0])
    return replace(action, id=action.id.replace(match[0], name), title=action.title.replace(match[0], name))


def _unnamed(_address: str) -> None:
    return None


def _warnings(session: Session, new: str) -> tuple[str, ...]:
    node = Node(session.chain.rpc)
    nonce, balance_wei, _ = node.account(new)
    found = []
    if not node.code(new) and not nonce:
        found.append(
            f"{new} has never sent anything on this chain: be sure that you can sign with it (`ship signer test`)"
        )
    if not node.code(new) and not balance_wei:
        found.append(f"{new} has no balance: it can do nothing here until it is sent some")
    return tuple(found)


def bundle_of(session: Session) -> Bundle:
    """The bundle of the newest plan; an empty one where it is not at hand: it only gives roles their names."""
    plans = accepted_plans(session.rows)
    newest = session.plan(plans[-1]).bundle if plans else ""
    try:
        return load_bundle(session.state.project.bundles, newest)
    except BundleMissing:
        session.ui.note(f"the bundle {newest[:12]} is not on this machine: roles are shown by their hashes")
        return Bundle(session.state.project.bundles / newest, newest, {"artifacts": {}, "files": {}, "toolchain": {}})
