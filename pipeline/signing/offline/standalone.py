"""A target made of nothing but a ``[signer]`` table, for the machine that has no project."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Where
from pipeline.manifest.chain_choice import chosen_chain
from pipeline.manifest.errors import raise_all
from pipeline.manifest.layers import Layer, Layers
from pipeline.manifest.overrides import Overridden
from pipeline.manifest.reading import read_document
from pipeline.manifest.spec import ProjectSpec
from pipeline.manifest.target import Target
from pipeline.manifest.target_rules import target_problems
from pipeline.manifest.target_spec import TargetSpec
from pipeline.manifest.validation import validated
from pipeline.signing.offline.files import FileRefused, Request

__all__ = ["standalone_target"]


def standalone_target(path: Path, request: Request) -> Target:
    """The target ``path`` describes: ``schema = 1`` and ``[signer]``, on the request's chain.

    Where it pins no address, the request's counts. Raises ``FileRefused``, ``ManifestInvalid``.
    """
    document = read_document(path, root=path.resolve().parent)
    signer = document.data.get("signer")
    if set(document.data) != {"schema", "signer"} or not isinstance(signer, dict):
        raise FileRefused(
            "a signer file holds `schema = 1` and the table [signer], and nothing else",
            where=Where(document.file),
            remedy="docs/guide/signers.md shows a whole table for each backend.",
        )
    if signer.get("backend") in {"offline", "remote"}:
        raise FileRefused(
            f"the {signer['backend']} backend is none for a machine without a network",
            where=document.where(("signer", "backend")),
            remedy="Use keystore or pkcs11 there.",
        )
    chain = request.plan.body.chain
    data = {
        "schema": document.data["schema"],
        "chain": {"name": chain["name"], "id": chain["id"]},
        "signer": {"address": request.signer, **signer},
    }
    layers = Layers((Layer(document),))
    spec = validated(TargetSpec, data, layers.where)
    project = validated(ProjectSpec, {"schema": 1, "project": {"name": "offline", "version": "0.0.0"}}, layers.where)
    facts, units = chosen_chain(spec, layers.where), Overridden(project, layers, {})
    raise_all(target_problems(spec, facts, units, layers.where))
    return Target("offline", spec, facts, layers, units)
