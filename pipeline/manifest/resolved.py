"""Everything in the manifests that influences a plan, as one JSON value: what its digest is taken of."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from chains.evm.units import EvmUnits, Read, Ref
from pipeline.manifest.project import Project
from pipeline.manifest.references import written
from pipeline.manifest.target import Target
from pipeline.manifest.units import evm_redirects, evm_units

if TYPE_CHECKING:
    from chains.solana.units import SolanaUnits

__all__ = ["resolved"]


def resolved(project: Project, target: Target, solana: SolanaUnits | None = None) -> dict[str, Any]:
    """``project`` on ``target`` with parameters filled in. Secrets stand as their references, never as values.

    Two manifests that mean the same give the same value, however they are written and whatever they extend.
    ``solana`` are the units of a Solana target, whose addresses depend on who signs. Raises what ``evm_units`` raises.
    """
    units = _units(evm_units(project, target)) if solana is None else _plain(solana)
    redirects = [_plain(redirect) for redirect in evm_redirects(project, target)] if solana is None else []
    spec, chain = target.spec, target.chain
    return {
        "schema": 1,
        "project": {"name": project.name, "version": project.version},
        "target": target.name,
        "chain": {
            "name": chain.name,
            "kind": chain.kind,
            "id": chain.chain_id,
            "genesis": chain.genesis,
            "currency": chain.currency,
            "decimals": chain.decimals,
            "fee-model": chain.fee_model,
            "finality": target.finality,
        },
        "build": target.units.spec.evm.model_dump(mode="json", by_alias=True),
        "gates": target.units.spec.gates.model_dump(mode="json", by_alias=True, exclude_none=True),
        "units": units,
        **({"redirects": redirects} if redirects else {}),
        "policy": spec.policy.model_dump(mode="json", by_alias=True, exclude={"finality"}),
        **{
            key: given.model_dump(mode="json", by_alias=True, exclude_none=True)
            for key, given in (("payer", spec.payer), ("next-authority", spec.next_authority))
            if given is not None
        },
        "signer": spec.signer.model_dump(mode="json", by_alias=True, exclude_none=True) if spec.signer else None,
        "rpc": spec.rpc.model_dump(mode="json", by_alias=True),
        "verify": spec.verify.model_dump(mode="json", by_alias=True),
    }


def _units(units: EvmUnits) -> dict[str, Any]:
    return {
        "contracts": [_plain(unit) for unit in units.contracts],
        "calls": [_plain(unit) for unit in units.calls],
        "checks": [_plain(unit) for unit in units.checks],
        **({"scripts": [_plain(unit) for unit in units.scripts]} if units.scripts else {}),
        **({"handover": _plain(units.handover)} if units.handover is not None else {}),
    }


def _plain(value: Any) -> Any:
    """Dataclasses as tables, bytes as hex, open references as they are written."""
    if isinstance(value, Ref | Read):
        return written(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name.replace("_", "-"): _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return written(value)
