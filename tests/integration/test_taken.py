"""Fault 20 in the middle of a run: what somebody else put at a salted address after the plan was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chains.evm.actions import Action
from chains.evm.adopting import OtherCodeThere
from chains.evm.live import live_units
from chains.evm.sending.errors import ActionReverted, StillPending
from tests.support import fault_proxy as fp
from tests.support.anvil import Anvil, anvil
from tests.support.contracts import COUNTER, tagged
from tests.support.deployment import Rig
from tests.support.fault_proxy import FaultProxy

OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Anvil) -> Iterator[FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def rig(node: Anvil, proxy: FaultProxy, tmp_path: Path) -> Rig:
    """A salted contract between a plain one and a call to it, and a salted one at the end."""
    rig = Rig(node, proxy, tmp_path / "journal.jsonl")
    rig.workshop.create("Plain", tagged(COUNTER, 1))
    salted = rig.workshop.create("Salted", tagged(COUNTER, 2), salt=b"\x01" * 32)
    rig.workshop.call("count", salted)
    rig.workshop.create("Last", tagged(COUNTER, 3), salt=b"\x02" * 32)
    rig.counts = {salted: 1}
    return rig.seal()


def _action(rig: Rig, name: str) -> Action:
    return next(action for action in rig.plan.actions if action.id == name)


def _taken_by_another(rig: Rig, name: str) -> None:
    action = _action(rig, name)
    assert action.to
    receipt = rig.node.send(**{"from": OTHER, "to": action.to, "input": "0x" + action.data.hex()})
    assert receipt["status"] == "0x1"


def _again_sends_nothing(rig: Rig) -> None:
    sent, data = len(rig.proxy.sent), rig.path.read_bytes()
    rig.run()
    assert len(rig.proxy.sent) == sent
    assert rig.path.read_bytes() == data


@pytest.mark.parametrize("window", [1, 16])
def test_the_same_contract_before_ours_is_sent_uses_up_the_nonce_and_is_adopted(rig: Rig, window: int) -> None:
    _taken_by_another(rig, "Salted")
    states = rig.run(window=window)
    assert [states[name].stage for name in ("Plain", "Salted", "count", "Last")] == [
        "final",
        "adopted",
        "final",
        "final",
    ]
    assert rig.kinds("Salted")[-2:] == ["tx.reverted", "unit.adopted"]
    row = next(row for row in rig.rows() if row.kind == "unit.adopted")
    assert row.data["evidence"]["found"]["failed"] in rig.proxy.sent
    live = live_units(rig.rows(), {rig.digest: rig.plan})
    assert live["Salted"].address == _action(rig, "Salted").address
    assert rig.node.nonce() == rig.workshop.first + 4, "later nonces stay those of the plan"
    _again_sends_nothing(rig)


def test_taken_between_our_signature_and_its_block(rig: Rig) -> None:
    watch = rig.proxy.before_send
    assert watch

    def front_run(digest: str) -> None:
        watch(digest)
        if len(rig.proxy.sent) == 2:
            _taken_by_another(rig, "Salted")

    rig.proxy.before_send = front_run
    assert rig.run(window=1)["Salted"].stage == "adopted"
    _again_sends_nothing(rig)


def test_at_the_end_of_a_plan_nothing_is_sent_for_it(rig: Rig) -> None:
    _taken_by_another(rig, "Last")
    states = rig.run(window=1)
    assert states["Last"].stage == "adopted"
    assert rig.kinds("Last") == ["unit.adopted"]
    assert rig.node.nonce() == rig.workshop.first + 3
    _again_sends_nothing(rig)


def test_it_is_adopted_only_once_what_put_it_there_is_final(rig: Rig) -> None:
    _taken_by_another(rig, "Last")
    with pytest.raises(StillPending):
        rig.run(window=16, finality=8, wait_s=0.6)
    assert rig.kinds("Last") == []
    rig.node.mine(10)
    with pytest.raises(StillPending):  # first seen by this run at this head
        rig.run(finality=8, wait_s=0.6)
    rig.run(finality=1)
    assert rig.kinds("Last") == ["unit.adopted"]


def _other_code(rig: Rig, name: str) -> None:
    rig.node.call("anvil_setCode", _action(rig, name).address, "0x6001")


@pytest.mark.parametrize("name", ["Salted", "Last"])
def test_other_code_there_is_left_to_a_person_and_not_signed_over(rig: Rig, name: str) -> None:
    _other_code(rig, name)
    with pytest.raises(OtherCodeThere) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert rig.kinds(name) == []


def test_other_code_that_comes_after_our_signature_is_a_failure(rig: Rig) -> None:
    watch = rig.proxy.before_send
    assert watch

    def front_run(digest: str) -> None:
        watch(digest)
        if len(rig.proxy.sent) == 2:
            _other_code(rig, "Salted")

    rig.proxy.before_send = front_run
    with pytest.raises(ActionReverted) as caught:
        rig.run(window=1)
    assert caught.value.exit_code == 4
    assert rig.kinds("Salted")[-1] == "tx.reverted"


def test_a_run_killed_between_the_failure_and_the_adoption_adopts_when_it_is_run_again(rig: Rig) -> None:
    """The two rows are one group; a crash may leave the first of them alone."""

    class Killed(BaseException):
        pass

    class Torn:
        def __init__(self, journal: Any) -> None:
            self.journal = journal

        @property
        def rows(self) -> Any:
            return self.journal.rows

        def append_all(self, entries: Any) -> Any:
            kinds = [kind for kind, _ in entries]
            if "unit.adopted" in kinds:
                self.journal.append_all(entries[: kinds.index("unit.adopted")])
                raise Killed
            return self.journal.append_all(entries)

    _taken_by_another(rig, "Salted")
    with pytest.raises(Killed):
        rig.run(wrap=Torn, window=1)
    assert rig.kinds("Salted")[-1] == "tx.reverted"
    assert all(state.settled for state in rig.run(window=1).values())
    assert rig.kinds("Salted")[-1] == "unit.adopted"
    _again_sends_nothing(rig)


def test_two_providers_have_to_show_it(rig: Rig, node: Anvil) -> None:
    with fp.fault_proxy(node.url) as second:
        second.before_send = rig.proxy.before_send
        rig.others.append(second)
        _taken_by_another(rig, "Salted")
        second.add(fp.result("0x", "eth_getCode", times=None))
        with pytest.raises(StillPending):
            rig.run(wait_s=0.8)
        assert "unit.adopted" not in rig.kinds("Salted")
        second.clear()
        assert rig.run()["Salted"].stage == "adopted"
