"""Our own proof that a cluster runs the bundle's programs, and the project's own reads of accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from chains.errors import ShipError
from chains.solana.checking import CheckResult, read_checks
from chains.solana.layouts import elf_sha256, parse_program, parse_program_data, program_data_address
from chains.solana.live import LiveProgram
from pipeline.bundle import Bundle
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession, idls_of
from pipeline.programs.store import find_bytes
from pipeline.steps.check import CheckFailed
from pipeline.steps.verify import ProofFailed

__all__ = ["CheckPrograms", "ProgramProof", "VerifyPrograms", "prove_programs"]


@dataclass(frozen=True)
class ProgramProof:
    """What the cluster shows of a program at finality. ``bytes``: ``match`` (compared byte for byte with what was released),
    ``hash`` (its bytes are not on this machine; the hash is the recorded one), ``differs``."""

    name: str
    address: str
    sha256: str
    authority: str
    slot: int
    bytes: str
    problems: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "problems": list(self.problems)}


def prove_programs(session: ProgramSession) -> list[ProgramProof]:
    """Every live program, its accounts read at finality in one request."""
    live = session.live()
    if not live:
        return []
    keys = {name: str(program_data_address(Pubkey.from_string(unit.program))) for name, unit in live.items()}
    wanted = [*keys.values(), *(unit.program for unit in live.values())]
    accounts = session.cluster.accounts(wanted, "finalized")
    proofs = []
    for name, unit in live.items():
        program, data = accounts[unit.program], accounts[keys[name]]
        if program is None or data is None or not data.data:
            proofs.append(ProgramProof(name, unit.program, "", "", 0, "differs", ("there is no program",)))
            continue
        linked = str(parse_program(program).program_data)
        found = parse_program_data(data)
        problems = [] if linked == keys[name] else [f"it points at {linked}"]
        way, why = _bytes(session, unit, found.elf)
        problems += why
        if str(found.authority or "nobody") != unit.authority:
            problems.append(f"its authority is {found.authority or 'nobody'}, recorded was {unit.authority}")
        authority = str(found.authority or "nobody")
        proofs.append(
            ProgramProof(name, unit.program, elf_sha256(found.elf), authority, found.slot, way, tuple(problems))
        )
    return proofs


def _bytes(session: ProgramSession, unit: LiveProgram, held: bytes) -> tuple[str, list[str]]:
    if elf_sha256(held) != unit.sha256:
        return "differs", [f"it runs {elf_sha256(held)[:16]}…, released was {unit.sha256[:16]}…"]
    action = next(
        (
            a
            for a in session.plan(unit.plan).body.actions
            if a.unit == unit.name and a.details.get("sha256") == unit.sha256
        ),
        None,
    )
    try:
        elf = find_bytes(session, unit.name, action.details["file_sha256"]) if action else None
    except ShipError:
        return "hash", []  # said in the proof: the bytes are elsewhere, their hash is what the journal has
    if elf is None:
        return "hash", []
    same = held[: len(elf)] == elf and not any(held[len(elf) :])
    return ("match", []) if same else ("differs", ["its bytes are not those that were released"])


@dataclass(frozen=True)
class VerifyPrograms:
    """Reads every live program, of this plan and of earlier ones."""

    session: ProgramSession
    plan: ProgramPlan
    title: str = "verifying programs"

    def run(self) -> list[ProgramProof]:
        proofs = prove_programs(self.session)
        for proof in proofs:
            self.session.ui.item(proof.name, "proven" if not proof.problems else "differs", proof.sha256[:16])
        wrong = [f"{p.name} at {p.address}: {'; '.join(p.problems)}" for p in proofs if p.problems]
        if wrong:
            raise ProofFailed(
                " · ".join(wrong),
                remedy="Do not use these programs. Ask a second node, then find out what deployed them.",
            )
        return proofs

    def summary(self, result: list[ProgramProof]) -> str:
        same = sum(proof.bytes == "match" for proof in result)
        return f"{len(result)} program{'s' if len(result) != 1 else ''} proven, {same} byte for byte"


@dataclass(frozen=True)
class CheckPrograms:
    """The project's own reads; a failed one stops the release: no record is written."""

    session: ProgramSession
    plan: ProgramPlan
    bundle: Bundle
    title: str = "checking the deployment"

    def run(self) -> Sequence[CheckResult]:
        results = read_checks(self.session.cluster, self.plan.body.checks, idls_of(self.bundle))
        for result in results:
            self.session.ui.item(
                result.name, "passed" if result.passed else "failed", f"{result.call} = {result.found}"
            )
        failed = [f"{r.name}: {r.call} is {r.found}, not {r.expected}" for r in results if not r.passed]
        if failed:
            raise CheckFailed(
                f"{len(failed)} of {len(results)} checks do not hold: {'; '.join(failed)}",
                done="The programs are deployed and proven; the release is not recorded.",
                remedy="Find out why. Correct the check, or plan the change that makes it hold with `--replan`.",
            )
        return results

    def summary(self, result: Sequence[CheckResult]) -> str:
        return f"{len(result)} hold"
