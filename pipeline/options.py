"""What ``ship deploy`` was asked to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.publishing.buckets import Buckets

if TYPE_CHECKING:
    from pipeline.manifest.target import Target
    from pipeline.signing.context import PasswordSource

__all__ = ["DeployOptions"]


@dataclass(frozen=True)
class DeployOptions:
    """``saved`` is a plan file to be held to, ``approvals`` the file of its approvals; ``replan`` gives up what an
    unfinished plan has not yet sent.

    ``together`` are all targets of the run, which are built for at once. With ``serve_port`` forge sends the scripts'
    transactions through a server at that port (``pipeline.rpc_signer``). ``buckets`` are the allowances at explorers, shared by
    all targets of the run.
    """

    yes: bool
    password: PasswordSource
    saved: Path | None = None
    approvals: Path | None = None
    replan: bool = False
    serve_port: int | None = None
    together: tuple[Target, ...] = ()
    buckets: Buckets = field(default_factory=Buckets)
