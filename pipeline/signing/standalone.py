"""A target made of nothing but a ``[signer]`` table: on a machine without a project, or for a key that is to come."""

from __future__ import annotations

from pathlib import Path

from chains.errors import Refused, Where
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

__all__ = ["SignerFileRefused", "standalone_target"]


class SignerFileRefused(Refused):
    """SHIP-O09: a signer file holds something else than a signer."""

    code = "SHIP-O09"


def standalone_target(path: Path, chain: str, chain_id: int, address: str | None = None) -> Target:
    """The target ``path`` describes: ``schema = 1`` and ``[signer]``, on the given chain.

    Where it pins no address, ``address`` counts. Raises ``SignerFileRefused``, ``ManifestInvalid``.
    """
    document = read_document(path, root=path.resolve().parent)
    signer = document.data.get("signer")
    if set(document.data) != {"schema", "signer"} or not isinstance(signer, dict):
        raise SignerFileRefused(
            "a signer file holds `schema = 1` and the table [signer], and nothing else",
            where=Where(document.file),
            remedy="docs/guide/signers.md shows a whole table for each backend.",
        )
    data = {
        "schema": document.data["schema"],
        "chain": {"name": chain, "id": chain_id},
        "signer": {**({"address": address} if address else {}), **signer},
    }
    layers = Layers((Layer(document),))
    spec = validated(TargetSpec, data, layers.where)
    project = validated(ProjectSpec, {"schema": 1, "project": {"name": "none", "version": "0.0.0"}}, layers.where)
    facts, units = chosen_chain(spec, layers.where), Overridden(project, layers, {}, {})
    raise_all(target_problems(spec, facts, units, layers.where))
    return Target("none", spec, facts, layers, units)
