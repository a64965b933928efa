"""Where a new contract comes to lie, and the transaction that puts it there.

| unit says | through | address depends on |
|---|---|---|
| nothing | CREATE | sender, nonce |
| create2 | the deterministic deployment proxy | salt, init code |
| create2, sender-guard | CreateX, CREATE2 | sender, salt, init code |
| create3 | CreateX, CREATE3 | sender, salt |

With create3 the unit's own contract takes the salt; an implementation or a beacon behind it, of which there are several
over time, goes by CREATE2 with the same sender-guarded salt.
"""

from __future__ import annotations

from dataclasses import dataclass

from chains.errors import Refused
from chains.evm.actions import ActionKind
from chains.evm.address import CREATE2_FACTORY, create2_address, create_address, keccak256
from chains.evm.createx import (
    CREATEX,
    CREATEX_CODE_HASH,
    create3_address,
    create3_proxy,
    deploy_create2,
    deploy_create3,
    guard,
    sender_salt,
)
from chains.evm.node import Node
from chains.evm.units import ContractUnit

__all__ = ["FactoryMissing", "Place", "chosen_salt", "place", "require_factory", "uses_createx"]


class FactoryMissing(Refused):
    """SHIP-E61: the chain lacks the factory a salted address needs, or has other code in its place."""

    code = "SHIP-E61"


@dataclass(frozen=True)
class Place:
    """``to`` is ``None`` for CREATE; otherwise the address does not depend on the nonce, and code may be there already.

    ``made_by`` is whom the constructor sees as ``msg.sender``, if not the sender.
    """

    address: str
    kind: ActionKind
    to: str | None
    data: bytes
    made_by: str | None = None

    @property
    def by_salt_alone(self) -> bool:
        """Whether code other than the unit's may lie at the address."""
        return self.kind == "create3"


def uses_createx(unit: ContractUnit) -> bool:
    return unit.create3_salt is not None or (unit.create2_salt is not None and unit.sender_guard)


def chosen_salt(unit: ContractUnit, deployer: str) -> bytes | None:
    """The 32 bytes handed to the factory; ``None`` where the unit has no salt."""
    salt = unit.create3_salt if unit.create3_salt is not None else unit.create2_salt
    return sender_salt(deployer, salt) if salt is not None and unit.sender_guard else salt


def place(unit: ContractUnit, *, own: bool, init_code: bytes, deployer: str, chain_id: int, nonce: int) -> Place:
    """Where ``init_code`` goes. ``own``: it is the contract at the unit's address, not one behind it.

    Raises ``SaltRefused`` for a salt CreateX would revert on.
    """
    salt = chosen_salt(unit, deployer)
    if salt is None:
        return Place(create_address(deployer, nonce), "create", None, init_code)
    if not uses_createx(unit):
        address = create2_address(CREATE2_FACTORY, salt, init_code)
        return Place(address, "create2", CREATE2_FACTORY, salt + init_code, CREATE2_FACTORY)
    guarded = guard(salt, deployer, chain_id).salt
    if unit.create3_salt is not None and own:
        data = deploy_create3(salt, init_code)
        return Place(create3_address(guarded), "create3", CREATEX, data, create3_proxy(guarded))
    address = create2_address(CREATEX, guarded, init_code)
    return Place(address, "create2", CREATEX, deploy_create2(salt, init_code), CREATEX)


def require_factory(node: Node, factory: str) -> None:
    """Raises ``FactoryMissing`` unless the factory is on the chain (CreateX: with its one known code)."""
    code = node.code(factory)
    if factory == CREATEX:
        if not code:
            raise FactoryMissing(
                f"CreateX is not on this chain: there is no code at {CREATEX}",
                remedy="`ship createx --chain TARGET` deploys it with its presigned transaction, at the same address as "
                "everywhere. Or leave out `create3` and `sender-guard`.",
            )
        if "0x" + keccak256(code).hex() != CREATEX_CODE_HASH:
            raise FactoryMissing(
                f"the code at {CREATEX} is not CreateX's: addresses would not come out as predicted",
                remedy="Leave out `create3` and `sender-guard` on this chain.",
            )
    elif not code:
        raise FactoryMissing(
            f"the deterministic deployment proxy is not on this chain: there is no code at {factory}",
            remedy="Deploy it with its presigned transaction first, or leave out `create2`.",
        )
