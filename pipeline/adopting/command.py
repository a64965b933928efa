"""``ship adopt`` from its arguments to its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import Refused
from pipeline.adopting.adopting import Adopted, adopt
from pipeline.adopting.finding import Adoption, find
from pipeline.adopting.parsing import address_at
from pipeline.adopting.reading import read_claims
from pipeline.manifest.families import evm_target
from pipeline.manifest.project import load_project
from pipeline.session import open_session
from pipeline.step import Runner
from pipeline.steps.build import Build
from pipeline.steps.preflight import Preflight
from pipeline.ui.base import Ui

__all__ = ["AdoptOptions", "Result", "adopt_project"]


class BadAs(Refused):
    """SHIP-H07: ``--as`` is not NAME=ADDRESS."""

    code = "SHIP-H07"


@dataclass(frozen=True)
class AdoptOptions:
    """``named`` are the texts of ``--as``, ``skip`` units to leave out."""

    files: Sequence[Path]
    named: Sequence[str]
    skip: Sequence[str]
    yes: bool


@dataclass(frozen=True)
class Result:
    target: str
    adoption: Adoption
    adopted: Adopted
    root: Path

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/adoption",
            "outcome": "done",
            "target": self.target,
            "units": {
                p.unit: {"address": p.address, "effect": dict(p.effect), "evidence": dict(p.evidence), "notes": list(p.notes)}
                for p in self.adoption.proven
            },
            "absent": list(self.adoption.absent),
            "open_calls": list(self.adoption.open_calls),
            "unused": list(self.adoption.unused),
            "plan": self.adopted.plan,
            "record": str(self.adopted.record.relative_to(self.root)),
        }  # fmt: skip


def adopt_project(root: Path, name: str, options: AdoptOptions, ui: Ui) -> Result:
    """Take over what the files name. Sends nothing; raises the ``Refused`` of whatever is not proven."""
    project = load_project(root)
    target = evm_target(
        project,
        name,
        "adopting reads deployments of contracts",
        f"Where the signer is a program's upgrade authority, `ship deploy --chain {name}` finds the bytes that run and upgrades "
        "them where they differ.",
    )
    given = dict(_given(text) for text in options.named)
    if not options.files and not given:
        raise BadAs("nothing names what is to be adopted", remedy="Give files, or --as NAME=ADDRESS.")
    run = Runner(ui)
    with open_session(project, target, ui, purpose=f"ship adopt --chain {name}", write=True) as session:
        claims = read_claims(options.files, session.chain.identity.id, name)
        ready = run(Preflight(session))
        bundle = run(Build(project, (target,), ui)).bundle
        adoption = find(session, bundle, ready.deployer, claims, given, options.skip)
        adopted = adopt(session, bundle, ready.deployer, adoption, yes=options.yes)
        return Result(name, adoption, adopted, project.root)


def _given(text: str) -> tuple[str, str]:
    name, equals, address = text.partition("=")
    if not equals:
        raise BadAs(f"`--as {text}` is not NAME=ADDRESS", remedy="Write it as --as Vault=0x….")
    return name.strip(), address_at(Path("--as"), address.strip(), f"the address of {name}")
