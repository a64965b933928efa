"""An upgrade by a multisig's vault: proposed once, followed to the program's bytes. The node and its loader are real; the Squads
program is a fake (tests/support/solana/squads_fake), which does what is approved by real invocations signed for the vault."""

from __future__ import annotations

import base64

import pytest
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from chains.errors import NeedsPerson, Refused
from chains.solana.engine import BalanceShort
from chains.solana.errands import NotConfirmedTwice
from chains.solana.job import BufferDiffers, ProgramChanged
from chains.solana.layouts import elf_sha256
from chains.solana.localnode.base58 import b58decode
from chains.solana.squads.exporting import describe, export
from chains.solana.squads.message import MessageTooLarge, Reader, VaultMessage
from chains.solana.squads.proposing import MemberRefused, ProposalAltered
from chains.solana.squads.upgrade import ProposalDead
from chains.solana.squads.vaults import NotAVault, prove_vault, read_multisig
from chains.solana.squads.wanted import OtherSigner
from chains.solana.transactions import SignerMissing
from tests.support.solana_node import SolanaNode
from tests.support.solana_release import LocalKey, Release, SlotClock
from tests.support.squads import ALL, EXECUTE, INITIATE, V1, V2, VOTE, Governed, Squad


@pytest.fixture
def governed(shared: SolanaNode, tmp_path) -> Governed:
    return Governed.of(shared, tmp_path, Squad.of(shared))


def test_from_proposal_to_the_programs_bytes(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    one, two, three = squad.members
    wanted = governed.wanted(job)
    assert governed.holder() == str(squad.vault)

    outcome = governed.upgrade(job, wanted).run()
    assert (outcome.state, outcome.standing and outcome.standing.index) == ("pending", 1)
    assert governed.release.live() == V1.ljust(len(V2) + 64, b"\0")
    assert governed.steps() == ["create", "handover", "propose 1"]
    assert squad.transaction(1).message == wanted.message
    (proposed,) = governed.rows("sol.proposed")
    assert proposed["message_sha256"] == wanted.message.digest
    assert (proposed["index"], proposed["creator"], proposed["threshold"]) == (1, one.address, 2)
    assert (proposed["transaction"], proposed["proposal"]) == wanted.accounts(1)

    # The same command finds it again; news, and only news, is written down.
    assert squad.vote("approve", 1, two) == [None]
    assert governed.upgrade(job, wanted).run().state == "pending"
    assert governed.upgrade(job, wanted).run().state == "pending"
    assert squad.execute(1, three) == {"InstructionError": [0, {"Custom": 6008}]}
    assert squad.vote("approve", 1, three) == [None]
    outcome = governed.upgrade(job, wanted).run()
    assert outcome.state == "approved"
    assert outcome.standing
    assert set(outcome.standing.approved) == {two.address, three.address}
    assert governed.steps() == ["create", "handover", "propose 1"]

    assert squad.execute(1, one) is None
    before = len(governed.release.journal().rows)
    outcome = governed.upgrade(job, wanted).run()
    assert outcome.state == "final"
    assert outcome.standing
    assert outcome.standing.state == "executed"
    assert governed.release.live() == V2.ljust(len(V2) + 64, b"\0")
    assert [row["state"] for row in governed.rows("sol.decided")] == ["pending", "pending", "approved", "executed"]
    (final,) = governed.rows("sol.final")
    assert (final["sha256"], final["authority"]) == (elf_sha256(V2), str(squad.vault))
    assert governed.release.node.account(job.buffer) is None
    after = len(governed.release.journal().rows)
    assert after == before + 2
    assert governed.upgrade(job, wanted).run().state == "final"
    assert len(governed.release.journal().rows) == after


def test_instructions_before_the_upgrade_and_the_buffers_rent(governed: Governed) -> None:
    """What is bundled happens in the same execution, by the vault's signature, or none of it."""
    squad, job = governed.squad, governed.job()
    to, spill = Keypair().pubkey(), Keypair().pubkey()
    governed.release.node.call("requestAirdrop", str(squad.vault), 10**9)
    pay = transfer(TransferParams(from_pubkey=squad.vault, to_pubkey=to, lamports=5 * 10**8))
    wanted = governed.wanted(job, first=[pay], spill=str(spill), memo="v2")
    rent = governed.release.cluster().rent(job.buffer_space)
    assert governed.upgrade(job, wanted).run().state == "pending"
    squad.vote("approve", 1, *squad.members[:2])
    assert squad.execute(1, squad.members[0]) is None
    assert governed.upgrade(job, wanted).run().state == "final"
    found = [governed.release.node.account(key) for key in (to, spill)]
    assert [one and one["lamports"] for one in found] == [5 * 10**8, rent]


def test_a_program_that_grew_is_extended_before_it_is_proposed(shared: SolanaNode, tmp_path) -> None:
    governed = Governed.of(shared, tmp_path, Squad.of(shared), room=len(V1))
    job = governed.job()
    assert job.extend_bytes
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    assert governed.steps() == ["create", "extend", "handover", "propose 1"]
    governed.squad.vote("approve", 1, *governed.squad.members[:2])
    assert governed.squad.execute(1, governed.squad.members[0]) is None
    assert governed.upgrade(job, wanted).run().state == "final"
    assert governed.release.live()[: len(V2)] == V2


def test_rejected_and_cancelled_need_a_person(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.vote("approve", 1, squad.members[0])
    squad.vote("reject", 1, *squad.members[:2])
    for _ in range(2):
        with pytest.raises(ProposalDead, match="is rejected: 0 approved, 2 rejected") as stopped:
            governed.upgrade(job, wanted).run()
        assert stopped.value.exit_code == 4
    assert squad.multisig().transaction_index == 1  # never a second one by itself

    again = governed.job(plan="ce" * 32)
    wanted = governed.wanted(again)
    governed.upgrade(again, wanted).run()
    squad.vote("approve", 2, *squad.members[:2])
    assert governed.upgrade(again, wanted).run().state == "approved"
    squad.vote("cancel", 2, *squad.members[:2])
    with pytest.raises(ProposalDead, match="is cancelled"):
        governed.upgrade(again, wanted).run()


def test_a_proposal_that_became_stale_needs_a_person(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.put_multisig(1, 1)
    squad.node.advance(2)
    assert squad.vote("approve", 1, squad.members[0]) == [{"InstructionError": [0, {"Custom": 6007}]}]
    with pytest.raises(ProposalDead, match="is stale"):
        governed.upgrade(job, wanted).run()


def test_stale_but_approved_before_is_still_executed(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.vote("approve", 1, *squad.members[:2])
    squad.put_multisig(1, 1)
    squad.node.advance(2)
    assert governed.upgrade(job, wanted).run().state == "approved"
    assert squad.execute(1, squad.members[2]) is None
    assert governed.upgrade(job, wanted).run().state == "final"


def test_accounts_closed_after_the_execution(governed: Governed) -> None:
    """Members can have the rent of what was executed back: then the program alone says what happened."""
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.vote("approve", 1, *squad.members[:2])
    assert squad.execute(1, squad.members[0]) is None
    for address in wanted.accounts(1):
        squad.put(address, str(Pubkey.default()), b"")
    squad.node.advance(2)
    outcome = governed.upgrade(job, wanted).run()
    assert (outcome.state, outcome.standing and outcome.standing.state) == ("final", "closed")


def test_closed_and_not_executed_needs_a_person(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    for address in wanted.accounts(1):
        squad.put(address, str(Pubkey.default()), b"")
    squad.node.advance(2)
    with pytest.raises(ProposalDead, match="is closed"):
        governed.upgrade(job, wanted).run()


def test_time_lock(shared: SolanaNode, tmp_path) -> None:
    governed = Governed.of(shared, tmp_path, Squad.of(shared, time_lock_s=3_600))
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.vote("approve", 1, *squad.members[:2])
    outcome = governed.upgrade(job, wanted).run()
    assert outcome.state == "approved"
    assert outcome.standing
    assert outcome.standing.ready_s == (squad.proposal(1).since_s or 0) + 3_600
    assert squad.execute(1, squad.members[0]) == {"InstructionError": [0, {"Custom": 6021}]}
    assert "it can be executed 3600 s after it was approved" in describe(wanted, squad.multisig(), job)


# -- refused before anything is sent -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, VOTE | EXECUTE])
def test_a_key_that_may_not_propose(shared: SolanaNode, tmp_path, mask: int | None) -> None:
    governed = Governed.of(shared, tmp_path, Squad.of(shared, masks=(ALL, ALL, mask or ALL)))
    stranger = LocalKey(Keypair()) if mask is None else governed.squad.members[2]
    job = governed.job()
    wanted = governed.wanted(job, member=stranger)
    with pytest.raises(MemberRefused) as refused:
        governed.upgrade(job, wanted, keys=[governed.release.payer, stranger]).run()
    assert refused.value.exit_code == 2
    assert governed.squad.members[0].address in refused.value.remedy
    assert governed.steps() == []
    assert stranger.asked == []


def test_the_fake_checks_who_proposes_too(governed: Governed) -> None:
    """The refusal above is the program's, made early: without it, the program would refuse."""
    stranger = LocalKey(Keypair())
    wanted = governed.wanted(governed.job(), member=stranger)
    error = governed.squad.act(wanted.made(1), stranger, governed.release.payer)
    assert error == {"InstructionError": [0, {"Custom": 6005}]}


def test_a_member_whose_key_is_not_at_hand(governed: Governed) -> None:
    job = governed.job()
    with pytest.raises(SignerMissing):
        governed.upgrade(job, governed.wanted(job), keys=[governed.release.payer]).run()
    assert governed.steps() == []


def test_a_proposal_too_large_for_a_transaction(governed: Governed) -> None:
    job = governed.job()
    wanted = governed.wanted(job, memo="x" * 1_000)
    with pytest.raises(MessageTooLarge):
        governed.upgrade(job, wanted).run()
    assert governed.steps() == []


def test_an_instruction_that_another_key_has_to_sign(governed: Governed) -> None:
    job, other = governed.job(), Keypair().pubkey()
    pay = transfer(TransferParams(from_pubkey=other, to_pubkey=other, lamports=1))
    with pytest.raises(OtherSigner, match=str(other)):
        governed.upgrade(job, governed.wanted(job, first=[pay])).run()
    assert governed.steps() == []


def test_a_payer_that_cannot_pay_for_the_proposal(governed: Governed) -> None:
    job = governed.job()
    wanted = governed.wanted(job)
    held = governed.release.cluster().balance(job.payer)
    left = governed.release.cluster().rent(job.buffer_space) + 200_000
    pay = transfer(
        TransferParams(
            from_pubkey=governed.release.payer.key.pubkey(), to_pubkey=Keypair().pubkey(), lamports=held - left
        )
    )
    assert governed.squad.act([pay], governed.release.payer) is None
    with pytest.raises(BalanceShort):
        governed.upgrade(job, wanted).run()
    assert governed.steps() == []


# -- a vault as the new authority --------------------------------------------------------------------------------------


def test_a_vault_is_given_a_program_only_after_proof(shared: SolanaNode, tmp_path) -> None:
    squad, release = Squad.of(shared), Release.of(shared, tmp_path)
    governed = Governed(release, squad)
    release.engine(release.job(V1)).run()
    move = lambda multisig, vault, confirm: governed.errands().move_authority_to_vault(  # noqa: E731
        release.program.address, release.authority.address, multisig, vault, confirm=confirm
    )
    vault, multisig, stranger = str(squad.vault), str(squad.address), str(Keypair().pubkey())
    refusals: list[tuple[type[Refused], tuple[str, str, str]]] = [
        (NotConfirmedTwice, (multisig, vault, "")),
        (NotAVault, (multisig, stranger, stranger)),
        (NotAVault, (multisig, multisig, multisig)),  # the multisig's own address could never sign
        (NotAVault, (vault, vault, vault)),
        (NotAVault, ("not an address", vault, vault)),
    ]
    nobody = Squad(shared, [], [], 1, 0, squad.funds)  # its addresses are right, and no account lies there
    refusals.append((NotAVault, (str(nobody.address), str(nobody.vault), str(nobody.vault))))
    for kind, given in refusals:
        with pytest.raises(kind) as refused:
            move(*given)
        assert refused.value.exit_code == 2
    assert governed.holder() == release.authority.address
    assert governed.steps("ee" * 32) == []
    move(multisig, vault, vault)
    assert governed.holder() == vault
    move(multisig, vault, vault)
    assert governed.steps("ee" * 32) == ["set-authority-to-vault"]


def test_an_account_that_only_looks_like_a_multisig(governed: Governed) -> None:
    """The right bytes at the right address, owned by another program."""
    squad = governed.squad
    found = squad.node.account(squad.address)
    assert found
    squad.put(str(squad.address), str(Keypair().pubkey()), found["data"])
    squad.node.advance(33)
    release = governed.release
    cluster = release.cluster()
    with pytest.raises(NotAVault):
        prove_vault(cluster, SlotClock(squad.node), release.settings, str(squad.address), str(squad.vault))
    with pytest.raises(NotAVault):
        read_multisig(cluster, str(squad.address))


# -- for people --------------------------------------------------------------------------------------------------------


def test_what_is_exported_is_what_is_proposed(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    outcome = governed.upgrade(job, wanted).run()
    shown = export(wanted, squad.multisig(), job, outcome.standing)
    compact = base64.b64decode(shown["message"]["base64"])
    assert b58decode(shown["message"]["base58"]) == compact
    assert VaultMessage.read(Reader(compact, "message"), compact=True) == squad.transaction(1).message
    whole = VersionedTransaction.from_bytes(b58decode(shown["transaction"]["base58"]))
    assert isinstance(whole.message, Message)
    assert str(whole.message.account_keys[0]) == str(squad.vault)
    assert [bytes(one.data) for one in whole.message.instructions] == [bytes(one.data) for one in wanted.instructions]
    text = "\n".join(shown["description"])
    for part in (job.program, job.buffer, elf_sha256(V2), wanted.message.digest, "2 of 3 members", job.payer):
        assert part in text
    assert shown["standing"]["state"] == "pending"
    assert [one["may"] for one in shown["members"]] == [["initiate", "vote", "execute"]] * 3


def test_a_buffer_that_the_vault_closed(governed: Governed) -> None:
    """A proposal that cannot be carried out any more is said to be so, while it still looks open."""
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    squad.put(job.buffer, str(Pubkey.default()), b"")
    squad.node.advance(2)
    with pytest.raises(BufferDiffers) as stopped:
        governed.upgrade(job, wanted).run()
    assert isinstance(stopped.value, NeedsPerson)


def test_executed_and_upgraded_again_by_others(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    other = governed.job(elf=V1 + b"\1", plan="cf" * 32)
    governed.upgrade(other, governed.wanted(other)).run()
    for index in (1, 2):
        squad.vote("approve", index, *squad.members[:2])
        assert squad.execute(index, squad.members[0]) is None
    with pytest.raises(ProgramChanged):
        governed.upgrade(job, wanted).run()


def test_another_transaction_where_ours_was_recorded(governed: Governed) -> None:
    squad, job = governed.squad, governed.job()
    wanted = governed.wanted(job)
    governed.upgrade(job, wanted).run()
    at = squad.node.account(wanted.accounts(1)[0])
    assert at
    data = at["data"].replace(bytes(Pubkey.from_string(job.buffer)), bytes(Keypair().pubkey()))
    assert data != at["data"]
    squad.put(wanted.accounts(1)[0], at["owner"], data)
    squad.node.advance(2)
    with pytest.raises(ProposalAltered) as stopped:
        governed.upgrade(job, wanted).run()
    assert stopped.value.exit_code == 4


def test_a_member_with_initiate_alone_proposes(shared: SolanaNode, tmp_path) -> None:
    governed = Governed.of(shared, tmp_path, Squad.of(shared, masks=(INITIATE, ALL, ALL)))
    job = governed.job()
    assert governed.upgrade(job, governed.wanted(job)).run().state == "pending"
    assert governed.squad.vote("approve", 1, governed.squad.members[0]) == [{"InstructionError": [0, {"Custom": 6004}]}]
