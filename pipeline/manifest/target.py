"""Loading ``manifests/<target>.toml``, with the built-in manifest it extends."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chains.chain_data import ChainFacts
from chains.errors import Where
from pipeline.manifest.builtins import PREFIX, builtin_document, builtin_names
from pipeline.manifest.chain_choice import chosen_chain
from pipeline.manifest.errors import BadName, UnknownBuiltin, UnknownTarget, did_you_mean, raise_all
from pipeline.manifest.fields import NAME_PATTERN
from pipeline.manifest.layers import Layer, Layers, merge
from pipeline.manifest.overrides import Overridden, overridden
from pipeline.manifest.paths import inside
from pipeline.manifest.project import Project
from pipeline.manifest.reading import Document, read_document
from pipeline.manifest.target_rules import target_problems
from pipeline.manifest.target_spec import TargetSpec
from pipeline.manifest.validation import validated

__all__ = ["DIRECT_BUILTINS", "TARGETS_FOLDER", "Target", "default_target", "list_targets", "load_target"]

TARGETS_FOLDER = "manifests"
DIRECT_BUILTINS = ("local", "solana-local")
"""Built-in manifests that are targets without a file: they spend nothing and need no parameters of their own."""


@dataclass(frozen=True)
class Target:
    """One chain to release to. ``units`` is the project with the target's overrides merged in."""

    name: str
    spec: TargetSpec
    chain: ChainFacts
    layers: Layers
    units: Overridden

    @property
    def file(self) -> str:
        """The name of the file to show and to change."""
        return self.layers.layers[0].document.file

    @property
    def finality(self) -> str | int:
        """When a block counts as final: the policy's rule, else the chain's."""
        return self.spec.policy.finality if self.spec.policy.finality is not None else self.chain.finality


def list_targets(project: Project) -> tuple[str, ...]:
    """The targets of ``project`` by name, sorted: the files in ``manifests/``. Their content is not looked at."""
    folder = project.root / TARGETS_FOLDER
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml")))


def default_target(project: Project) -> str:
    """The built-in target of a project without files of its own: the local chain of the family it has units for."""
    return "solana-local" if project.spec.programs and not project.spec.contracts else "local"


def load_target(project: Project, name: str) -> Target:
    """Read and check the target called ``name``. Raises ``ManifestInvalid`` with every problem found."""
    document = _document(project, name)
    layers = _layers(document)
    data = document.data
    if len(layers.layers) > 1:
        data = merge({k: v for k, v in layers.layers[1].document.data.items() if k != "extends"}, data)
    spec = validated(TargetSpec, data, layers.where)
    chain = chosen_chain(spec, layers.where)
    units = overridden(project, spec, layers)
    raise_all(target_problems(spec, chain, units, layers.where))
    if spec.signer and spec.signer.file and not spec.signer.file.startswith(("~", "env:")):
        inside(project.root, spec.signer.file, layers.where(("signer", "file")))
    return Target(name, spec, chain, layers, units)


def _document(project: Project, name: str) -> Document:
    if not re.fullmatch(NAME_PATTERN.rstrip("$"), name):
        raise BadName(
            "This is not the name of a target.",
            remedy="A name starts with a letter (A to Z, a to z) and has at most 64 letters, digits, - and _.",
            where=Where(f"{TARGETS_FOLDER}/"),
        )
    path = project.root / TARGETS_FOLDER / f"{name}.toml"
    if path.exists() or path.is_symlink():
        return read_document(path, root=project.root)
    builtin = builtin_document(name)
    if builtin and name in DIRECT_BUILTINS:
        return builtin
    known = [*list_targets(project), *(n for n in DIRECT_BUILTINS if n not in list_targets(project))]
    remedy = f"Targets here: {', '.join(known)}."
    if builtin:
        remedy += f' Or create {TARGETS_FOLDER}/{name}.toml with schema = 1, extends = "{PREFIX}{name}" and a [signer].'
    raise UnknownTarget(
        f"There is no {TARGETS_FOLDER}/{name}.toml.{did_you_mean(name, known)}",
        remedy=remedy,
        where=Where(f"{TARGETS_FOLDER}/{name}.toml"),
    )


def _layers(document: Document) -> Layers:
    extends = document.data.get("extends")
    if not isinstance(extends, str):
        return Layers((Layer(document),))  # a wrong type is refused by the model
    name = extends.removeprefix(PREFIX)
    below = builtin_document(name) if extends.startswith(PREFIX) else None
    if below is None:
        raise UnknownBuiltin(
            f"extends names no built-in manifest.{did_you_mean(name, builtin_names())}",
            remedy=f'Write extends = "{PREFIX}NAME" with one of: {", ".join(builtin_names())}.',
            where=document.where(("extends",)),
        )
    return Layers((Layer(document), Layer(below)))
