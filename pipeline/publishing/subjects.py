"""What is to be published of a target: every contract our own proof holds for the bundle's, and every proxy's link."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chains.evm.abi import constructor_types
from chains.evm.artifacts import Artifact
from chains.evm.explorers.base import Explorer, Submission
from chains.evm.explorers.errands import Link, Source
from chains.evm.explorers.publishing import Job
from chains.evm.explorers.sourcify import Sourcify
from chains.evm.live import LiveUnit
from chains.evm.verify.bytecode import init_code, library_addresses
from pipeline.bundle import Bundle
from pipeline.proving import Bundles, Proven
from pipeline.publishing.inputs import own_input, whole_input

__all__ = ["Contract", "contracts_of", "jobs_for"]


@dataclass(frozen=True)
class Contract:
    """A contract that was proven here: ``code`` is its init code with arguments, ``transaction`` what created it."""

    title: str
    address: str
    artifact: Artifact
    bundle: Bundle
    code: bytes
    transaction: str | None


def contracts_of(proofs: Iterable[Proven], bundles: Bundles) -> Iterator[Contract]:
    """Nothing that our own proof refutes, or could not be held, is handed to anybody."""
    for proven in proofs:
        creation = proven.creation
        action = creation.action
        if proven.state != "proven" or proven.proof is None or creation.source is None:
            continue
        bundle = bundles(creation.plan.bundle)
        artifact = bundle.artifact(proven.proof.source)
        if action is None and creation.made is not None:
            action = creation.made.action(creation.unit, creation.name, creation.address, artifact)
        if action is None and constructor_types(artifact.abi)[0]:
            continue  # adopted, and nothing shows what its constructor was given
        code = init_code(action) if action is not None else artifact.creation_code
        yield Contract(
            creation.name, creation.address, artifact, bundle, code, creation.transaction or creation.seen_in
        )


def jobs_for(
    explorers: Sequence[Explorer],
    contracts: Sequence[Contract],
    units: Mapping[str, LiveUnit],
    *,
    chain_id: int,
    license_number: int,
) -> list[Job]:
    """Every contract at every service; proxies after them, where a service has to be told what they run."""
    sources = [
        Job(explorer, _source(contract, explorer, chain_id, license_number))
        for explorer in explorers
        for contract in contracts
    ]
    known = {contract.address.lower() for contract in contracts}
    links = [
        Job(explorer, Link(f"{unit.name} → implementation", unit.address, unit.implementation))
        for explorer in explorers
        if explorer.links_proxies
        for unit in units.values()
        if unit.address and unit.implementation and unit.implementation.lower() in known
    ]
    return sources + links


def _source(contract: Contract, explorer: Explorer, chain_id: int, license_number: int) -> Source:
    artifact = contract.artifact
    libraries = library_addresses(artifact, contract.code)
    # Linked after compiling, as forge does, the metadata knows no libraries. Sourcify finds their addresses in the code and
    # compares the metadata; the others compile what they are given and cannot link by themselves.
    own = {} if isinstance(explorer, Sourcify) else libraries
    submission = Submission(
        chain_id=chain_id,
        address=contract.address,
        contract=artifact.source,
        compiler=f"v{artifact.compiler}",
        standard_json=own_input(contract.bundle, artifact, own),
        arguments=contract.code[len(artifact.creation_code) :],
        creation_transaction=contract.transaction,
        license_number=license_number,
        linked_later=bool(own),
    )
    return Source(contract.title, submission, whole_input(contract.bundle, artifact, own))
