"""A release whose authority is a Squads vault, through the whole command: proposed, decided by the members, final. The Squads program
is a FAKE (tests/support/solana/squads_fake) that carries out what is approved by real invocations signed for the vault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from solders.keypair import Keypair

from chains.rpc import Endpoint, Rpc
from chains.solana.errands import Errands
from chains.solana.layouts import elf_sha256
from chains.solana.rpc import Cluster
from chains.solana.settings import Settings
from chains.solana.squads.releasing import FirstByKey, Proposed
from chains.solana.verified.record import read_build
from pipeline.signing.development import _DEVELOPMENT_SEED
from tests.support.counter_project import CounterProject, counter_project
from tests.support.solana_fakes import put_otter_verify_fake
from tests.support.solana_node import SolanaNode, solana_node
from tests.support.solana_release import LocalKey, Quiet, Release, SlotClock
from tests.support.squads import V2, Squad

PROGRAM = "DeXWEhMQNpToWWmMCWiBabwzUigb6aiyhuTQyBwLVNDf"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[SolanaNode]:
    with solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as node:
        yield node


@pytest.fixture
def member(node: SolanaNode) -> LocalKey:
    """The development key: it deploys first, and is the member that proposes later."""
    key = LocalKey(Keypair.from_seed(_DEVELOPMENT_SEED))
    node.call("requestAirdrop", key.address, 100 * 10**9)
    node.advance(2)
    return key


def _governed(project: CounterProject, squad: Squad) -> None:
    """From now on the vault is the signer, the member the payer."""
    with (project.root / "manifests/solana-test.toml").open("a") as file:
        file.write(
            f'\n[signer]\nbackend = "squads"\nmultisig = "{squad.address}"\n\n[payer]\nbackend = "development"\n'
        )


def _hand_over(node: SolanaNode, folder: Path, member: LocalKey, squad: Squad) -> None:
    release = Release(node, folder, member, member, member)
    clock = SlotClock(node)
    errands = Errands(
        release.cluster(clock=clock), release.journal(), clock, Quiet(), Settings(wait_s=60.0), "ef" * 32, member.address,
        {member.address: member},
    )  # fmt: skip
    errands.move_authority_to_vault(
        PROGRAM, member.address, str(squad.address), str(squad.vault), confirm=str(squad.vault)
    )


def test_an_upgrade_waits_for_the_members_and_is_proposed_once(
    node: SolanaNode, tmp_path: Path, member: LocalKey
) -> None:
    project = counter_project(tmp_path, node.url)
    project.edit("${deployer}", "${payer}")
    project.edit('instruction = "initialize"', 'instruction = "initialize"\naccounts = { authority = "${payer}" }')
    project.deploy()
    squad = Squad.of(node, first=member)
    _hand_over(node, tmp_path, member, squad)
    _governed(project, squad)
    project.next_version()

    for _ in range(2):  # killed or run again: the same proposal
        with pytest.raises(Proposed, match="0 of 2 approvals") as caught:
            project.deploy()
        assert caught.value.exit_code == 3
        assert squad.multisig().transaction_index == 1

    one, two, _ = squad.members
    assert squad.vote("approve", 1, one, two) == [None, None]
    with pytest.raises(Proposed, match="approved: 2 of 2"):
        project.deploy()
    assert squad.execute(1, one) is None
    node.advance(12)

    outcome = project.deploy()
    assert outcome.record, project.said
    record = json.loads((project.root / outcome.record).read_bytes())
    assert record["units"]["counter"]["sha256"] == elf_sha256(V2)
    assert record["units"]["counter"]["authority"] == str(squad.vault)
    (proposal,) = record["proposals"]
    assert (proposal["index"], proposal["threshold"], proposal["state"]) == (1, 2, "executed")
    assert set(proposal["approved"]) == {one.address, two.address}
    assert project.deploy().sent == 0
    assert squad.multisig().transaction_index == 1


def test_the_record_of_the_build_is_a_part_of_the_proposal(node: SolanaNode, tmp_path: Path, member: LocalKey) -> None:
    put_otter_verify_fake(node)
    project = counter_project(tmp_path, node.url)
    project.edit("${deployer}", "${payer}")
    project.edit('instruction = "initialize"', 'instruction = "initialize"\naccounts = { authority = "${payer}" }')
    project.deploy()
    squad = Squad.of(node, first=member)
    _hand_over(node, tmp_path, member, squad)
    node.call("requestAirdrop", str(squad.vault), 10**9)  # the rent of the record is the vault's to pay
    node.advance(2)
    _governed(project, squad)
    project.next_version()
    project.edit("idl = false", 'idl = false\nverified-build = { repository = "https://github.com/acme/counter" }')
    commit = project.commit()

    with pytest.raises(Proposed):
        project.deploy()
    (path,) = (project.root / "deployments/solana-test/proposals").iterdir()
    told = json.loads(path.read_bytes())
    assert [line[:2] for line in told["description"][2:4]] == ["1.", "2."]
    assert "verifycLy8mB96wd9wqq3WDXQwM4oU6r42Th37Db9fC" in told["description"][2]
    assert "upgrade the program" in told["description"][3]

    assert squad.vote("approve", 1, *squad.members[:2]) == [None, None]
    assert squad.execute(1, member) is None
    node.advance(12)
    assert project.deploy().record
    build = read_build(Cluster(Rpc([Endpoint(node.url)])), PROGRAM, str(squad.vault))
    assert build
    assert build.fields[1] == commit


def test_a_vault_makes_no_first_deployment(node: SolanaNode, tmp_path: Path, member: LocalKey) -> None:
    project = counter_project(tmp_path, node.url)
    _governed(project, Squad.of(node, first=member))
    with pytest.raises(FirstByKey, match="first deployment"):
        project.deploy()
    assert "sol.signed" not in (project.root / "deployments/solana-test/journal.jsonl").read_text()
