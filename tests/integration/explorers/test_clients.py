"""Our clients and the publisher against explorers that recompile what they are given: the verdicts are the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from chains.base import SystemClock
from chains.evm.explorers.base import Explorer, Submission, Ticket, Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.errands import Link, Pace, Source, Subject
from chains.evm.explorers.etherscan import Etherscan
from chains.evm.explorers.publishing import Job, Publisher
from chains.evm.explorers.sourcify import Sourcify
from tests.integration.explorers.conftest import SEPOLIA
from tests.support.explorers import faults
from tests.support.explorers.blockscout import blockscout
from tests.support.explorers.compiling import Worker
from tests.support.explorers.desk import Desk
from tests.support.explorers.etherscan import KEY, etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.serving import Service
from tests.support.explorers.sourcify import sourcify
from tests.support.explorers.specimens import KINDS, Specimen, Specimens

QUICK = Pace(first_s=0.05, most_s=0.5, lost_s=6.0, confirm_s=1.0)
SUBMIT = {"etherscan": "verifysourcecode", "blockscout": "verifysourcecode", "sourcify": "submit"}
SERVICES = ("etherscan", "blockscout", "sourcify")


@dataclass
class Memory:
    """Forgets nothing, and tells nobody."""

    rows: list[tuple[str, str, Subject, Any]] = field(default_factory=list)

    def ticket(self, service: str, subject: Subject) -> Ticket | None:
        return None

    def submitted(self, service: str, subject: Subject, ticket: Ticket) -> None:
        self.rows.append(("submitted", service, subject, ticket))

    def verdict(self, service: str, subject: Subject, verdict: Verdict) -> None:
        self.rows.append(("verdict", service, subject, verdict))

    def item(self, item: str, state: str, note: str = "") -> None:
        assert KEY not in f"{item} {state} {note}"

    def note(self, text: str) -> None:
        assert KEY not in text


@dataclass(frozen=True)
class Offices:
    """One of each service, with our client for it."""

    servers: Mapping[str, Service]
    desks: Mapping[str, Desk]
    clients: Mapping[str, Explorer]

    def publish(self, *specimens: Specimen, at: tuple[str, ...] = SERVICES, wait_s: float = 90) -> list[Verdict]:
        memory = Memory()
        jobs = [Job(self.clients[name], source(s)) for name in at for s in specimens]
        return [o.verdict for o in Publisher(memory, memory, wait_s, QUICK).publish(jobs)]


def source(specimen: Specimen) -> Source:
    document = json.dumps(specimen.standard_json).encode()
    submission = Submission(
        SEPOLIA,
        specimen.address,
        specimen.contract,
        specimen.compiler,
        document,
        specimen.arguments,
        specimen.transaction or None,
    )
    return Source(specimen.contract, submission)


@pytest.fixture
def offices(compiling: Worker, indexed: dict[int, IndexedChain]) -> Iterator[Offices]:
    with (
        etherscan(compiling, indexed) as (scan, one),
        blockscout(compiling, indexed[SEPOLIA]) as (scout, two),
        sourcify(compiling, indexed) as (fy, three),
    ):
        own = [TokenBucket(200.0, SystemClock()) for _ in SERVICES]
        clients: dict[str, Explorer] = {
            "etherscan": Etherscan("etherscan", f"{scan.url}/v2/api", SEPOLIA, own[0], KEY),
            "blockscout": Etherscan(
                "blockscout", f"{scout.url}/api", SEPOLIA, own[1], chain_in_query=False, links_proxies=False
            ),
            "sourcify": Sourcify("sourcify", fy.url, SEPOLIA, own[2]),
        }
        desks = {"etherscan": one.desk, "blockscout": two.desk, "sourcify": three.desk}
        yield Offices({"etherscan": scan, "blockscout": scout, "sourcify": fy}, desks, clients)


def test_every_kind_of_contract_is_verified_exactly_everywhere_and_then_is_already(
    offices: Offices, specimens: Specimens
) -> None:
    made = [specimens.make(kind) for kind in KINDS]
    verdicts = dict(zip(((at, kind) for at in SERVICES for kind in KINDS), offices.publish(*made), strict=True))
    assert {k: v for k, v in verdicts.items() if v.kind != "exact"} == {}
    assert {v.kind for v in offices.publish(*made)} == {"already"}


@pytest.mark.parametrize("at", SERVICES)
def test_what_is_wrong_is_refused_with_its_reason(offices: Offices, specimens: Specimens, at: str) -> None:
    true = specimens.make("plain")
    wrong = [true.with_other_code(), true.that_does_not_compile(), true.with_name("Nothing")]
    for specimen in wrong:
        (verdict,) = offices.publish(specimen, at=(at,))
        assert verdict.kind == "failed", specimen
        assert verdict.reason
    assert offices.publish(true, at=(at,))[0].kind == "exact"


@pytest.mark.parametrize("at", SERVICES)
def test_another_comment_is_partial_once_the_true_source_is_held_against_it(
    offices: Offices, specimens: Specimens, at: str
) -> None:
    true = specimens.make("plain")
    offices.publish(true.with_comment(), at=(at,))
    (before,) = Publisher(Memory(), Memory(), 20, QUICK, submits=False).publish(
        [Job(offices.clients[at], source(true))]
    )
    assert before.verdict.kind == "partial"
    (after,) = offices.publish(true, at=(at,))
    assert after.kind in {"exact", "partial"}
    if at == "sourcify":
        assert after.kind == "exact"  # the true source takes the other's place


@pytest.mark.parametrize("at", SERVICES)
def test_a_storm_of_faults_ends_exact_with_nothing_handed_in_twice(
    offices: Offices, specimens: Specimens, at: str
) -> None:
    submit = SUBMIT[at]
    offices.servers[at].faults.add(faults.lost_reply(submit), faults.status(502, submit, handled=True))
    offices.servers[at].faults.add(*faults.storm(0.2, submit))
    made = [specimens.make("plain") for _ in range(6)]
    assert {v.kind for v in offices.publish(*made, at=(at,))} == {"exact"}
    met = {a.fault for a in offices.servers[at].asked}
    assert {"lost reply", "HTTP 502"} <= met
    assert offices.desks[at].twice == []


@pytest.mark.parametrize("at", SERVICES)
def test_slow_services_are_waited_for(offices: Offices, specimens: Specimens, at: str) -> None:
    offices.desks[at].hidden_s, offices.desks[at].pending = 1.0, 3
    assert offices.publish(specimens.make("plain"), at=(at,))[0].kind == "exact"
    assert offices.desks[at].twice == []


@pytest.mark.parametrize("at", SERVICES)
def test_success_without_anything_to_show_is_unknown(offices: Offices, specimens: Specimens, at: str) -> None:
    offices.desks[at].false_successes = 1
    (verdict,) = offices.publish(specimens.make("plain"), at=(at,))
    assert verdict.kind == "unknown"
    assert "does not show it" in verdict.reason


def test_a_proxy_is_linked(offices: Offices, specimens: Specimens) -> None:
    proxy = specimens.make("proxy")
    implementation = "0x" + proxy.arguments[-20:].hex()
    offices.publish(proxy, at=("etherscan",))
    link = Link("proxy", proxy.address, implementation)
    memory = Memory()
    for expected in ("exact", "already"):
        (outcome,) = Publisher(memory, memory, 20, QUICK).publish([Job(offices.clients["etherscan"], link)])
        assert outcome.verdict.kind == expected
