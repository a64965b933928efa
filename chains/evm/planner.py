"""From units, artifacts, recorded state and a view of the chain to ordered actions. Reads, never sends.

Every address is known before anything is sent: CREATE by nonce, CREATE2 and CREATE3 by salt (``chains.evm.placing``).
Gas and fees are filled in afterwards (``chains.evm.simulate``, ``chains.evm.fees``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import NeedsPerson, Refused
from chains.evm.abi import AbiType, constructor_types, decode, encode, find_function, jsonable, selector
from chains.evm.actions import Action, Change, PlannedCheck, PlannedUnit, Reading
from chains.evm.address import address_bytes, checksum, create_address
from chains.evm.adopting import already_there
from chains.evm.artifacts import Artifact, link
from chains.evm.authority import Authorities, AuthorityUnusable
from chains.evm.dag import library_units, order, reach
from chains.evm.handover import Heir, handed_over
from chains.evm.live import LiveUnit
from chains.evm.node import Node
from chains.evm.placing import place, require_factory, uses_createx
from chains.evm.proposal import Proposal
from chains.evm.proposing import Waiting, proposals_of
from chains.evm.proxies import (
    ADMIN_SLOT,
    BEACON_SLOT,
    IMPLEMENTATION_SLOT,
    PROXY_CONTRACTS,
    ProxyUnsupported,
    encode_call,
    expected_slots,
    owns_admin,
    upgrade_payload,
)
from chains.evm.reading import Reads, holds_reads
from chains.evm.script_units import Scripts, lay_out_script
from chains.evm.units import DEPLOYER, Call, CallUnit, Check, ContractUnit, EvmUnits, Ref, ScriptUnit, Unless, Value
from chains.evm.verify.bytecode import runtime_digest
from chains.rpc import RpcFault

__all__ = ["Draft", "ImmutableChanged", "Layout", "LiveStateDrifted", "Sources", "call_digest", "lay_out"]

Sources = Callable[[str], Artifact]
"""Gives the artifact of ``path:Contract`` or of a bare contract name; raises a ``Refused`` when there is none."""


class ImmutableChanged(Refused):
    """SHIP-E06: a deployed contract that cannot change was changed in the project."""

    code = "SHIP-E06"


class LiveStateDrifted(NeedsPerson):
    """SHIP-E07: the chain does not hold what the journal recorded."""

    code = "SHIP-E07"


class AddressTakenTwice(Refused):
    """SHIP-E66: two units are to lie at one address."""

    code = "SHIP-E66"


class TargetMissing(Refused):
    """SHIP-E08: a call or check goes to an address without code."""

    code = "SHIP-E08"


@dataclass(frozen=True)
class Draft:
    """Actions without gas, what happens to each unit, the checks with their expected answers, and the reads used."""

    actions: tuple[Action, ...]
    units: tuple[PlannedUnit, ...]
    checks: tuple[PlannedCheck, ...]
    reads: tuple[Mapping[str, Any], ...] = ()
    proposals: tuple[Proposal, ...] = ()
    live: Mapping[str, LiveUnit] = field(default_factory=dict)
    fresh: frozenset[str] = frozenset()
    handover: str | None = None


@dataclass
class Layout:
    """The work of one ``lay_out``: the next nonce, and each unit's state as the plan has made it so far."""

    units: EvmUnits
    sources: Sources
    node: Node
    deployer: str
    nonce: int
    live: dict[str, LiveUnit]
    authorities: Authorities
    waiting: Waiting
    actions: list[Action] = field(default_factory=list)
    planned: list[PlannedUnit] = field(default_factory=list)
    reads: list[Mapping[str, Any]] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    abis: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    readings: Reads = field(init=False)

    def __post_init__(self) -> None:
        self.readings = Reads(self.node, self.deployer, self.resolve, self.address_of, self.abi_at, self.actions)

    # -- addresses and values ------------------------------------------------------------------------------------

    def resolve(self, ref: Ref) -> str:
        """The address a reference stands for; the unit it names was laid out before (or is live)."""
        if ref == DEPLOYER:
            return self.deployer
        address = getattr(self.live.get(ref.unit), ref.part, None)
        if address is None:
            raise ProxyUnsupported(
                f"{ref} has no address: `{ref.unit}` has no {ref.part}",
                remedy="`implementation`, `admin` and `beacon` exist only for the kinds of proxy that have them.",
            )
        return str(address)

    def address_of(self, value: Value, where: str) -> str:
        """A recipient or owner: exactly one ABI address."""
        kind = AbiType(where, "address")
        word = encode([kind], [self.readings.fill(value, kind)], self.resolve, where)
        return str(decode([AbiType("", "address")], word)[0])

    def abi_at(self, address: str) -> Sequence[Mapping[str, Any]] | None:
        return self.abis.get(address.lower())

    def has_code(self, address: str) -> bool:
        return address.lower() in self.fresh | self.readings.appeared or bool(self.node.code(address))

    # -- actions -------------------------------------------------------------------------------------------------

    def add(self, action: Action) -> Action:
        placed = replace(action, nonce=self.nonce)
        if reads := self.readings.take():
            placed = self.resting(placed, reads)
        self.nonce += action.kind != "proposal"
        self.actions.append(placed)
        if placed.address:
            self.fresh.add(placed.address.lower())
        return placed

    def resting(self, action: Action, reads: tuple[Reading, ...]) -> Action:
        """``action`` with what it rests on, which its unit's live state keeps."""
        if not reads:
            return action
        kept = {reading.key: "0x" + reading.answer.hex() for reading in reads}
        self.live[action.unit] = self.live[action.unit].merge({"reads": kept})
        return replace(action, reads=reads, effect={**action.effect, "reads": kept})

    def create(
        self,
        unit: ContractUnit,
        suffix: str,
        artifact: Artifact,
        init_code: bytes,
        *,
        title: str,
        args: Any,
        value_wei: int = 0,
        effect: Callable[[str], dict[str, Any]],
    ) -> str:
        """Deploy init code (or adopt what lies at its salted address already); gives the address."""
        chain_id = self.node.chain_id if uses_createx(unit) else 0
        where = place(
            unit, own=not suffix, init_code=init_code, deployer=self.deployer, chain_id=chain_id, nonce=self.nonce
        )
        before = self.live.get(unit.name, LiveUnit(unit.name))
        if where.by_salt_alone and before.address == where.address:
            raise ImmutableChanged(
                f"{unit.name} has the address of its create3 salt already, {where.address}: new code cannot go there",
                remedy="Give the new instance another `create3` salt, or put the contract behind a proxy.",
            )
        merged = {"created": {sha256_hex(init_code): where.address}, **effect(where.address)}
        action = Action(
            id=f"{unit.name}.{suffix}" if suffix else unit.name, unit=unit.name, kind=where.kind, title=title, nonce=0,
            to=where.to, value_wei=value_wei, data=where.data, address=where.address, source=artifact.source, args=args,
            effect=merged, needs_code=(where.to,) if where.to else (), made_by=where.made_by,
        )  # fmt: skip
        self.live[unit.name] = before.merge(merged)
        if where.to:
            require_factory(self.node, where.to)
            if where.address.lower() in self.fresh:  # an earlier unit of this plan goes there
                if where.by_salt_alone:
                    raise AddressTakenTwice(
                        f"{action.id} has the create3 salt of another unit: both would lie at {where.address}",
                        remedy="Give each unit a salt of its own.",
                    )
                self.readings.take()
                return where.address
            if already_there(self.node, artifact, action):
                self.readings.take()
                return where.address
        self.add(action)
        return where.address

    def call(
        self,
        unit: str,
        suffix: str,
        to: str,
        data: bytes,
        *,
        title: str,
        args: Any,
        value_wei: int,
        effect: dict[str, Any],
        authority: tuple[str, ...] | None,
    ) -> None:
        """A call, direct or through an authority (``chains.evm.authority``)."""
        name = f"{unit}.{suffix}" if suffix else unit
        self.live[unit] = self.live.get(unit, LiveUnit(unit)).merge(effect)
        base = Action(
            id=name, unit=unit, kind="call", title=title, nonce=0, to=to, value_wei=value_wei, data=data, args=args,
            effect=effect, needs_code=(to,),
        )  # fmt: skip
        actions = [base] if authority is None else self.authorities.through(base, authority)
        if any(a.ready is not None or a.kind == "proposal" for a in actions):
            reads = self.readings.take()  # what the payload rests on, before another action takes it for its own
            self.waiting.hold([self.resting(action, reads) for action in actions])
            return
        self.add_due(unit)
        for action in actions:
            self.add(action)

    def add_due(self, unit: str | None) -> None:
        """Let nothing of ``unit`` come before what it has to wait for."""
        for action in self.waiting.due(unit):
            self.add(action)

    def before_reading(self, unit: ContractUnit | CallUnit) -> None:
        """What ``unit`` has to wait for is in the plan before a value is read for it."""
        self.readings.take()
        if holds_reads(unit):
            self.add_due(unit.name)

    def authority(self, value: Value | None, to: str | None = None) -> tuple[str, ...] | None:
        """The path an action takes. Without one: the owner of ``to``, where that is a Safe or a timelock."""
        if value is None:
            owner = self.owner(to) if to is not None else None
            return (owner,) if owner is not None and self.authorities.known(owner) else None
        values = value if isinstance(value, tuple) else (value,)
        path = tuple(self.address_of(v, "authority") for v in values)
        if not path or path[0].lower() in self.fresh:
            raise AuthorityUnusable(
                f"the authority {path[0] if path else '[]'} is itself deployed by this plan, and cannot act in it",
                remedy="Leave `authority` out until it has the right, or order the call before it gets it.",
            )
        return path

    def owner(self, contract: str) -> str | None:
        """``owner()`` of a live contract, unless it has none or it is the deployer."""
        try:
            answer = self.node.call(contract, encode_call("owner", [], []))
            owner = str(decode([AbiType("", "address")], answer)[0])
        except (RpcFault, ValueError):
            return None
        return owner if owner != checksum(self.deployer) else None

    def hand_over(self, heir: Heir) -> None:
        """The deployer's rights, given away. What the heir has to accept goes through it, where that can be planned."""
        for action, for_heir in handed_over(heir, self.deployer, self.abi_at):
            if not for_heir:
                self.add(action)
            elif heir.to.lower() not in self.fresh and self.authorities.known(heir.to):
                self.waiting.hold(self.authorities.through(action, (heir.to,)))
        self.add_due(None)

    # -- code ----------------------------------------------------------------------------------------------------

    def init_code(self, unit: ContractUnit, artifact: Artifact, args: Sequence[Value], where: str) -> tuple[bytes, Any]:
        """Linked creation code with encoded arguments, and the arguments for people."""
        libraries = {
            name: address_bytes(self.address_of(value, f"{where}, library {name}"))
            for name, value in unit.libraries.items()
        }
        for name, unit_name in library_units(unit, artifact, self.units).items():
            libraries[name] = address_bytes(self.resolve(Ref(unit_name)))
        inputs, payable = constructor_types(artifact.abi)
        if unit.value_wei and not payable and unit.proxy == "none":
            raise ProxyUnsupported(
                f"{where} is not payable, but `value` gives it {unit.value_wei} wei", remedy="Remove `value`."
            )
        encoded = encode(inputs, self.readings.fill_all(inputs, args), self.resolve, where)
        return link(artifact.creation_code, artifact.creation_links, libraries) + encoded, _shown(inputs, encoded)

    def calldata(self, call: Call, abi: Sequence[Mapping[str, Any]] | None, owner: str) -> tuple[bytes, Any]:
        function = find_function(call.signature, abi, owner)
        values = self.readings.fill_all(function.inputs, call.args)
        encoded = encode(function.inputs, values, self.resolve, f"{owner}.{function.name}")
        return selector(function) + encoded, _shown(function.inputs, encoded)

    # -- units ---------------------------------------------------------------------------------------------------

    def contract(self, unit: ContractUnit) -> None:
        artifact = self.sources(unit.source)
        before = self.live.get(unit.name)
        self.before_reading(unit)
        if before and before.proxy != unit.proxy and before.address:
            raise ImmutableChanged(
                f'{unit.name} is deployed with proxy = "{before.proxy}", the project now says "{unit.proxy}"',
                remedy="A deployed proxy cannot change its kind. Give the new system a unit of its own.",
            )
        start = len(self.actions)
        if unit.proxy == "none":
            change, reason = self.plain(unit, artifact, before)
        elif before is None or before.address is None:
            change, reason = self.new_proxy(unit, artifact)
        else:
            change, reason = self.existing_proxy(unit, artifact, before)
        if change in {"create", "replace"} and len(self.actions) == start:
            change, reason = "adopt", "the same code is already at the address of its salt"
        self.planned.append(PlannedUnit(unit.name, change, reason, self.live[unit.name].to_json()))
        live = self.live[unit.name]
        for address in (live.address, live.implementation):
            if address:
                self.abis[address.lower()] = artifact.abi

    def plain(self, unit: ContractUnit, artifact: Artifact, before: LiveUnit | None) -> tuple[Change, str]:
        if before and before.address:
            self.still_there(unit.name, before.address)
            with self.readings.recalling(before.reads):
                known, _ = self.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
            if (before.init_code or before.declared_init_code) == sha256_hex(known):
                return "unchanged", f"live at {before.address}"
        init_code, args = self.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
        digest = sha256_hex(init_code)
        if before and before.address and not unit.replace and artifact.kind != "library":
            what = "its code or arguments did"
            if before.runtime_code == runtime_digest(artifact, init_code):
                what = "its arguments are not those it was adopted with (which it has, the chain does not show)"
            raise ImmutableChanged(
                f"{unit.name} is deployed at {before.address} and cannot change, but {what}",
                remedy=f"Undo the change, or set `replace = true` under [contracts.{unit.name}] to deploy a new one "
                "beside it; everything that refers to it then changes too.",
            )
        self.create(
            unit, "", artifact, init_code, title=f"deploy {unit.name}", args=args, value_wei=unit.value_wei,
            effect=lambda at: {"address": at, "source": artifact.source, "init_code": digest, "proxy": "none"},
        )  # fmt: skip
        if before and before.address:
            return "replace", f"a new instance; the old one stays at {before.address}"
        return "create", "not deployed yet"

    def implementation(self, unit: ContractUnit, artifact: Artifact) -> tuple[str, str]:
        """``(address, init code digest)`` of the implementation, deployed unless an earlier run did."""
        before = self.live.get(unit.name, LiveUnit(unit.name))
        if before.reads:
            with self.readings.recalling(before.reads):
                recalled, _ = self.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
            made = before.created.get(sha256_hex(recalled))
            if made and self.node.code(made):
                return made, sha256_hex(recalled)
        init_code, args = self.init_code(unit, artifact, unit.args, f"the constructor of {unit.name}")
        digest = sha256_hex(init_code)
        known = before.created.get(digest)
        if known and self.node.code(known):
            self.readings.take()
            return known, digest
        address = self.create(
            unit, "implementation", artifact, init_code, args=args, effect=lambda at: {},
            title=f"deploy the implementation of {unit.name}",
        )  # fmt: skip
        return address, digest

    def new_proxy(self, unit: ContractUnit, artifact: Artifact) -> tuple[Change, str]:
        implementation, digest = self.implementation(unit, artifact)
        call, call_args = self.calldata(unit.initialize, artifact.abi, unit.name) if unit.initialize else (b"", ())
        state: dict[str, Any] = {
            "proxy": unit.proxy, "source": artifact.source, "implementation": implementation,
            "implementation_init_code": digest, "implementation_source": artifact.source,
        }  # fmt: skip
        names = PROXY_CONTRACTS[unit.proxy]
        first: Value = implementation
        if unit.proxy == "beacon":
            beacon_artifact = self.sources(names[0])
            inputs, _ = constructor_types(beacon_artifact.abi)
            beacon_args = [implementation, unit.proxy_owner][: len(inputs)]
            init, shown = self.init_code(
                replace(unit, value_wei=0), beacon_artifact, beacon_args, f"the beacon of {unit.name}"
            )
            first = state["beacon"] = self.create(
                unit, "beacon", beacon_artifact, init, args=shown, effect=lambda at: {"beacon": at},
                title=f"deploy the beacon of {unit.name}",
            )  # fmt: skip
        proxy_artifact = self.sources(names[-1])
        data: list[Value] = [first, "0x" + call.hex()]
        if unit.proxy == "transparent":
            data.insert(1, unit.proxy_owner)
        init, shown = self.init_code(unit, proxy_artifact, data, f"the proxy of {unit.name}")

        def effect(at: str) -> dict[str, Any]:
            after = {**state, "address": at, "init_code": sha256_hex(init)}
            if unit.proxy == "transparent":
                own = owns_admin(proxy_artifact.abi)
                after["admin"] = create_address(at, 1) if own else self.address_of(unit.proxy_owner, "proxy-owner")
                self.fresh |= {after["admin"].lower()} if own else set()
            return after

        value_wei = unit.initialize.value_wei if unit.initialize else unit.value_wei
        self.create(
            unit, "", proxy_artifact, init, args=(*shown, *call_args), value_wei=value_wei,
            title=f"deploy {unit.name} behind its proxy" + (", initialized" if call else ""), effect=effect,
        )  # fmt: skip
        return "create", "not deployed yet"

    def existing_proxy(self, unit: ContractUnit, artifact: Artifact, before: LiveUnit) -> tuple[Change, str]:
        assert before.address
        self.still_there(unit.name, before.address)
        self.not_drifted(unit, before)
        if before.implementation:
            self.still_there(f"the implementation of {unit.name}", before.implementation)
        implementation, digest = self.implementation(unit, artifact)
        if digest == before.implementation_init_code:
            return "unchanged", f"live at {before.address}, implementation {implementation}"
        call, args = self.calldata(unit.upgrade, artifact.abi, unit.name) if unit.upgrade else (b"", ())
        to, data = upgrade_payload(
            unit.proxy, proxy=before.address, admin_or_beacon=before.beacon or before.admin,
            implementation=implementation, call=call, abi=artifact.abi,
        )  # fmt: skip
        authority = self.authority(unit.authority, to)
        effect = {
            "implementation": implementation, "implementation_init_code": digest, "implementation_source": artifact.source,
        }  # fmt: skip
        self.call(
            unit.name, "upgrade", to, data, title=f"upgrade {unit.name} to {implementation}", args=args, value_wei=0,
            effect=effect, authority=authority,
        )  # fmt: skip
        if unit.proxy == "beacon" and call:
            self.call(
                unit.name, "migrate", before.address, call, title=f"migrate {unit.name}", args=args, value_wei=0,
                effect={}, authority=None,
            )  # fmt: skip
        return "upgrade", f"implementation {before.implementation} → {implementation}"

    def still_there(self, name: str, address: str) -> None:
        if not self.node.code(address):
            raise LiveStateDrifted(
                f"{name} is recorded at {address}, but the chain has no code there",
                remedy="The chain was reset, or the contract destroyed itself. For the embedded local chain use "
                "`ship localnet reset`; elsewhere find out before deploying anew.",
            )

    def not_drifted(self, unit: ContractUnit, before: LiveUnit) -> None:
        """The proxy's raw slots still say what was recorded (nobody upgraded it behind ``ship``'s back)."""
        assert before.address
        for name, slot, address in expected_slots(before):
            found = self.node.slot(before.address, slot)
            if found[-20:] != address_bytes(address):
                raise LiveStateDrifted(
                    f"{unit.name} at {before.address} has {name} 0x{found[-20:].hex()}, recorded was {address}",
                    remedy="Somebody changed it outside ship. `ship status` shows the difference; settle it before "
                    "deploying.",
                )
        if before.beacon and before.implementation:
            shown = self.node.call(before.beacon, encode_call("implementation", [], []))
            if shown[-20:] != address_bytes(before.implementation):
                raise LiveStateDrifted(
                    f"the beacon of {unit.name} at {before.beacon} has implementation 0x{shown[-20:].hex()}, recorded was "
                    f"{before.implementation}",
                    remedy="Somebody changed it outside ship. Settle it before deploying.",
                )

    def call_unit(self, unit: CallUnit) -> None:
        self.before_reading(unit)
        to = self.address_of(unit.to, f"[calls.{unit.name}] to")
        abi = self.abi_at(to)
        owner = unit.to.unit if isinstance(unit.to, Ref) and unit.to.unit else to
        data, args = self.calldata(unit.call, abi, owner)
        if not self.has_code(to):
            raise TargetMissing(
                f"[calls.{unit.name}] goes to {to}, where there is no code: the call would succeed and do nothing",
                remedy="Correct `to`, or deploy the contract first.",
            )
        authority = self.authority(unit.authority)
        digest = call_digest(to, unit.call.value_wei, data)
        before = self.live.get(unit.name)
        if unit.unless is not None:
            with self.readings.aside():
                holds = self.holds(unit.unless, to, abi, owner)
        elif before is not None and before.reads:
            with self.readings.recalling(before.reads):
                recalled, _ = self.calldata(unit.call, abi, owner)
            holds = before.done == call_digest(to, unit.call.value_wei, recalled)
        else:
            holds = before is not None and before.done == digest
        if holds:
            self.live[unit.name] = before or LiveUnit(unit.name)
            reason = f"`{unit.unless.signature}` already holds" if unit.unless else "done before"
            self.planned.append(PlannedUnit(unit.name, "skip", reason, self.live[unit.name].to_json()))
            return
        title = f"call {owner}.{unit.call.signature.partition('(')[0]}"
        self.call(
            unit.name, "", to, data, title=title, args=args, value_wei=unit.call.value_wei,
            effect={"done": digest}, authority=authority,
        )  # fmt: skip
        self.planned.append(PlannedUnit(unit.name, "call", "not done yet", self.live[unit.name].to_json()))

    def holds(self, unless: Unless, to: str, abi: Any, owner: str) -> bool:
        """Whether the condition is true on chain now. A contract this plan creates answers nothing yet."""
        function = find_function(unless.signature, abi, owner)
        values = self.readings.fill_all(function.inputs, unless.args)
        data = selector(function) + encode(function.inputs, values, self.resolve, f"{owner}.{function.name}")
        wanted = self.readings.fill(unless.equals, function.outputs[0] if function.outputs else None)
        expected = encode(function.outputs, (wanted,), self.resolve, f"{owner}.{function.name}, equals")
        if to.lower() in self.fresh:
            return False
        try:
            answer = self.node.call(to, data)
        except RpcFault:
            answer = b""
        self.reads.append({"to": to, "data": "0x" + data.hex(), "answer": "0x" + answer.hex()})
        return answer == expected

    def check(self, check: Check) -> PlannedCheck:
        to = self.address_of(check.on, f"[checks.{check.name}] on")
        owner = check.on.unit if isinstance(check.on, Ref) and check.on.unit else to
        function = find_function(check.signature, self.abi_at(to), owner)
        where = f"[checks.{check.name}]"
        values = self.readings.fill_all(function.inputs, check.args)
        data = selector(function) + encode(function.inputs, values, self.resolve, where)
        equals = self.readings.fill(check.equals, function.outputs[0] if len(function.outputs) == 1 else None)
        expected_value = equals if len(function.outputs) > 1 and isinstance(equals, tuple) else (equals,)
        expected = encode(function.outputs, expected_value, self.resolve, f"{where} equals")
        if not self.has_code(to):
            raise TargetMissing(f"{where} reads {to}, where there is no code", remedy="Correct `on`.")
        return PlannedCheck(check.name, to, function.signature, data, tuple(o.type for o in function.outputs), expected)


def call_digest(to: str, value_wei: int, data: bytes) -> str:
    """Names a call that was made: recipient, value and calldata."""
    return sha256_hex(f"{to.lower()}:{value_wei}:".encode() + data)


def _shown(inputs: Sequence[AbiType], encoded: bytes) -> tuple[Mapping[str, Any], ...]:
    values = decode(inputs, encoded)
    return tuple({"name": i.name, "type": i.type, "value": jsonable(v)} for i, v in zip(inputs, values, strict=True))


def _prefetch(node: Node, live: Mapping[str, LiveUnit]) -> None:
    codes, slots = [], []
    for unit in live.values():
        codes += [a for a in (unit.address, unit.implementation, *unit.created.values()) if a]
        if unit.proxy != "none" and unit.address:
            slots += [(unit.address, s) for s in (IMPLEMENTATION_SLOT, ADMIN_SLOT, BEACON_SLOT)]
    node.prefetch(codes, slots)


def lay_out(
    units: EvmUnits,
    sources: Sources,
    live: Mapping[str, LiveUnit],
    node: Node,
    *,
    deployer: str,
    nonce: int,
    scripts: Scripts | None = None,
    heir: Heir | None = None,
) -> Draft:
    """Order the units and turn what differs from ``live`` into actions, starting at ``nonce``; ``heir`` comes last.

    Without ``scripts`` no script is run: what would come after one is then planned as if it sent nothing.

    Raises a ``Refused`` for whatever does not fit (types, references, cycles, changed immutables) and
    ``LiveStateDrifted`` where the chain contradicts the journal.
    """
    _prefetch(node, live)
    libraries = {u.name: tuple(library_units(u, sources(u.source), units).values()) for u in units.contracts}
    ordered = order(units, libraries)
    waiting, authorities = Waiting(reach(ordered, libraries)), Authorities(node, deployer)
    layout = Layout(units, sources, node, deployer, nonce, dict(live), authorities, waiting)
    for unit in ordered:
        layout.add_due(unit.name)
        if isinstance(unit, CallUnit):
            layout.call_unit(unit)
        elif isinstance(unit, ScriptUnit):
            lay_out_script(layout, unit, scripts)
        else:
            layout.contract(unit)
    layout.add_due(None)
    if heir is not None:
        layout.hand_over(heir)
    to = layout.address_of(units.handover, "[handover] to") if units.handover is not None else None
    checks = tuple(layout.check(c) for c in units.checks)
    reads = (*layout.reads, *(reading.to_json() for reading in layout.readings.log))
    actions, planned = tuple(layout.actions), tuple(layout.planned)
    proposals = proposals_of(actions, authorities)
    return Draft(actions, planned, checks, reads, proposals, layout.live, frozenset(layout.fresh), to)
