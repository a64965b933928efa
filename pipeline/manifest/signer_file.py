"""A file with an approver's own ``[signer]``, of the same shape as a target's."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.manifest.errors import raise_all
from pipeline.manifest.fields import Schema1, Spec
from pipeline.manifest.layers import Layer, Layers
from pipeline.manifest.reading import read_document
from pipeline.manifest.signer_spec import SignerSpec, signer_problems
from pipeline.manifest.validation import validated

__all__ = ["SignerFile", "load_signer"]


class SignerFile(Spec):
    """``schema = 1`` and ``[signer]``, nothing else."""

    schema_: Schema1 = Field(default=1, alias="schema")
    signer: SignerSpec = Field(description="Who signs.")


def load_signer(path: Path) -> tuple[SignerSpec, Layers]:
    """The signer, and where each of its keys stands. Raises ``ManifestInvalid``."""
    path = path.absolute()
    document = read_document(path, root=path.parent)
    layers = Layers((Layer(document),))
    signer = validated(SignerFile, document.data, layers.where).signer
    raise_all(signer_problems(signer, layers.where))
    return signer, layers
