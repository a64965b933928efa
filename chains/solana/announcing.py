"""What is put beside a program: its IDL and security contact, Anchor's own IDL account, the record of its build; as actions of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chains.solana.legacy_idl.plan import plan_legacy_idl, read_legacy_idl
from chains.solana.legacy_idl.publication import LegacyIdlPublication
from chains.solana.metadata.plan import plan_metadata
from chains.solana.metadata.publication import MetadataPublication
from chains.solana.publication import Publication, ServiceMissing
from chains.solana.release import SolanaAction
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.verified.layout import Build
from chains.solana.verified.record import BuildRecord, plan_build

__all__ = ["Announced", "announcements", "publication_of"]

_KINDS: Mapping[str, Any] = {
    "metadata": MetadataPublication,
    "legacy-idl": LegacyIdlPublication,
    "build": BuildRecord,
}


@dataclass(frozen=True)
class Announced:
    """What a program's release is to put beside it; bytes as the bundle holds them."""

    unit: str
    program: str
    idl: bytes | None = None
    security: bytes | None = None
    build: Build | None = None


def announcements(
    cluster: Cluster,
    what: Announced,
    *,
    payer: str,
    authority: str,
    settings: Settings,
    deploys: bool,
    optional: bool,
    missing: list[str],
) -> Iterator[SolanaAction]:
    """One action for each thing that is not there as it should be. Where the cluster lacks the program a publication goes through,
    ``missing`` says so if that is ``optional`` (a local cluster); else ``ServiceMissing`` is raised."""
    program = what.program
    for seed, document in (("idl", what.idl), ("security", what.security)):
        if document is not None:
            try:
                found = plan_metadata(
                    cluster, "", what.unit, program, payer, authority, seed, document, settings=settings
                )
            except ServiceMissing as error:
                if not optional:
                    raise
                missing.append(f"{seed} of {what.unit} is not published: {error.cause}")
                continue
            if found.publication is not None:
                verb = "publish" if found.kind == "create" else "update"
                yield _action("metadata", f"{verb} the {seed} of {what.unit} ({len(document):,} bytes)", found, what)
    if what.idl is not None and read_legacy_idl(cluster, what.program) is not None:
        legacy = plan_legacy_idl(cluster, "", what.unit, program, payer, authority, what.idl, settings=settings)
        if legacy.publication is not None:
            yield _action("legacy-idl", f"update Anchor's IDL account of {what.unit}", legacy, what)
    if what.build is not None:
        try:
            built = plan_build(
                cluster, "", what.unit, program, payer, authority, what.build, deploys=deploys, settings=settings
            )
        except ServiceMissing as error:
            if not optional:
                raise
            missing.append(f"the build of {what.unit} is not recorded: {error.cause}")
            return
        if built.publication is not None:
            title = f"record that {what.unit} is built from {what.build.git_url} at {what.build.commit[:12]}"
            yield _action("build", title, built, what)


def _action(kind: str, title: str, found: Any, what: Announced) -> SolanaAction:
    return SolanaAction(
        id=found.publication.unit,
        kind="publish",
        unit=what.unit,
        title=title,
        transactions=found.transactions,
        fee_lamports=found.fee_lamports,
        rent_lamports=found.rent_lamports,
        borrowed_lamports=getattr(found, "borrowed_lamports", 0),
        details={"what": kind, "program": what.program, "publication": found.publication.to_json()},
    )


def publication_of(action: SolanaAction, digest: str) -> Publication:
    """What carries a ``publish`` out, for the plan with this digest."""
    made: Any = _KINDS[action.details["what"]].from_json(action.details["publication"])
    found: Publication = replace(made, plan=digest)
    return found
