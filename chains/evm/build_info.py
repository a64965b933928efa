"""forge's build-info files: each holds one compiler run whole, its standard JSON input and its output.

Format ``ethers-rs-sol-build-info-1``: ``input``, ``output``, ``solcVersion``. Input and output:
https://docs.soliditylang.org/en/latest/using-the-compiler.html#compiler-input-and-output-json-description
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import canonical, sha256_hex
from chains.errors import Refused, Where
from chains.evm.artifacts import Artifact, ByteRange
from chains.evm.syntax import Trees

__all__ = ["BuildOutputStrange", "Contract", "read_build_info", "standard_input", "zeroed"]

_OUTPUT = ["abi", "evm.bytecode", "evm.deployedBytecode", "metadata", "storageLayout"]


class BuildOutputStrange(Refused):
    """SHIP-B06: forge's output is not what it is known to write."""

    code = "SHIP-B06"


@dataclass(frozen=True)
class Contract:
    """One contract of one compiler run, not yet read in full. ``kind`` is ``contract``, ``library`` or ``interface``."""

    source: str
    kind: str
    abstract: bool
    compiler: str
    metadata: Mapping[str, Any]
    output: Mapping[str, Any]
    input: Mapping[str, Any]
    trees: Trees

    @property
    def path(self) -> str:
        return self.source.rpartition(":")[0]

    @property
    def name(self) -> str:
        return self.source.rpartition(":")[2]

    @property
    def deployable(self) -> bool:
        return self.kind != "interface" and not self.abstract and self.creation_code != b""

    @property
    def creation_code(self) -> bytes:
        """With zeros where library addresses go."""
        return _code(self.output["evm"]["bytecode"], self.source)

    @property
    def libraries(self) -> frozenset[str]:
        """``path:Library`` of every library whose address is written into the code."""
        evm = self.output["evm"]
        return frozenset(_links(evm["bytecode"])) | frozenset(_links(evm["deployedBytecode"]))

    def read(self) -> tuple[Artifact, bytes]:
        """The artifact, and the smallest standard JSON input that gives it."""
        evm, settings = self.output["evm"], {k: v for k, v in self.input["settings"].items() if k != "outputSelection"}
        standard = standard_input(self)
        syntax = self.trees.contract(self.path, self.name)
        layout = self.storage_layout
        artifact = Artifact(
            source=self.source,
            kind="library" if self.kind == "library" else "contract",
            abi=tuple(self.output["abi"]),
            creation_code=self.creation_code,
            runtime_code=_code(evm["deployedBytecode"], self.source),
            creation_links=_links(evm["bytecode"]),
            runtime_links=_links(evm["deployedBytecode"]),
            immutables={k: _ranges(v) for k, v in (evm["deployedBytecode"].get("immutableReferences") or {}).items()},
            storage_layout=layout,
            compiler=self.compiler,
            settings=settings,
            input_sha256=sha256_hex(standard),
            storage_owners=syntax.owners(layout or {}) if syntax else None,
            namespaces=syntax.namespaces() if syntax else None,
            named_types=syntax.named_types([layout or {}]) if syntax else None,
            initializers=syntax.initializers() if syntax else None,
        )
        return artifact, standard

    @property
    def storage_layout(self) -> Mapping[str, Any] | None:
        """solc's layout; forge leaves out an empty one. ``None`` for compilers before 0.5.13, which know none."""
        layout: Mapping[str, Any] | None = self.output.get("storageLayout")
        if layout is not None:
            return {"storage": layout.get("storage") or [], "types": layout.get("types") or {}}
        number = tuple(int(part) for part in self.compiler.partition("+")[0].split("."))
        return {"storage": [], "types": {}} if number >= (0, 5, 13) else None


def _ranges(places: list[Mapping[str, int]]) -> tuple[ByteRange, ...]:
    return tuple(ByteRange(place["start"], place["length"]) for place in places)


def _links(code: Mapping[str, Any]) -> dict[str, tuple[ByteRange, ...]]:
    references = code.get("linkReferences") or {}
    return {f"{path}:{name}": _ranges(at) for path, names in references.items() for name, at in names.items()}


def zeroed(text: str, links: Mapping[str, tuple[ByteRange, ...]], source: str) -> bytes:
    """Hex code as bytes, with zeros for the compiler's ``__$…$__`` placeholders."""
    digits = text.removeprefix("0x")
    for places in links.values():
        for place in places:
            digits = digits[: 2 * place.start] + "00" * place.length + digits[2 * place.stop :]
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise BuildOutputStrange(
            f"the code of {source} is not hexadecimal outside the places of its libraries",
            remedy="Remove .ship/build and run again; if it stays, report it with the versions of forge and solc.",
        ) from error


def _code(code: Mapping[str, Any], source: str) -> bytes:
    return zeroed(code.get("object") or "", _links(code), source)


def standard_input(contract: Contract) -> bytes:
    """Canonical standard JSON: the sources the metadata names, the settings of the run, nothing of the machine.

    ``basePath``, ``allowPaths`` and ``includePaths``, which forge adds, are absolute paths and no part of the standard.
    """
    everything = contract.input["sources"]
    missing = [name for name in contract.metadata["sources"] if name not in everything]
    if missing:
        raise BuildOutputStrange(
            f"the metadata of {contract.source} names {missing[0]}, which is not among the compiled sources",
            remedy="Remove .ship/build and run again; if it stays, report it with the versions of forge and solc.",
        )
    settings = {**contract.input["settings"], "outputSelection": {"*": {"*": _OUTPUT}}}
    sources = {name: {"content": everything[name]["content"]} for name in contract.metadata["sources"]}
    return canonical({"language": contract.input["language"], "sources": sources, "settings": settings})


def _declared(output: Mapping[str, Any]) -> dict[tuple[str, str], tuple[str, bool]]:
    """``(path, name)`` → (kind, abstract), from the syntax trees. Before 0.6 only ``fullyImplemented`` tells."""
    found = {}
    for path, source in output.get("sources", {}).items():
        for node in (source.get("ast") or {}).get("nodes", ()):
            if node.get("nodeType") == "ContractDefinition":
                whole = node.get("fullyImplemented", True) and not node.get("abstract", False)
                found[path, node["name"]] = (node["contractKind"], not whole)
    return found


def read_build_info(path: Path) -> Iterator[Contract]:
    """Every Solidity contract of one compiler run. Raises ``BuildOutputStrange``."""
    try:
        info = json.loads(path.read_bytes())
        if info["input"]["language"] != "Solidity":
            return
        output = info["output"]
        declared = _declared(output)
        trees = Trees(output.get("sources", {}))
        for file, contracts in output.get("contracts", {}).items():
            for name, contract in contracts.items():
                if not contract.get("metadata") or "evm" not in contract:
                    continue  # not asked for: forge compiles some files only for what they import
                metadata = json.loads(contract["metadata"])
                target = metadata["settings"]["compilationTarget"]
                if target != {file: name}:
                    raise ValueError(f"{file}:{name} says of itself that it is {target}")
                kind, abstract = declared[file, name]
                yield Contract(
                    source=f"{file}:{name}",
                    kind=kind,
                    abstract=abstract,
                    compiler=metadata["compiler"]["version"],
                    metadata=metadata,
                    output=contract,
                    input=info["input"],
                    trees=trees,
                )
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise BuildOutputStrange(
            f"a build-info file of forge cannot be read: {type(error).__name__}: {error}",
            where=Where(str(path)),
            remedy="Remove .ship/build and run again; if it stays, report it with the version of forge.",
        ) from error
