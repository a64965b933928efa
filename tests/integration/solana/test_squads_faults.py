"""Whatever happens to a proposal on its way: one of ours, ever, and the program upgraded once. Real node and loader, fake Squads program."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
from solders.keypair import Keypair
from solders.system_program import TransferParams, transfer

from chains.solana.settings import NotFinal, Settings, StepFailed
from chains.solana.squads.proposing import ProposalClosed
from tests.support.fault_proxy import Answer, Call, FaultProxy, Rule, drop_after, drop_before
from tests.support.solana_node import SolanaNode, solana_node
from tests.support.solana_proxy import (
    SEND,
    SolanaProxy,
    already_processed,
    expired_before_send,
    forked_away,
    solana_proxy,
    swallow_send,
)
from tests.support.solana_release import Killed
from tests.support.squads import V2, Governed, Squad


@pytest.fixture
def governed(node: SolanaNode, tmp_path) -> Governed:
    return Governed.of(node, tmp_path, Squad.of(node))


def finish(governed: Governed, job, wanted, *, index: int = 1) -> None:
    """The members agree, and the same command concludes; then once more, with nothing to do."""
    squad = governed.squad
    assert squad.vote("approve", index, *squad.members[:2]) == [None, None]
    assert squad.execute(index, squad.members[0]) is None
    for _ in range(2):
        assert governed.upgrade(job, wanted).run().state == "final"
    assert governed.release.live()[: len(V2)] == V2
    assert len(governed.rows("sol.final")) == 1


def ours(governed: Governed, wanted) -> list[int]:
    """The indices that hold our proposal."""
    newest = governed.squad.multisig().transaction_index
    return [index for index in range(1, newest + 1) if wanted.is_held_by(governed.squad.transaction(index))]


def last_send(rule_of, **more) -> Rule:
    """The fault at the proposal: before it come the buffer's creation, six writes and the handover."""
    return rule_of(after=SENDS_BEFORE, **more)


SENDS_BEFORE = 8
CASES = {
    "the reply is lost": lambda: [Rule(**{**vars(drop_after(SEND, times=1)), "after": SENDS_BEFORE})],
    "the request is lost": lambda: [Rule(**{**vars(drop_before(SEND, times=1)), "after": SENDS_BEFORE})],
    "swallowed": lambda: [last_send(swallow_send)],
    "delivered twice": lambda: [last_send(already_processed)],
    "expired on the way": lambda: [last_send(expired_before_send)],
    "forked away": lambda: [last_send(forked_away)],
}


def test_the_faults_below_meet_the_proposal(governed: Governed) -> None:
    job = governed.job()
    with solana_proxy(governed.release.node.url) as proxy:
        governed.upgrade(job, governed.wanted(job), urls=[proxy.url]).run()
        (row,) = [row for row in governed.rows("sol.signed") if row["step"] == "propose 1"]
        assert proxy.sent.index(row["signature"]) == SENDS_BEFORE


@pytest.mark.parametrize("name", CASES)
def test_fault(governed: Governed, name: str) -> None:
    governed.release.blocks = 3
    job = governed.job()
    wanted = governed.wanted(job)
    rules = CASES[name]()
    with solana_proxy(governed.release.node.url) as proxy:
        proxy.add(*rules)
        outcome = governed.upgrade(job, wanted, urls=[proxy.url]).run()
        assert all(rule.fired for rule in rules)
        sent = list(proxy.sent)
    assert outcome.state == "pending"
    assert ours(governed, wanted) == [1]
    known = {row["signature"] for row in governed.rows("sol.signed")}
    known |= {write[2] for row in governed.rows("sol.writing") for write in row["writes"]}
    assert set(sent) <= known
    finish(governed, job, wanted)


def test_killed_after_each_row(node: SolanaNode, tmp_path) -> None:
    """One row further each time, until a run ends by itself: one proposal, and nothing signed twice."""
    governed = Governed.of(node, tmp_path, Squad.of(node))
    job = governed.job()
    wanted = governed.wanted(job)
    first = len(governed.release.journal().rows)
    killed = 0
    while True:
        try:
            outcome = governed.upgrade(job, wanted, kill_after=first + killed + 1).run()
            break
        except Killed:
            killed += 1
    assert outcome.state == "pending"
    kinds = [row.kind for row in governed.release.journal().rows[first:]]
    assert killed == len(kinds)
    assert {"sol.planned", "sol.buffer_ok", "sol.proposing", "sol.signed", "sol.proposed", "sol.decided"} <= set(kinds)
    assert governed.steps() == ["create", "handover", "propose 1"]
    assert ours(governed, wanted) == [1]
    finish(governed, job, wanted)


def test_stopped_between_the_row_and_the_node(governed: Governed) -> None:
    """No node takes the proposal: exit 3. The next run sends the very bytes of the row."""
    job = governed.job()
    wanted = governed.wanted(job)
    with solana_proxy(governed.release.node.url) as proxy:
        proxy.add(Rule(**{**vars(drop_before(SEND, times=None)), "after": SENDS_BEFORE}))
        governed.release.settings = Settings(wait_s=3.0)
        with pytest.raises(NotFinal) as stopped:
            governed.upgrade(job, wanted, urls=[proxy.url]).run()
        assert stopped.value.exit_code == 3
    governed.release.settings = Settings(wait_s=60.0)
    assert ours(governed, wanted) == []
    assert governed.upgrade(job, wanted).run().state == "pending"
    (row,) = [row for row in governed.rows("sol.signed") if row["step"] == "propose 1"]
    status = governed.release.node.status(row["signature"])
    assert status
    assert status["err"] is None
    assert ours(governed, wanted) == [1]


def others(governed: Governed, *, count: int = 1) -> None:
    """Other proposals, by another member's client."""
    squad = governed.squad
    for _ in range(count):
        pay = transfer(TransferParams(from_pubkey=squad.vault, to_pubkey=Keypair().pubkey(), lamports=1))
        other = replace(governed.wanted(governed.job()), instructions=(pay,))
        squad.propose(other, squad.members[1])


def test_indices_taken_between_plan_and_run(governed: Governed) -> None:
    job = governed.job()
    wanted = governed.wanted(job)
    others(governed, count=3)
    outcome = governed.upgrade(job, wanted).run()
    assert (outcome.state, outcome.standing and outcome.standing.index) == ("pending", 4)
    assert governed.steps() == ["create", "handover", "propose 4"]
    finish(governed, job, wanted, index=4)


def before_the_proposal(governed: Governed, proxy: SolanaProxy, act, times: int = 1) -> None:
    """Do something when the proposal has been signed and is on its way to the node."""
    done: list[str] = []

    def fire(signature: str) -> None:
        signed = {row["signature"] for row in governed.rows("sol.signed") if row["step"].startswith("propose ")}
        if signature in signed and signature not in done and len(done) < times:
            done.append(signature)
            act()

    proxy.before_send = fire


def test_the_index_is_taken_after_ours_was_signed(governed: Governed) -> None:
    """Twice in a row. What was signed for an index that is another's can never land, and fails if it is tried."""
    job = governed.job()
    wanted = governed.wanted(job)
    with solana_proxy(governed.release.node.url) as proxy:
        before_the_proposal(governed, proxy, lambda: others(governed), times=2)
        outcome = governed.upgrade(job, wanted, urls=[proxy.url]).run()
    assert (outcome.state, outcome.standing and outcome.standing.index) == ("pending", 3)
    assert ours(governed, wanted) == [3]
    assert [row["index"] for row in governed.rows("sol.overtaken")] == [1, 2]
    assert governed.steps() == ["create", "handover", "propose 1", "propose 2", "propose 3"]
    errors = [governed.release.node.status(row["signature"]) for row in governed.rows("sol.signed")[2:]]
    assert [bool(one and one["err"]) for one in errors] == [True, True, False]
    finish(governed, job, wanted, index=3)


def test_no_second_signature_before_the_other_is_final(governed: Governed) -> None:
    """The other's transaction is forked away again: ours, the one that was signed, takes the index after all."""
    job = governed.job()
    wanted = governed.wanted(job)
    node = governed.release.node
    with solana_proxy(node.url) as proxy:
        before_the_proposal(governed, proxy, lambda: others(governed))
        proxy.add(Rule(**{**vars(forked_away(blocks=8)), "after": SENDS_BEFORE}))
        outcome = governed.upgrade(job, wanted, urls=[proxy.url]).run()
    assert (outcome.state, outcome.standing and outcome.standing.index) == ("pending", 1)
    assert governed.rows("sol.overtaken") == []
    assert ours(governed, wanted) == [1]


def test_another_member_made_the_very_same_proposal(governed: Governed) -> None:
    """Whoever made it: it does what ours would, so that ours is not made."""
    job = governed.job()
    wanted = governed.wanted(job)
    with solana_proxy(governed.release.node.url) as proxy:
        member = governed.squad.members[2]
        before_the_proposal(governed, proxy, lambda: governed.squad.propose(wanted, member))
        assert governed.upgrade(job, wanted, urls=[proxy.url]).run().state == "pending"
    (proposed,) = governed.rows("sol.proposed")
    assert proposed["creator"] == member.address
    assert ours(governed, wanted) == [1]
    finish(governed, job, wanted)


def test_the_same_transaction_not_opened_to_votes(governed: Governed) -> None:
    """Somebody's client made the transaction and died: the proposal alone is added."""
    job = governed.job()
    wanted = governed.wanted(job)
    squad, member = governed.squad, governed.squad.members[2]
    own = replace(wanted, member=member.address, payer=str(squad.funds.pubkey()))
    assert squad.act(own.made(1)[:1], member) is None
    governed.upgrade(job, wanted).run()
    assert "open 1" in governed.steps()
    assert ours(governed, wanted) == [1]


def test_a_journal_that_was_lost(governed: Governed) -> None:
    """The plan alone finds buffer and proposal again, behind other people's."""
    job = governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    others(governed, count=2)
    (governed.release.folder / "journal.jsonl").unlink()
    outcome = governed.upgrade(job, wanted).run()
    assert (outcome.state, outcome.standing and outcome.standing.index) == ("pending", 1)
    assert governed.steps() == []
    assert ours(governed, wanted) == [1]
    finish(governed, job, wanted)


def test_executed_and_closed_before_the_reply_was_read(governed: Governed) -> None:
    """The members were quicker than the next look, and had the rent back: the program's bytes decide."""
    job = governed.job()
    wanted = governed.wanted(job)
    squad = governed.squad

    def decided(signature: str) -> None:
        if "propose 1" in governed.steps() and not done:
            done.append(signature)
            squad.node.advance(2)
            squad.vote("approve", 1, *squad.members[:2])
            assert squad.execute(1, squad.members[0]) is None
            for address in wanted.accounts(1):
                squad.put(address, "11111111111111111111111111111111", b"")
            squad.node.advance(40)

    done: list[str] = []
    with solana_proxy(governed.release.node.url) as proxy:
        proxy.after_send = decided
        assert governed.upgrade(job, wanted, urls=[proxy.url]).run().state == "final"
    assert squad.multisig().transaction_index == 1
    assert governed.steps() == ["create", "handover", "propose 1"]


def test_a_closed_transaction_at_an_index_of_ours_needs_a_person(governed: Governed) -> None:
    """It may have been ours, and nothing on chain says so any more: nothing is proposed a second time."""
    job = governed.job()
    wanted = governed.wanted(job)
    squad = governed.squad

    def taken_and_closed() -> None:
        others(governed)
        for address in wanted.accounts(1):
            squad.put(address, "11111111111111111111111111111111", b"")
        squad.node.advance(40)  # what it held is not to be seen at finality any more

    with solana_proxy(governed.release.node.url) as proxy:
        before_the_proposal(governed, proxy, taken_and_closed)
        with pytest.raises(ProposalClosed) as stopped:
            governed.upgrade(job, wanted, urls=[proxy.url]).run()
    assert stopped.value.exit_code == 4
    assert squad.multisig().transaction_index == 1


def test_a_proposal_that_fails_is_not_tried_again(governed: Governed) -> None:
    """It lands when the member has lost the right to propose: recorded, a person decides."""
    job = governed.job()
    wanted = governed.wanted(job)
    squad = governed.squad

    def demoted() -> None:
        squad.masks[0] = 6
        squad.put_multisig(0, 0)

    with solana_proxy(governed.release.node.url) as proxy:
        before_the_proposal(governed, proxy, demoted)
        with pytest.raises(StepFailed, match="6004") as stopped:
            governed.upgrade(job, wanted, urls=[proxy.url]).run()
    assert stopped.value.exit_code == 4
    assert len(governed.rows("sol.failed")) == 1
    assert [step for step in governed.steps() if step.startswith("propose")] == ["propose 1"]


def lying(proxy: FaultProxy, call: Call) -> Answer:
    """A node that shows no transaction of the multisig."""
    answer = proxy.forward(call)
    for at, held in enumerate(answer["result"]["value"]):
        if held and at and held["owner"].startswith("SQDS4"):
            answer["result"]["value"][at] = None
    return answer


def test_nothing_is_proposed_on_one_providers_word(tmp_path) -> None:
    """Two providers, one of which never shows the proposal: it is not called made, and not made twice."""
    with ExitStack() as stack:
        node = stack.enter_context(solana_node(tmp_path / "node"))
        governed = Governed.of(node, tmp_path, Squad.of(node))
        governed.release.settings = Settings(wait_s=4.0)
        job = governed.job()
        wanted = governed.wanted(job)
        honest, other = (stack.enter_context(solana_proxy(node.url)) for _ in range(2))
        rule = Rule("hides", ("getMultipleAccounts",), lying)
        other.add(rule)
        with pytest.raises(NotFinal):
            governed.upgrade(job, wanted, urls=[honest.url, other.url]).run()
        assert governed.rows("sol.proposed") == []
        other.rules.clear()
        governed.release.settings = Settings(wait_s=60.0)
        assert governed.upgrade(job, wanted, urls=[honest.url, other.url]).run().state == "pending"
        assert ours(governed, wanted) == [1]
