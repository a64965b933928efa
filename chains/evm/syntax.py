"""What only solc's syntax trees tell about an upgrade: ERC-7201 namespaces, enum members, initializer modifiers.

solc's ``storageLayout`` leaves out structs that a contract reaches by a fixed slot. ERC-7201 marks them:
``/// @custom:storage-location erc7201:<id>`` over the struct. Their layout is worked out here by the rules of the Solidity
documentation ("Layout of State Variables in Storage") and given in solc's own form, without ids of the compiler's run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

__all__ = ["ContractSyntax", "Trees"]

Node = Mapping[str, Any]

_LOCATION = re.compile(r"@custom:storage-location\s+(erc7201:\S+)")
_NAMED = re.compile(r"^t_(?:enum|userDefinedValueType)\(.*\)(\d+)$")
_MODIFIERS = {"initializer", "reinitializer", "onlyInitializing"}


def _walk(node: Any) -> Iterator[Node]:
    if isinstance(node, Mapping):
        if "nodeType" in node:
            yield node
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


@dataclass(frozen=True)
class Trees:
    """The syntax trees of one compiler run: ``sources`` of its output."""

    sources: Mapping[str, Any]

    @cached_property
    def by_id(self) -> dict[int, Node]:
        """Every declaration a type can refer to, and every contract."""
        kinds = {"ContractDefinition", "StructDefinition", "EnumDefinition", "UserDefinedValueTypeDefinition"}
        roots = (source.get("ast") for source in self.sources.values())
        return {n["id"]: n for root in roots for n in _walk(root) if n["nodeType"] in kinds and "id" in n}

    def contract(self, path: str, name: str) -> ContractSyntax | None:
        for node in (self.sources.get(path, {}).get("ast") or {}).get("nodes", ()):
            if node.get("nodeType") == "ContractDefinition" and node["name"] == name:
                return ContractSyntax(self, node)
        return None


@dataclass(frozen=True)
class ContractSyntax:
    """One contract, with what it inherits."""

    trees: Trees
    node: Node

    @cached_property
    def lineage(self) -> list[Node]:
        """The contract and its bases, as solc linearizes them."""
        ids = self.node.get("linearizedBaseContracts", ())
        return [self.trees.by_id[i] for i in ids if i in self.trees.by_id]

    def namespaces(self) -> dict[str, Any]:
        """ERC-7201 id → layout of its struct in solc's form; of the contract, its bases, and the libraries they use."""
        found = {}
        for owner in (*self.lineage, *self._libraries()):
            for node in owner.get("nodes", ()):
                match = _LOCATION.search(_documentation(node)) if node["nodeType"] == "StructDefinition" else None
                if match:
                    found[match[1]] = _Layout(self.trees.by_id).of(node)
        return found

    def _libraries(self) -> Iterator[Node]:
        """Libraries with namespaces that the contract or a base names, directly or through other libraries."""
        spaced = {
            inner["id"]: library
            for library in self.trees.by_id.values()
            if library["nodeType"] == "ContractDefinition" and library.get("contractKind") == "library"
            if any(
                n["nodeType"] == "StructDefinition" and _LOCATION.search(_documentation(n)) for n in library["nodes"]
            )
            for inner in (library, *library["nodes"])
            if "id" in inner
        }
        todo, seen = list(self.lineage), set()
        while spaced and todo:
            for node in _walk(todo.pop()):
                library = spaced.get(node.get("referencedDeclaration", -1))
                if library is not None and library["id"] not in seen:
                    seen.add(library["id"])
                    todo.append(library)
                    yield library

    def named_types(self, layouts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """What the named types inside solc's layouts stand for: an enum's members, a value type's underlying type."""
        found: dict[str, Any] = {}
        for layout in layouts:
            for key, kind in (layout.get("types") or {}).items():
                match = _NAMED.match(key)
                node = self.trees.by_id.get(int(match[1])) if match else None
                if node is not None:
                    found[kind["label"]] = _meaning(node)
        return found

    def owners(self, layout: Mapping[str, Any]) -> tuple[str, ...]:
        """The contract that declares each variable of the layout, in its order (solc names the compiled one instead)."""
        names: dict[int, str] = {
            node["id"]: owner["name"]
            for owner in self.lineage
            for node in owner.get("nodes", ())
            if node["nodeType"] == "VariableDeclaration"
        }
        return tuple(names.get(item.get("astId", -1), str(self.node["name"])) for item in layout.get("storage") or ())

    def initializers(self) -> dict[str, str]:
        """Selector → modifier (``initializer``, ``reinitializer(2)``) of every function that has one."""
        found: dict[str, str] = {}
        for owner in self.lineage:
            for node in owner.get("nodes", ()):
                selector = node.get("functionSelector")
                if node["nodeType"] != "FunctionDefinition" or not selector or selector in found:
                    continue
                for modifier in node.get("modifiers", ()):
                    name = modifier["modifierName"].get("name", "").rpartition(".")[2]
                    if name in _MODIFIERS:
                        arguments = [str(a.get("value", "?")) for a in modifier.get("arguments") or ()]
                        found[selector] = f"{name}({', '.join(arguments)})" if arguments else name
        return found


def _documentation(node: Node) -> str:
    documentation = node.get("documentation")
    return str(documentation.get("text", "")) if isinstance(documentation, Mapping) else str(documentation or "")


def _meaning(node: Node) -> Any:
    if node["nodeType"] == "EnumDefinition":
        return [member["name"] for member in node["members"]]
    return node["underlyingType"]["typeDescriptions"]["typeString"]


@dataclass
class _Layout:
    """Lays one struct out. ``types`` collects solc-shaped descriptions of all types inside."""

    by_id: Mapping[int, Node]
    types: dict[str, Any] = field(default_factory=dict)

    def of(self, struct: Node) -> dict[str, Any]:
        storage, _ = self.members(struct)
        return {"struct": struct["canonicalName"], "storage": storage, "types": self.types}

    def members(self, struct: Node) -> tuple[list[dict[str, Any]], int]:
        """``(members in solc's form, size in bytes)``: packed from the low end, structs and arrays in slots of their own."""
        slot = offset = 0
        placed = []
        for member in struct["members"]:
            key = self.type(member["typeName"])
            size, whole = (
                int(self.types[key]["numberOfBytes"]),
                self.types[key].get("members") or "base" in self.types[key],
            )
            if offset and (whole or offset + size > 32):
                slot, offset = slot + 1, 0
            placed.append({"label": member["name"], "offset": offset, "slot": str(slot), "type": key})
            if whole or size >= 32:
                slot, offset = slot + -(-size // 32), 0
            else:
                offset += size
        return placed, max(1, slot + bool(offset)) * 32

    def type(self, node: Node) -> str:
        """The key of a type name's description in ``types``."""
        label = str(node["typeDescriptions"]["typeString"])
        match node["nodeType"]:
            case "Mapping":
                key, value = self.type(node["keyType"]), self.type(node["valueType"])
                return self._add(label, 32, "mapping", key=key, value=value)
            case "ArrayTypeName":
                return self._array(node, label)
            case "UserDefinedTypeName":
                return self._declared(self.by_id.get(node["referencedDeclaration"]), label)
            case "FunctionTypeName":
                return self._add(label, 24 if "external" in label else 8, "inplace")
            case _:
                return self._elementary(label)

    def _add(self, label: str, size: int, encoding: str, **more: Any) -> str:
        self.types[label] = {"label": label, "numberOfBytes": str(size), "encoding": encoding, **more}
        return label

    def _elementary(self, label: str) -> str:
        if label in {"string", "bytes"}:
            return self._add(label, 32, "bytes")
        sized = re.fullmatch(r"(u?int|bytes)(\d+)", label)
        if sized:
            return self._add(label, int(sized[2]) // (1 if sized[1] == "bytes" else 8), "inplace")
        return self._add(label, 1 if label == "bool" else 20, "inplace")

    def _array(self, node: Node, label: str) -> str:
        base = self.type(node["baseType"])
        length = re.search(r"\[(\d*)\]$", label)
        if length is None or not length[1]:
            return self._add(label, 32, "dynamic_array", base=base)
        count, size = int(length[1]), int(self.types[base]["numberOfBytes"])
        slots = -(-size // 32) * count if size >= 32 else -(-count // (32 // size))
        return self._add(label, slots * 32, "inplace", base=base)

    def _declared(self, declared: Node | None, label: str) -> str:
        match declared["nodeType"] if declared else None:
            case "StructDefinition":
                if label not in self.types:
                    self._add(label, 32, "inplace", members=[])  # a struct may hold a mapping to itself
                    assert declared
                    members, size = self.members(declared)
                    self._add(label, size, "inplace", members=members)
                return label
            case "EnumDefinition":
                assert declared
                return self._add(label, 1, "inplace", enum=_meaning(declared))
            case "UserDefinedValueTypeDefinition":
                assert declared
                under = self._elementary(_meaning(declared))
                return self._add(label, int(self.types[under]["numberOfBytes"]), "inplace", underlying=under)
            case _:
                return self._add(label, 20, "inplace")  # a contract
