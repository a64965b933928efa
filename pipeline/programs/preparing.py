"""Checking the ground and planning, on a Solana cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chains.canonical import digest
from chains.errors import Refused
from chains.solana.drafting import Drafting, ProgramFiles, Replaced
from chains.solana.live import done_calls
from chains.solana.planning import plan_release
from chains.solana.release import SolanaPlan
from chains.solana.verified.layout import Build
from pipeline.bundle import Bundle
from pipeline.git import current_commit
from pipeline.manifest.program_units import program_ids, solana_units
from pipeline.manifest.resolved import resolved
from pipeline.options import Candidate
from pipeline.programs.keys import deployer_and_payer, squads_of
from pipeline.programs.plan import ProgramPlan, load_program_plan, refuse_stale_program_plan
from pipeline.programs.session import ProgramSession, idls_of
from pipeline.programs.store import keep_bytes
from pipeline.reaching import is_embedded
from pipeline.session import unfinished_plan
from pipeline.signing.opening import refuse_weak_backend
from pipeline.steps.plan import settled

__all__ = [
    "ProgramPlanning",
    "ProgramPreflight",
    "ProgramReady",
    "chain_of",
    "envelope",
    "live_state",
    "make_program_plan",
]

_FEW_LAMPORTS = 5 * 10**9
_AIRDROP_LAMPORTS = 100 * 10**9


class NoPrograms(Refused):
    """SHIP-Q25: the project has nothing for a Solana target."""

    code = "SHIP-Q25"


class BuildWithoutCommit(Refused):
    """SHIP-Q26: a build is to be recorded, and no commit gives it."""

    code = "SHIP-Q26"


@dataclass(frozen=True)
class ProgramReady:
    """The cluster is the right one. ``unfinished`` is the digest of a plan an earlier run left part-way."""

    deployer: str
    payer: str
    unfinished: str | None


@dataclass(frozen=True)
class ProgramPreflight:
    """Refuses a wrong cluster, a foreign journal and an unusable signer while nothing has cost time yet."""

    session: ProgramSession
    title: str = "checking the ground"

    def run(self) -> ProgramReady:
        session = self.session
        if not session.target.units.spec.programs:
            raise NoPrograms(
                f"the project has no [programs], so that there is nothing to release to {session.target.name}",
                remedy="Add a program to ship.toml, or choose an EVM target.",
            )
        refuse_weak_backend(session.target)
        deployer, payer = deployer_and_payer(session.target, session.project.root)
        session.confirm_chain()
        if is_embedded(session.target) and session.cluster.balance(payer) < _FEW_LAMPORTS:
            session.rpc.read("requestAirdrop", [payer, _AIRDROP_LAMPORTS])
            self._wait_for(payer)
        return ProgramReady(deployer, payer, unfinished_plan(session.rows))

    def _wait_for(self, payer: str) -> None:
        """The local cluster's own money takes a slot to arrive."""
        for _ in range(100):
            if self.session.cluster.balance(payer) >= _FEW_LAMPORTS:
                return
            self.session.clock.sleep_s(0.05)

    def summary(self, result: ProgramReady) -> str:
        pays = f", payer {result.payer}" if result.payer != result.deployer else ""
        return f"{self.session.target.chain.title} (genesis {self.session.genesis_hash[:12]}…), signer {result.deployer}{pays}"


def chain_of(session: ProgramSession) -> dict[str, object]:
    """The cluster as plans and records name it. Solana has no chain id."""
    return {"name": session.target.chain.name, "id": None, "genesis_hash": session.genesis_hash}


def live_state(session: ProgramSession) -> str:
    """Names a target's recorded state."""
    bodies = session.bodies()
    live = {name: unit.to_json() for name, unit in session.live().items()}
    return digest({"programs": live, "calls": done_calls(session.rows, bodies)})


def envelope(
    session: ProgramSession, body: SolanaPlan, *, bundle: str, inputs: str, warnings: tuple[str, ...] = ()
) -> ProgramPlan:
    """``body`` with what names its place and origin."""
    commit = current_commit(session.project.root)
    return ProgramPlan(
        project=session.project.name,
        version=session.project.version,
        target=session.target.name,
        commit=commit.id,
        dirty=commit.dirty,
        bundle=bundle,
        inputs=inputs,
        state=live_state(session),
        body=body,
        warnings=warnings,
    )


def make_program_plan(session: ProgramSession, bundle: Bundle, ready: ProgramReady) -> ProgramPlan:
    """Plan the project's programs against the cluster as it is now. Nothing is signed or sent."""
    idls = idls_of(bundle)
    bodies: Mapping[str, Mapping[str, object] | None] = {name: idl.body for name, idl in idls.items()}
    ids = program_ids(session.project, session.target, bodies)
    units = solana_units(session.project, session.target, ids, deployer=ready.deployer, payer=ready.payer)

    def files(name: str) -> ProgramFiles:
        idl = idls.get(name)
        return ProgramFiles(
            elf=bundle.program(name, "so") or b"",
            idl=idl.body if idl else None,
            idl_bytes=bundle.program(name, "idl.json"),
            security=bundle.program(name, "security.json"),
            build=_build(session, name),
        )

    def keep(replaced: Replaced) -> None:
        keep_bytes(session, replaced.elf)

    draft = Drafting(
        cluster=session.cluster,
        files=files,
        live=session.live(),
        done=done_calls(session.rows, session.bodies()),
        deployer=ready.deployer,
        payer=ready.payer,
        settings=session.settings,
        chain=chain_of(session),
        max_lamports=session.target.spec.policy.max_lamports,
        keep=keep,
        squads=squads_of(session.target, ready.payer),
        local=session.target.chain.local,
    )
    body = plan_release(draft, units)
    inputs = digest(resolved(session.project, session.target, units))
    return envelope(session, body, bundle=bundle.digest, inputs=inputs, warnings=tuple(draft.left_out))


def _build(session: ProgramSession, name: str) -> Build | None:
    """Where the program is built from, by the project's own commit. Raises ``BuildWithoutCommit``."""
    spec = session.target.units.spec.programs[name].verified_build
    if spec is None:
        return None
    commit = current_commit(session.project.root)
    if session.target.chain.local and (commit.id is None or commit.dirty):
        session.ui.note(f"the build of {name} is not recorded: the work tree is no clean commit")
        return None
    if commit.id is None or commit.dirty:
        state = "differs from its commit" if commit.id else "is in no git repository"
        raise BuildWithoutCommit(
            f"{name} is to be recorded as built from {spec.repository}, and the work tree {state}",
            remedy="Release from a clean commit: nobody could build the record again.",
        )
    return Build(spec.repository, commit.id, spec.args)


@dataclass(frozen=True)
class ProgramPlanning:
    """Makes the plan, or holds a saved one against it. ``saved`` is the file of ``--plan``."""

    session: ProgramSession
    bundle: Bundle
    ready: ProgramReady
    saved: Path | None = None
    candidate: Candidate | None = None
    title: str = "planning"

    def run(self) -> ProgramPlan:
        plan = make_program_plan(self.session, self.bundle, self.ready)
        return settled(self.session, plan, self.saved, self.candidate, load_program_plan, refuse_stale_program_plan)

    def summary(self, result: ProgramPlan) -> str:
        if not result.body.actions:
            return "nothing to do: the cluster runs this bundle"
        return f"{result.body.estimate['transactions']:,} transactions, plan {result.digest[:12]}"
