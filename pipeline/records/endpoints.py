"""The endpoints of a target for somebody who only reads; a chain ``ship`` runs itself is started for that long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from chains.evm.localnet import running
from pipeline.lock import locked
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target
from pipeline.reaching import endpoint_urls, is_embedded
from pipeline.session import embedded_chain
from pipeline.state.local import ProjectState

__all__ = ["target_urls"]


@contextmanager
def target_urls(project: Project, target: Target, purpose: str) -> Iterator[list[str]]:
    """Raises ``NoEndpoint``, ``TargetLocked``, and whatever a local chain raises."""
    state = ProjectState(project.root).target(target.name)
    with ExitStack() as stack:
        if not is_embedded(target):
            yield endpoint_urls(project, target)
        elif target.chain.kind == "solana":
            from pipeline.programs.session import embedded_cluster  # Solana targets alone

            yield [stack.enter_context(embedded_cluster(project, state, owns=False)).url]
        else:
            if running(state.localnet, target.chain.chain_id or 0) is None:
                stack.enter_context(locked(state.lock, purpose))
            yield [stack.enter_context(embedded_chain(project, target, state, owns=False)).url]
