"""Proving contracts that somebody deployed before ``ship`` came, so that they can be taken over as they are.

What a file says is a claim. A unit is taken only when the chain shows all of this:

* the runtime code is the bundle's, libraries linked, immutables masked, on every endpoint and in a final block;
* the creation, where the chain shows it, ran the bundle's creation code with the arguments ``ship.toml`` gives;
* where it does not, running the project's init code again at that address gives exactly the code that is there, so that
  at least the immutables are right (arguments that only reach storage then stay unproven, and the record says so);
* of a proxy: its ERC-1967 slots name the kind the project gives, it delegates to the implementation in them, and the
  implementation is proven as above, its immutables included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chains.canonical import sha256_hex
from chains.errors import Refused
from chains.evm.actions import Action
from chains.evm.address import checksum, keccak256
from chains.evm.artifacts import Artifact
from chains.evm.declared import Declared, DeclaredCode
from chains.evm.evidence import creating, creation_evidence, differences
from chains.evm.live import LiveUnit
from chains.evm.node import quantity
from chains.evm.proxies import PROXY_CONTRACTS
from chains.evm.proxy_facts import delegates, proxy_facts
from chains.evm.units import CallUnit, ContractUnit
from chains.evm.verify.bytecode import reexecution, rerun, runtime_digest, runtime_problem
from chains.evm.verify.creation import Creation, Creations
from chains.rpc import Rpc, RpcFault, RpcUnknown

__all__ = ["Importer", "NotProven", "Proven"]


class NotProven(Exception):
    """Why a claim is not taken. The text completes "X at 0x… cannot be adopted: …"."""


@dataclass(frozen=True)
class Proven:
    """A unit to take over. ``effect`` is what becomes of its live state, ``evidence`` what was seen, ``notes`` for people."""

    unit: str
    address: str | None
    effect: Mapping[str, Any]
    evidence: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass
class Importer:
    """Proves units in the order of their references. ``live`` grows by every unit that is proven.

    ``creations`` knows the transactions the files name; ``final_block`` is a tag or 0x number.
    """

    rpc: Rpc
    declared: Declared
    live: dict[str, LiveUnit]
    creations: Creations
    final_block: str
    _codes: dict[str, bytes] = field(default_factory=dict)

    def contract(self, unit: ContractUnit, address: str) -> Proven:
        """Raises ``NotProven``, and the ``Refused`` of arguments that cannot be made."""
        proven = self._plain(unit, address) if unit.proxy == "none" else self._proxy(unit, address)
        self.live[unit.name] = LiveUnit(unit.name).merge(proven.effect)
        return proven

    def call(self, unit: CallUnit) -> Proven | None:
        """The call unit as done, if one of the transactions that are named did exactly it."""
        wanted = self.declared.call(unit, self.live)
        for hash_ in self.creations.hashes:
            sent, receipt = self.rpc.read_all(
                [("eth_getTransactionByHash", [hash_]), ("eth_getTransactionReceipt", [hash_])]
            )
            if not isinstance(sent, Mapping) or not isinstance(receipt, Mapping) or receipt.get("status") != "0x1":
                continue
            same = str(sent.get("to")).lower() == wanted.to.lower() and sent["input"] == "0x" + wanted.data.hex()
            if same and quantity(sent["value"]) == wanted.value_wei:
                evidence = {"transaction": hash_, "block_number": quantity(receipt["blockNumber"])}
                return Proven(unit.name, None, {"done": wanted.digest}, evidence)
        return None

    # -- plain contracts -----------------------------------------------------------------------------------------

    def _plain(self, unit: ContractUnit, address: str) -> Proven:
        artifact = self.declared.sources(unit.source)
        code = self.code(address)
        facts = proxy_facts(self.rpc, [address])[0]
        if facts.kind != "none":
            raise NotProven(f"it is a {facts.kind} proxy, ship.toml declares no proxy: set `proxy` there")
        wanted = self.declared.constructor(unit, self.live)
        evidence = self._same_code(artifact, wanted, address, code)
        creation = self.creations.find(address)
        effect: dict[str, Any] = {"address": address, "source": artifact.source, "proxy": "none"}
        digest = sha256_hex(wanted.init_code)
        if creation is not None:
            self._same_creation(artifact, wanted, creation)
            evidence |= creation_evidence(creation, wanted.code_length)
            effect |= {"init_code": digest, "created": {digest: address}}
            return Proven(unit.name, address, effect, evidence)
        again = self._again(artifact, wanted, address, code, value_wei=unit.value_wei)
        evidence |= {"creation": None, "reexecution": again, "args_unproven": [dict(a) for a in wanted.args]}
        effect |= {
            "runtime_code": runtime_digest(artifact, wanted.init_code),
            "declared_init_code": digest,
        }
        notes = ("the chain does not show how it was created",)
        if wanted.args:
            notes = (f"{notes[0]}: arguments that only reach storage are taken from ship.toml unproven",)
        return Proven(unit.name, address, effect, evidence, notes)

    def _same_code(self, artifact: Artifact, wanted: DeclaredCode, address: str, code: bytes) -> dict[str, Any]:
        problem = runtime_problem(artifact, creating(artifact, wanted, address), code)
        if problem:
            raise NotProven(problem)
        seen = {"source": artifact.source, "code_keccak256": "0x" + keccak256(code).hex(), "runtime": "match"}
        libraries = {
            name: checksum(wanted.init_code[places[0].start : places[0].stop])
            for name, places in artifact.creation_links.items()
        }
        return {**seen, "libraries": libraries} if libraries else seen

    @staticmethod
    def _same_creation(artifact: Artifact, wanted: DeclaredCode, creation: Creation) -> None:
        if creation.init_code == wanted.init_code:
            return
        length = wanted.code_length
        if creation.init_code[:length] != wanted.init_code[:length]:
            raise NotProven(f"transaction {creation.transaction} created it with other creation code than the bundle's")
        raise NotProven(
            "its constructor arguments are not those of ship.toml: " + differences(artifact, wanted, creation)
        )

    def _again(self, artifact: Artifact, wanted: DeclaredCode, address: str, code: bytes, *, value_wei: int = 0) -> str:
        """Run the project's init code at ``address``. Refused where immutables are neither reproduced nor known."""
        request = rerun(creating(artifact, wanted, address, value_wei), self.declared.deployer)
        again = reexecution(self.rpc.read_all([("eth_call", request)])[0], code)
        if again != "match" and artifact.immutables:
            why = {"differs": "running it again with the arguments of ship.toml gives other ones"}
            raise NotProven(
                "its immutables are not proven: the chain does not show its creation, and "
                + why.get(again, "the node cannot run it again")
                + ". Name the file that holds its transaction"
            )
        return again

    # -- proxies -------------------------------------------------------------------------------------------------

    def _proxy(self, unit: ContractUnit, address: str) -> Proven:
        code = self.code(address)
        facts = proxy_facts(self.rpc, [address])[0]
        if facts.kind != unit.proxy or facts.implementation is None:
            raise NotProven(f'its slots are those of a {facts.kind} proxy, ship.toml says proxy = "{unit.proxy}"')
        if not delegates(self.rpc, address, facts.implementation):
            raise NotProven(f"it does not delegate calls to {facts.implementation}, the implementation in its slot")
        effect, evidence = self._implementation(unit, facts.implementation)
        effect |= {"address": address, "source": unit.source, "proxy": unit.proxy}
        effect |= {name: value for name, value in (("admin", facts.admin), ("beacon", facts.beacon)) if value}
        evidence |= {"slots": facts.to_json(), "proxy_code_keccak256": "0x" + keccak256(code).hex()}
        own, said = self._proxy_code(unit, address, code)
        evidence |= own
        if facts.beacon:
            evidence["beacon"] = self._beacon(facts.beacon)
        creation = self.creations.find(address)
        if creation is not None:
            evidence |= self._proxy_creation(unit, creation, matches=own["proxy_code"] == "match")
            effect["init_code"] = sha256_hex(creation.init_code)
            said += self._initialized(unit, creation)
        return Proven(unit.name, address, effect, evidence, tuple(said))

    def _implementation(self, unit: ContractUnit, address: str) -> tuple[dict[str, Any], dict[str, Any]]:
        artifact = self.declared.sources(unit.source)
        code = self.code(address)
        wanted = self.declared.constructor(unit, self.live)
        try:
            evidence = self._same_code(artifact, wanted, address, code)
            creation = self.creations.find(address)
            if creation is not None:
                self._same_creation(artifact, wanted, creation)
                evidence |= creation_evidence(creation, wanted.code_length)
            else:
                evidence |= {"creation": None, "reexecution": self._again(artifact, wanted, address, code)}
        except NotProven as error:
            raise NotProven(f"its implementation {address}: {error}") from error
        digest = sha256_hex(wanted.init_code)
        effect: dict[str, Any] = {
            "implementation": address,
            "implementation_init_code": digest,
            "implementation_source": artifact.source,
            "created": {digest: address},
        }
        return effect, {"implementation": evidence}

    def _beacon(self, address: str) -> dict[str, Any]:
        """What is seen of a beacon. That it gives the implementation was read; it need not be of this build either."""
        code = self.code(address)
        seen: dict[str, Any] = {"code_keccak256": "0x" + keccak256(code).hex()}
        try:
            artifact = self.declared.sources(PROXY_CONTRACTS["beacon"][0])
        except Refused:
            return {**seen, "code": "not compared"}
        action = Action("", "", "create", "", 0, None, 0, artifact.creation_code, address=address)
        if runtime_problem(artifact, action, code) is not None:
            return {**seen, "code": "differs"}
        creation = self.creations.find(address)
        made = creation_evidence(creation, len(artifact.creation_code)) if creation else {"creation": None}
        return {**seen, "code": "match", "source": artifact.source, **made}

    def _proxy_code(self, unit: ContractUnit, address: str, code: bytes) -> tuple[dict[str, Any], list[str]]:
        """Whether the proxy itself is the project's. It need not be: many were deployed by a plugin from its own build."""
        try:
            artifact = self.declared.sources(PROXY_CONTRACTS[unit.proxy][-1])
        except Refused:
            return {"proxy_code": "not compared"}, ["its proxy is not one of this build; it delegates as it should"]
        action = Action("", "", "create", "", 0, None, 0, artifact.creation_code, address=address)
        if runtime_problem(artifact, action, code) is None:
            return {"proxy_code": "match"}, []
        return {"proxy_code": "differs"}, [f"its proxy is not this build's {artifact.name}; it delegates as it should"]

    def _proxy_creation(self, unit: ContractUnit, creation: Creation, *, matches: bool) -> dict[str, Any]:
        if not matches:
            return {"proxy_creation": creation_evidence(creation, len(creation.init_code))["creation"]}
        artifact = self.declared.sources(PROXY_CONTRACTS[unit.proxy][-1])
        seen = creation_evidence(creation, len(artifact.creation_code))["creation"]
        return {"proxy_creation": seen, "proxy_source": artifact.source}

    def _initialized(self, unit: ContractUnit, creation: Creation) -> list[str]:
        """A note where the proxy was not initialized as ``ship.toml`` says; what was set can have changed since."""
        wanted = self.declared.initialize(unit, self.live)
        if not wanted or wanted in creation.init_code:
            return []
        return ["it was initialized with other arguments, or in another transaction, than ship.toml says"]

    # -- code ----------------------------------------------------------------------------------------------------

    def code(self, address: str) -> bytes:
        """The code at ``address``: on every endpoint that answers, and in a final block."""
        if address in self._codes:
            return self._codes[address]
        answers = self.rpc.ask_each("eth_getCode", [address, "latest"])
        codes = {str(a).lower() for a in answers if not isinstance(a, RpcFault | RpcUnknown)}
        if len(codes) > 1:
            raise NotProven("the endpoints of the target do not agree on its code")
        final = self.rpc.read("eth_getCode", [address, self.final_block])
        if not codes or codes == {"0x"}:
            raise NotProven("there is no code at this address")
        (code,) = codes
        if str(final).lower() != code:
            raise NotProven("its code is not final yet: run again later")
        self._codes[address] = bytes.fromhex(code[2:])
        return self._codes[address]
