"""Whether a target names anywhere to publish; apart from the clients, which are slow to import."""

from __future__ import annotations

from pipeline.manifest.target import Target

__all__ = ["names_services"]


def names_services(target: Target) -> bool:
    """Whether the target names anywhere to publish; nothing is resolved."""
    verify, facts = target.spec.verify, target.chain.explorers
    return bool(
        verify.etherscan
        or verify.services
        or (verify.sourcify and verify.sourcify.enabled)
        or (verify.blockscout and verify.blockscout.enabled and (verify.blockscout.url or facts.blockscout_api_url))
    )
