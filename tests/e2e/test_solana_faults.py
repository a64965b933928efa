"""Faults 25 to 34 through the whole command: the outcome each must have, then the same command without them ends 0, and once more
sends nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.solana.layouts import program_data_address
from tests.support.fault_proxy import Call, FaultProxy, Rule, drop_after, drop_before, http_status, result
from tests.support.solana_keys import keystore_table, move_authority, write_into
from tests.support.solana_project import PROGRAM, V1, V2, SolanaProject, development_key, solana_project
from tests.support.solana_proxy import (
    SEND,
    already_processed,
    at,
    expired_before_send,
    forked_away,
    swallow_send,
)

pytestmark = pytest.mark.e2e


@pytest.fixture
def project(tmp_path: Path) -> Iterator[SolanaProject]:
    with solana_project(tmp_path) as one:
        yield one


def _inject(project: SolanaProject, *rules: Rule) -> None:
    """The same rules before both providers: a fault happens as often as said, whichever is asked."""
    for proxy in project.proxies:
        proxy.add(*rules)


def _heal(project: SolanaProject, *, elf: bytes = V1, arguments: tuple[str, ...] = ()) -> None:
    """Oracle O7, and the others with it."""
    for proxy in project.proxies:
        proxy.clear()
    assert project.deploy(*arguments)["exit"] == 0
    assert project.runs(elf)
    signed, sent = len(project.signatures()), len(project.sent)
    assert project.deploy()["sent"] == 0
    assert (len(project.signatures()), len(project.sent)) == (signed, sent)
    project.hold()


def _signed(project: SolanaProject) -> Counter[str]:
    return Counter(row["step"] for row in project.rows("sol.signed"))


ONCE = {"create": 1, "deploy": 1, "call": 1}
SURVIVED: dict[str, tuple[list[Rule], dict[str, int]]] = {
    "26 the creation is delivered twice": ([at("create", already_processed())], ONCE),
    "26 the deployment is delivered twice": ([at("deploy", already_processed())], ONCE),
    "26 the instruction is delivered twice": ([at("call", already_processed())], ONCE),
    "27 writes are swallowed": ([at("write", swallow_send(times=3))], ONCE),
    "27 a write is lost on the way": ([at("write", drop_before(SEND))], ONCE),
    "27 a write's answer is lost": ([at("write", drop_after(SEND))], ONCE),
    "31 the creation's reply is lost": ([at("create", drop_after(SEND))], ONCE),
    "31 the deployment's reply is lost": ([at("deploy", drop_after(SEND))], ONCE),
    "31 the deployment's reply is 503": ([at("deploy", http_status(503, SEND, forwarded=True))], ONCE),
    "31 the instruction's reply is lost": ([at("call", drop_after(SEND))], ONCE),
    "the deployment is swallowed": ([at("deploy", swallow_send())], ONCE),
    "the node is busy": ([http_status(429, SEND, times=2)], ONCE),
    "33 the creation is forked away": ([at("create", forked_away())], ONCE),
    "33 a write is forked away": ([at("write", forked_away())], ONCE),
    "33 the deployment is forked away": ([at("deploy", forked_away())], ONCE),
    "33 the instruction is forked away": ([at("call", forked_away())], ONCE),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_a_fault_that_is_survived(project: SolanaProject, name: str) -> None:
    rules, steps = SURVIVED[name]
    fresh = [type(r)(**{**vars(r), "fired": 0, "seen": 0}) for r in rules]
    _inject(project, *fresh)
    assert project.deploy()["exit"] == 0
    assert all(rule.fired for rule in fresh)
    assert _signed(project) == steps
    _heal(project)


@pytest.mark.parametrize("step", ["create", "deploy", "call"])
def test_25_an_expired_transaction_is_signed_anew_after_two_providers_say_so(project: SolanaProject, step: str) -> None:
    _inject(project, at(step, expired_before_send()))
    assert project.deploy()["exit"] == 0
    assert _signed(project) == {**ONCE, step: 2}
    (expired,) = project.rows("sol.expired")
    assert (expired["step"], len(set(expired["providers"])), expired["landed"]) == (step, 2, False)
    order = [(r["kind"], r["step"]) for r in project.rows() if r["kind"] in {"sol.signed", "sol.expired"}]
    assert order.index(("sol.expired", step)) == order.index(("sol.signed", step)) + 1
    _heal(project)


def test_25_while_it_may_land_nothing_is_signed_anew(project: SolanaProject) -> None:
    """Stopped, resumable, and the bytes that are sent later are the same."""
    project.target(policy={"wait-s": 1})
    _inject(project, at("deploy", swallow_send(times=None)))
    assert project.deploy(exit_code=3)["error"]["code"] == "SHIP-Q11"
    assert _signed(project) == {"create": 1, "deploy": 1}
    assert project.live() is None
    _heal(project)


def test_28_killed_while_the_buffer_is_written_the_same_buffer_goes_on(project: SolanaProject) -> None:
    running: list[Any] = []

    def kill(_signature: str) -> None:
        if running and project.rows("sol.writing"):
            running[0].kill()

    for proxy in project.proxies:
        proxy.after_send = kill
    running.append(project.start("deploy", "--chain", "here", "--yes"))
    running[0].communicate(timeout=60)
    assert running[0].returncode == -9
    for proxy in project.proxies:
        proxy.after_send = None
    assert project.rows("sol.buffer_ok") == []
    landed = set(project.cluster.statuses([w[2] for row in project.rows("sol.writing") for w in row["writes"]]))
    before = len(project.sent)
    _heal(project)
    assert not landed & set(project.sent[before:])
    assert _signed(project) == ONCE
    assert len({row["buffer"] for row in project.rows("sol.planned") if "buffer" in row}) == 1
    assert project.cluster.buffers_of(str(development_key().pubkey())) == []


def test_29_a_buffer_with_other_bytes_is_not_deployed(project: SolanaProject) -> None:
    """Its authority, somebody else with that key, wrote into it after it was handed over."""
    authority = Keypair()
    project.fund(str(authority.pubkey()))
    project.target(signer=keystore_table(project.root, authority, "authority"), payer={"backend": "development"})

    def corrupt(proxy: FaultProxy, call: Call) -> Any:
        answer = proxy.forward(call)
        (planned,) = [row for row in project.rows("sol.planned") if "buffer" in row]
        write_into(project.node, Pubkey.from_string(planned["buffer"]), authority, 100, b"other bytes")
        return answer

    _inject(project, at("handover", Rule("corrupt", (SEND,), corrupt)))
    assert project.deploy(exit_code=4)["error"]["code"] == "SHIP-Q07"
    assert _signed(project) == {"create": 1, "handover": 1}
    assert project.live() is None
    project.node.advance(200)  # the handover's blockhash is dead: nothing of the old plan can land
    _heal(project, arguments=("--replan",))


def test_30_another_authority_is_refused(project: SolanaProject) -> None:
    project.deploy()
    owner = Keypair()
    data = Pubkey.from_string(str(program_data_address(Pubkey.from_string(PROGRAM))))
    move_authority(project.node, data, development_key(), owner.pubkey())
    project.fund(str(owner.pubkey()))
    project.next_version()
    sent = len(project.sent)
    error = project.deploy(exit_code=2)["error"]
    assert error["code"] == "SHIP-Q06"
    assert str(owner.pubkey()) in error["cause"]
    assert len(project.sent) == sent
    move_authority(project.node, data, owner, development_key().pubkey())
    _heal(project, elf=V2)


def test_34_a_program_that_grew_is_extended_only_if_that_is_allowed(project: SolanaProject) -> None:
    project.deploy()
    project.next_version()
    project.edit("warm-rollback = true", "warm-rollback = true\nextend = false")
    sent = len(project.sent)
    assert project.deploy(exit_code=2)["error"]["code"].startswith("SHIP-Q")
    assert len(project.sent) == sent
    project.edit("\nextend = false", "")
    _heal(project, elf=V2)
    assert _signed(project)["extend"] == 1


def test_33_what_one_provider_alone_shows_is_not_final(project: SolanaProject) -> None:
    """The other stands still and shows nothing: stopped, resumable."""

    def nothing(_proxy: FaultProxy, call: Call) -> Any:
        return {"context": {"slot": 1}, "value": [None] * len(call["params"][0])}

    project.target(policy={"wait-s": 2})
    project.proxies[1].add(result(nothing, "getMultipleAccounts", times=None))
    assert project.deploy(exit_code=3)["exit"] == 3
    assert project.rows("sol.final") == []
    assert project.runs(V1)
    _heal(project)


@pytest.mark.parametrize("which", [0, 1])
def test_a_provider_of_another_cluster_is_refused(project: SolanaProject, which: int) -> None:
    project.proxies[which].add(result("1" * 32, "getGenesisHash", times=None))
    assert project.deploy(exit_code=2)["error"]["code"] == "SHIP-Q05"
    assert (project.sent, project.rows("sol.signed")) == ([], [])
    for proxy in project.proxies:
        proxy.clear()
    _heal(project)


def test_nothing_reaches_a_node_before_it_is_in_the_journal(project: SolanaProject) -> None:
    """Oracle O2, looked at while it happens."""
    late: list[str] = []

    def look(signature: str) -> None:
        if signature not in project.signatures():
            late.append(signature)

    for proxy in project.proxies:
        proxy.before_send = look
    project.deploy()
    assert project.sent
    assert late == []
