"""The plan of an errand: its actions, priced, in the envelope of any plan. Reads only."""

from __future__ import annotations

from collections.abc import Sequence

from chains.canonical import digest
from chains.errors import Refused
from chains.solana.fees import Budget, price_from
from chains.solana.release import SolanaAction, SolanaPlan
from chains.solana.units import SolanaUnits
from pipeline.bundle import Bundle, BundleMissing, load_bundle
from pipeline.manifest.resolved import resolved
from pipeline.programs.keys import squads_of
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.preparing import ProgramReady, chain_of, envelope
from pipeline.programs.session import ProgramSession
from pipeline.session import accepted_plans

__all__ = ["VaultDecides", "bundle_of", "errand_fee", "errand_plan"]


class VaultDecides(Refused):
    """SHIP-Q87: what is to be done belongs to a multisig's vault, and no key of the target can do it."""

    code = "SHIP-Q87"


_UNITS = 10_000
"""What one instruction of the loader uses at most, with room."""
_SECONDS = 13
_NO_BUNDLE = "0" * 64


def bundle_of(session: ProgramSession) -> Bundle:
    """The bundle of the newest plan: an errand deploys nothing, but says beside which release it was done."""
    plans = accepted_plans(session.rows)
    newest = session.plan(plans[-1]).bundle if plans else _NO_BUNDLE
    try:
        return load_bundle(session.state.project.bundles, newest)
    except BundleMissing:
        return Bundle(session.state.project.bundles / newest, newest, {"artifacts": {}, "files": {}, "toolchain": {}})


def errand_fee(session: ProgramSession, payer: str, signatures: int) -> int:
    """Lamports of one transaction of an errand, at the prices of now."""
    settings = session.settings
    price = price_from(
        session.cluster.recent_fees([payer]), settings.price_percentile, settings.price_cap_micro_lamports
    )
    return Budget(_UNITS, price).lamports(signatures)


def errand_plan(
    session: ProgramSession,
    ready: ProgramReady,
    bundle: Bundle,
    actions: Sequence[SolanaAction],
    *,
    handover: str | None = None,
    warnings: Sequence[str] = (),
) -> ProgramPlan:
    """A plan without units: that is what an errand is known by. Raises ``VaultDecides``."""
    vault = squads_of(session.target, ready.payer)
    if vault is not None and any(
        ready.deployer in {a.details.get("from"), a.details.get("authority")} for a in actions
    ):
        raise VaultDecides(
            f"{ready.deployer} is a vault of the Squads multisig {vault.multisig}: its members decide this, and ship proposes upgrades "
            "alone",
            remedy="Have the members propose and execute it in their own tools; `ship status` then shows what changed.",
        )
    height = session.cluster.height("confirmed")
    body = SolanaPlan(
        chain=chain_of(session),
        deployer=ready.deployer,
        payer=ready.payer,
        actions=tuple(actions),
        units=(),
        checks=(),
        limits={
            "max_lamports": session.target.spec.policy.max_lamports,
            "price_cap_micro_lamports": session.settings.price_cap_micro_lamports,
        },
        estimate={
            "transactions": len(actions),
            "fee_lamports": sum(action.fee_lamports for action in actions),
            "rent_lamports": 0,
            "borrowed_lamports": 0,
            "seconds": _SECONDS * len(actions),
        },
        observed={
            "slot": height.slot,
            "block_height": height.block_height,
            "balance_lamports": session.cluster.balance(ready.payer),
        },
        handover=handover,
    )
    inputs = digest(resolved(session.project, session.target, SolanaUnits()))
    return envelope(session, body, bundle=bundle.digest, inputs=inputs, warnings=tuple(warnings))
