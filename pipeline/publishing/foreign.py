"""Contracts that other tools deployed: held against the project's own build, by address, then published like any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chains.errors import NeedsPerson, Refused
from chains.evm.actions import Action
from chains.evm.address import checksum
from chains.evm.artifacts import Artifact, link, strip_metadata
from chains.evm.node import data_or_nothing
from chains.evm.verify.bytecode import library_addresses, runtime_problem
from chains.evm.verify.creation import Creation, Creations
from chains.evm.verify.explaining import explain
from pipeline.building import build_bundle
from pipeline.making import recipe
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.publishing.buckets import Buckets
from pipeline.publishing.naming import names_services
from pipeline.publishing.publish import Published, publish_contracts
from pipeline.publishing.subjects import Contract
from pipeline.session import open_session
from pipeline.ui.base import Ui

__all__ = ["CreationUnknown", "ForeignVerified", "OtherCode", "verify_address"]


class OtherCode(NeedsPerson):
    """SHIP-V23: what lies at the address is not what the project builds."""

    code = "SHIP-V23"


class CreationUnknown(Refused):
    """SHIP-V24: the chain does not show how the contract was made, and its arguments are needed."""

    code = "SHIP-V24"


@dataclass(frozen=True)
class ForeignVerified:
    """``published`` is ``None`` where nobody was to be asked."""

    target: str
    address: str
    contract: str
    transaction: str | None
    published: Published | None

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/verify-address",
            "target": self.target,
            "address": self.address,
            "contract": self.contract,
            "transaction": self.transaction,
            "state": "proven",
            **({"services": self.published.to_json()} if self.published is not None else {}),
        }


def verify_address(
    root: Path, name: str, address: str, contract: str, arguments: bytes | None, ui: Ui, *, local: bool = False
) -> ForeignVerified:
    """Prove that ``contract`` (``path:Name``) of this project lies at ``address``, and publish its source.

    ``arguments`` are the constructor's, ABI-encoded; ``None`` has them read from the creation, a factory's included.
    Raises ``OtherCode``, ``CreationUnknown``, and what building raises.
    """
    project = load_project(root)
    target = load_target(project, name)
    place = checksum(address)
    asks = not local and names_services(target)
    own = recipe(project, (target,))
    built = build_bundle(replace(own, wanted=tuple(sorted({*own.wanted, contract}))), progress=ui)
    artifact = built.bundle.artifact(contract)
    purpose = f"ship verify --chain {name} --address {place}"
    with open_session(project, target, ui, purpose=purpose, write=asks) as session:
        session.confirm_chain()
        rpc = session.chain.rpc
        made = Creations(rpc, ()).find(place)
        code = _init_code(artifact, made, arguments, place)
        runtime = data_or_nothing(rpc.read("eth_getCode", [place, "latest"]))
        problem = runtime_problem(artifact, _as_ours(artifact, place, code), runtime)
        if problem:
            why = explain(artifact, library_addresses(artifact, code), runtime)
            raise OtherCode(
                f"{place} is not {artifact.source} of this project: {problem}. {why.text}",
                done="Nothing was handed in.",
                remedy="Name the contract that was deployed there, from the commit it was built from.",
            )
        transaction = made.transaction if made is not None else None
        published = None
        if asks:
            one = Contract(artifact.name, place, artifact, built.bundle, code, transaction)
            published = publish_contracts(session, [one], Buckets(), links=False)
        return ForeignVerified(name, place, artifact.source, transaction, published)


def _init_code(artifact: Artifact, made: Creation | None, arguments: bytes | None, place: str) -> bytes:
    """The init code with arguments: as the chain shows it, else the artifact's with those given."""
    if made is not None and _begins_with(artifact, made.init_code):
        return made.init_code
    if made is not None:
        raise OtherCode(
            f"{place} was created by other init code than that of {artifact.source}",
            done="Nothing was handed in.",
            remedy="Name the contract that was deployed there, from the commit it was built from.",
        )
    if arguments is None or artifact.creation_links:
        raise CreationUnknown(
            f"the node does not show how {place} was created, and its constructor arguments are not known",
            remedy="Give them with --args 0x…, or use an endpoint that traces (debug_traceTransaction)."
            if not artifact.creation_links
            else "Use an endpoint that traces (debug_traceTransaction): the linked libraries are read from the creation.",
        )
    return artifact.creation_code + arguments


def _begins_with(artifact: Artifact, code: bytes) -> bool:
    """Whether init code is the artifact's, whatever libraries it links and, for now, whatever metadata it ends with."""
    size = len(artifact.creation_code)
    if len(code) < size:
        return False
    own = link(artifact.creation_code, artifact.creation_links, library_addresses(artifact, code))
    return code.startswith(own) or strip_metadata(code[:size]) == strip_metadata(own)


def _as_ours(artifact: Artifact, place: str, code: bytes) -> Action:
    return Action(artifact.name, artifact.name, "create", "", 0, None, 0, code, address=place, source=artifact.source)
