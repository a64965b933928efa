"""The policy before every key on Solana: the message is read from its bytes and held against the approved plan and the target's rules;
the decision is in the journal; only then a key is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from chains.base import Journal
from chains.solana.idl import Idl
from chains.solana.reading import Said, SaidInstruction, read_message
from chains.solana.release import SolanaAction
from chains.solana.transactions import Unsigned
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.programs.allowed import why_not
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import ProgramSession
from pipeline.programs.spent import spent_lamports
from pipeline.signing.base import MessageBackend, PolicyRefused
from pipeline.signing.rules.approved import Approved
from pipeline.signing.rules.key import weaker

__all__ = ["GuardedKey", "MessageGuard"]

_UNNAMED = frozenset({"system", "budget", "loader"})
"""Programs every release needs, by the first part of their instructions' names."""


@dataclass(frozen=True)
class MessageGuard:
    """The rules of one target for one plan. ``idls`` by program address."""

    plan: ProgramPlan
    policy: PolicySpec
    journal: Journal
    pinned_genesis: str | None
    genesis_hash: str
    approved: Approved
    bytes_of: Callable[[SolanaAction], bytes]
    idls: Mapping[str, Idl]
    _wave: dict[int, int] = field(default_factory=dict, repr=False)
    """Worst cost in lamports of the writes that were allowed and stand in no row yet, by the journal's length then."""

    @classmethod
    def of(
        cls,
        session: ProgramSession,
        plan: ProgramPlan,
        bytes_of: Callable[[SolanaAction], bytes],
        idls: Mapping[str, Idl],
    ) -> MessageGuard:
        assert session.journal is not None
        policy = session.target.spec.policy
        approved = Approved.by(session.journal.rows, plan, policy)
        pinned, genesis = session.target.chain.genesis, session.genesis_hash
        return cls(plan, policy, session.journal, pinned, genesis, approved, bytes_of, idls)

    def allow(self, unsigned: Unsigned, key: str, backend: MessageBackend) -> None:
        """Decide, and have it on disk. Raises ``PolicyRefused``.

        Writes of chunks have no row each: the row of their wave names every one, and the message could be nothing else.
        """
        refusal = self._judge(unsigned, backend)
        if refusal is not None or unsigned.step != "write":
            self._write_down(unsigned, key, backend, refusal)
        if refusal is not None:
            rule, why = refusal
            raise PolicyRefused(
                f"signing {unsigned.step} of {unsigned.unit} is refused by the rule {rule}: {why}",
                remedy="Nothing was signed. Make a new plan for this target; if a rule of [policy] is meant to be wider, change it.",
            )

    def foresee(self) -> None:
        """Judge by the target's lists what the plan is sure to send, before anything is signed. Raises ``PolicyRefused``, and
        writes that down; what is allowed here is judged again, whole, when it is signed."""
        for action in self.plan.body.actions:
            if action.kind != "call":
                continue
            planned = action.details["instruction"]
            accounts = tuple((m["key"], m["signer"], m["writable"]) for m in planned["accounts"])
            said = SaidInstruction(planned["program"], None, {}, accounts, bytes.fromhex(planned["data"]))
            refusal = self._instruction(said)
            if refusal is not None:
                rule, why = refusal
                row = {"plan": self.plan.digest, "action": action.id, "verdict": "refused", "what": "call"}
                told = {"digest": sha256(said.data).hexdigest(), "signer": self.plan.body.deployer}
                self.journal.append("policy.decision", {**row, **told, "rule": rule, "reason": why})
                raise PolicyRefused(
                    f"the plan is refused by the rule {rule}: {why} ({action.id})",
                    remedy="Nothing was signed. Take it out of ship.toml, or widen the rule under [policy].",
                )

    def _judge(self, unsigned: Unsigned, backend: MessageBackend) -> tuple[str, str] | None:
        try:
            said = read_message(unsigned.message)
        except ValueError as error:
            return "plan", f"its bytes cannot be read ({error})"
        action = next((a for a in self.plan.body.actions if a.id == unsigned.unit), None)
        if action is None or unsigned.plan != self.plan.digest:
            return "plan", "it is no action of the plan"
        why = why_not(said, self.plan.body, self.plan.digest, action, unsigned.step, self.bytes_of)
        if why is not None:
            return "plan", why
        if self.approved.why_not is not None:
            return "approved", self.approved.why_not
        planned = self.plan.body.chain["genesis_hash"]
        if planned != self.genesis_hash or self.pinned_genesis not in {None, planned}:
            return "chain", f"the plan is for the cluster with genesis {planned}"
        return self._rules(said, unsigned, backend)

    def _rules(self, said: Said, unsigned: Unsigned, backend: MessageBackend) -> tuple[str, str] | None:
        policy = self.policy
        authority = _is_key(backend, self.plan.body.deployer)
        if policy.require is not None and authority and weaker(backend.assurance, policy.require):
            return "require", f"the {backend.name} key is kept by {backend.assurance}, {policy.require} is asked for"
        cap = self.plan.body.limits["price_cap_micro_lamports"]
        if said.price_micro_lamports > cap:
            return (
                "max-unit-price",
                f"a compute unit would cost {said.price_micro_lamports} micro-lamports, at most {cap}",
            )
        for one in said.instructions:
            why = self._instruction(one)
            if why is not None:
                return why
        if policy.max_lamports is not None:
            length = len(self.journal.rows)
            before = spent_lamports(self.journal.rows, self.plan.digest) + self._wave.get(length, 0)
            worst = before + said.worst_lamports + self.plan.body.estimate["rent_lamports"]
            if worst > policy.max_lamports:
                return (
                    "max-lamports",
                    f"{worst} lamports with all that was signed before, at most {policy.max_lamports}",
                )
            if unsigned.step == "write":
                self._wave[length] = self._wave.get(length, 0) + said.worst_lamports
        return None

    def _instruction(self, one: SaidInstruction) -> tuple[str, str] | None:
        first = (one.name or "").partition(".")[0]
        if self.policy.programs is not None and first not in _UNNAMED and one.program not in self.policy.programs:
            return "programs", f"{one.program} is not among the programs that may be invoked"
        names = (self.policy.instructions or {}).get(one.program)
        if names is not None:
            idl = self.idls.get(one.program)
            name = one.name.partition(".")[2] if one.name else idl.named(one.data) if idl else None
            if name is None or name not in names:
                return "instructions", f"{name or 'an instruction without a name'} of {one.program} may not be sent"
        return None

    def _write_down(
        self, unsigned: Unsigned, key: str, backend: MessageBackend, refusal: tuple[str, str] | None
    ) -> None:
        row = {
            "plan": self.plan.digest,
            "action": unsigned.unit,
            "verdict": "allowed" if refusal is None else "refused",
            "what": unsigned.step,
            "digest": sha256(unsigned.message).hexdigest(),
            "signer": key,
            "backend": backend.name,
            "assurance": backend.assurance,
        }
        if refusal is not None:
            row |= {"rule": refusal[0], "reason": refusal[1]}
        self.journal.append("policy.decision", row)


def _is_key(backend: MessageBackend, address: str) -> bool:
    from solders.pubkey import Pubkey

    return str(Pubkey(backend.public_key)) == address


@dataclass(frozen=True)
class GuardedKey:
    """A ``MessageSigner``: the guard first, then the key."""

    address: str
    backend: MessageBackend
    guard: MessageGuard

    def sign(self, unsigned: Unsigned) -> bytes:
        self.guard.allow(unsigned, self.address, self.backend)
        return self.backend.sign_message(unsigned.message)
