"""What an adoption keeps of a creation, and how a creation differs from what the project declares."""

from __future__ import annotations

from typing import Any

from chains.canonical import sha256_hex
from chains.evm.abi import AbiType, constructor_types, decode, jsonable
from chains.evm.actions import Action
from chains.evm.artifacts import Artifact
from chains.evm.declared import DeclaredCode
from chains.evm.verify.creation import Creation

__all__ = ["creating", "creation_evidence", "differences"]


def creating(artifact: Artifact, wanted: DeclaredCode, address: str, value_wei: int = 0) -> Action:
    """What ``ship`` would have sent to deploy it."""
    return Action("", "", "create", "", 0, None, value_wei, wanted.init_code, address=address, source=artifact.source)


def creation_evidence(creation: Creation, code_length: int) -> dict[str, Any]:
    """What the record keeps, so that the init code can be made again from the bundle: ``args`` is what follows the code."""
    return {
        "creation": {
            "transaction": creation.transaction,
            "creator": creation.creator,
            "way": creation.way,
            "value_wei": str(creation.value_wei),
            "args": "0x" + creation.init_code[code_length:].hex(),
            "init_code_sha256": sha256_hex(creation.init_code),
        }
    }


def differences(artifact: Artifact, wanted: DeclaredCode, creation: Creation) -> str:
    """The constructor arguments that differ, in words."""
    inputs, _ = constructor_types(artifact.abi)
    tail = creation.init_code[wanted.code_length :]
    try:
        found = decode(inputs, tail)
    except ValueError:
        return f"0x{tail[:64].hex()} on chain"
    pairs = []
    for kind, value, declared in zip(inputs, found, wanted.args, strict=True):
        if jsonable(value) != declared["value"]:
            pairs.append(f"{_name(kind)} is {jsonable(value)} on chain and {declared['value']} in ship.toml")
    return "; ".join(pairs) or "they are encoded in another way"


def _name(kind: AbiType) -> str:
    return kind.name or kind.type
