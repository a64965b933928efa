"""Whether a contract with a salt comes to the same address on every target, and if not, why.

A salt says that the address matters. What else decides it: the way (CREATE, CREATE2, CREATE3), the signer where the salt is
bound to it, the chain where the salt is bound to that, and with CREATE2 every argument. Nothing here reads a chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chains.errors import ShipError
from chains.evm.createx import guard
from chains.evm.placing import chosen_salt, uses_createx
from chains.evm.units import DEPLOYER, ContractUnit, Ref, Value, references
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, list_targets, load_target
from pipeline.manifest.units import evm_units
from pipeline.reaching import is_embedded
from pipeline.signing.opening import signer_address

__all__ = ["Side", "address_warnings", "differences"]


@dataclass(frozen=True)
class Side:
    """The units of one target. ``deployer`` is ``None`` where its signer cannot be known from here."""

    target: str
    chain_id: int
    deployer: str | None
    units: Mapping[str, ContractUnit] = field(default_factory=dict)


def address_warnings(project: Project, target: Target, deployer: str) -> tuple[str, ...]:
    """One line for each contract with a salt that would not lie at one address on ``target`` and another target."""
    if is_embedded(target):
        return ()
    here = Side(target.name, target.chain.chain_id or 0, deployer, _contracts(project, target))
    warnings = list(_unbound(here))
    for name in list_targets(project):
        if name == target.name:
            continue
        try:
            other = load_target(project, name)
            if other.chain.kind != "evm" or is_embedded(other):
                continue
            there = Side(name, other.chain.chain_id or 0, _signer(project, other), _contracts(project, other))
        except ShipError as error:
            if any(_salted(unit) for unit in here.units.values()):
                warnings.append(f"addresses could not be compared with {name}: {error.code}")
            continue
        warnings += _compared(here, there)
    return tuple(warnings)


def _contracts(project: Project, target: Target) -> dict[str, ContractUnit]:
    return {unit.name: unit for unit in evm_units(project, target).contracts}


def _signer(project: Project, target: Target) -> str | None:
    try:
        return signer_address(target, project.root)
    except ShipError:
        return target.spec.signer.address if target.spec.signer else None


def _salted(unit: ContractUnit | None) -> bool:
    return unit is not None and (unit.create2_salt is not None or unit.create3_salt is not None)


def _compared(here: Side, there: Side) -> Iterator[str]:
    for name, unit in here.units.items():
        other = there.units.get(name)
        if other is None or not (_salted(unit) or _salted(other)):
            continue
        reasons = differences(name, here, there)
        if reasons:
            yield f"{name} comes to other addresses on {here.target} and {there.target}: {'; '.join(reasons)}"


def _unbound(side: Side) -> Iterator[str]:
    """CREATE3 salts that anybody can use, with code of their own."""
    for name, unit in side.units.items():
        salt = unit.create3_salt
        if salt is None or unit.sender_guard or side.deployer is None:
            continue
        if not guard(salt, side.deployer, side.chain_id).sender_only:
            yield (
                f"{name}: its create3 salt is not bound to the signer, so anybody can put other code at its address on a "
                "chain you have not released to yet; write the salt in words"
            )


def differences(name: str, here: Side, there: Side, _path: tuple[str, ...] = ()) -> list[str]:
    """Why the unit would not come to one address on both sides; empty when it would."""
    a, b = here.units.get(name), there.units.get(name)
    if a is None or b is None:
        return [f"only one of the two has {name}"]
    if _way(a) != _way(b):
        return [f"{_way(a)} on {here.target}, {_way(b)} on {there.target}"]
    if _way(a) == "CREATE":
        return ["CREATE takes the address from the signer and its nonce"]
    if (a.create2_salt, a.create3_salt) != (b.create2_salt, b.create3_salt):
        return ["the salts differ"]
    reasons = list(_signers(a, here, there)) + list(_chains(a, here, there))
    if a.create3_salt is None:
        reasons += _init_codes(a, b, here, there, (*_path, name))
    return reasons


def _way(unit: ContractUnit) -> str:
    if unit.create3_salt is not None:
        return "CREATE3"
    if unit.create2_salt is not None:
        return "CREATE2 through CreateX" if unit.sender_guard else "CREATE2"
    return "CREATE"


def _signers(unit: ContractUnit, here: Side, there: Side) -> Iterator[str]:
    if not uses_createx(unit) or here.deployer == there.deployer:
        return
    bound = unit.sender_guard
    if not bound and here.deployer:
        bound = guard(chosen_salt(unit, here.deployer) or b"", here.deployer, here.chain_id).sender_only
    if not bound:
        return
    if here.deployer is None or there.deployer is None:
        unknown = here if here.deployer is None else there
        yield f"its salt is bound to the signer, and that of {unknown.target} is not known (pin `address` under [signer])"
    else:
        yield f"its salt is bound to the signer: {here.deployer} on {here.target}, {there.deployer} on {there.target}"


def _chains(unit: ContractUnit, here: Side, there: Side) -> Iterator[str]:
    if not uses_createx(unit) or unit.sender_guard or here.chain_id == there.chain_id or here.deployer is None:
        return
    if guard(chosen_salt(unit, here.deployer) or b"", here.deployer, here.chain_id).chain_only:
        yield "its salt is bound to the chain (byte 21 is 0x01)"


def _init_codes(a: ContractUnit, b: ContractUnit, here: Side, there: Side, path: tuple[str, ...]) -> Iterator[str]:
    """What makes the init code differ: CREATE2 addresses hold all of it."""
    mine, theirs = _inputs(a), _inputs(b)
    for what, value in mine.items():
        if value != theirs[what]:
            yield f"CREATE2 addresses hold the init code, and its {what} differ"
    if here.deployer != there.deployer and any(_holds_deployer(value) for value in mine.values()):
        yield "CREATE2 addresses hold the arguments, the signer's address is one, and the signers differ"
    for value in mine.values():
        for ref in references(value):
            if ref.unit not in path and differences(ref.unit, here, there, path):
                yield f"CREATE2 addresses hold the arguments, and the address of {ref.unit} is not the same"


def _inputs(unit: ContractUnit) -> dict[str, Value]:
    call = unit.initialize
    inputs: dict[str, Value] = {
        "sources": unit.source,
        "arguments": unit.args,
        "libraries": dict(unit.libraries),
        "proxies": unit.proxy,
    }
    if unit.proxy != "none":
        inputs["initializers"] = (call.signature, *call.args) if call else ()
    if unit.proxy == "transparent":
        inputs["proxy owners"] = unit.proxy_owner
    return inputs


def _holds_deployer(value: Value) -> bool:
    if isinstance(value, Ref):
        return value == DEPLOYER
    if isinstance(value, Mapping):
        return any(_holds_deployer(item) for item in value.values())
    return isinstance(value, tuple) and any(_holds_deployer(item) for item in value)
