"""Publishing: every errand ends with what the service shows, is handed in once while it runs, and survives a kill."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chains.evm.explorers.base import Submission, Ticket, Verdict
from chains.evm.explorers.errands import Errand, Link, Pace, Source, Subject
from chains.evm.explorers.etherscan import Etherscan
from chains.evm.explorers.publishing import Job, Outcome, Publisher
from chains.evm.explorers.sourcify import Sourcify
from tests.support.scripted_http import Asked, ScriptedServer, json_answer
from tests.support.service_proxy import Answer
from tests.unit.explorers.conftest import STANDARD, bucket

Make = Callable[..., Etherscan]
QUICK = Pace(first_s=0.01, most_s=0.04, lost_s=0.3, confirm_s=0.15)
FULL = json.dumps({**STANDARD, "sources": {**STANDARD["sources"], "src/Lid.sol": {"content": "L"}}}).encode()  # type: ignore[dict-item]


def said(result: Any, status: str = "1") -> Answer:
    return json_answer({"status": status, "message": "OK", "result": result})


@dataclass
class Explorer:
    """The Etherscan dialect with a memory: what was handed in, what is being compiled, what is shown.

    ``before`` may answer in its place; ``polls`` says how often a job is pending; ``judge`` what comes out.
    """

    polls: int = 1
    judge: Callable[[dict[str, str]], str] = lambda form: "Pass - Verified"
    shows: bool = True
    before: Callable[[Asked], Any] = lambda asked: ...
    after: Callable[[Asked], Any] = lambda asked: ...
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    twice: int = 0

    def __call__(self, asked: Asked) -> Answer | None:
        early = self.before(asked)
        if early is not ...:
            return early  # type: ignore[no-any-return]
        answer = getattr(self, asked.fields["action"])(asked.fields)
        late = self.after(asked)
        return answer if late is ... else late

    def verifysourcecode(self, form: dict[str, str]) -> Answer:
        running = [j for j in self.jobs.values() if j["contractaddress"] == form["contractaddress"] and j["left"] >= 0]
        if running:
            self.twice += 1
            return said("Already in queue", "0")
        if form["contractaddress"] in self.shown:
            return said("Contract source code already verified", "0")
        guid = f"guid{len(self.jobs):08}"
        self.jobs[guid] = {**form, "left": self.polls}
        return said(guid)

    def checkverifystatus(self, query: dict[str, str]) -> Answer:
        job = self.jobs.get(query["guid"])
        if job is None:
            return said("Unknown UID")
        self.work(job)
        return said("Pending in queue", "0") if job["left"] >= 0 else said(job["said"])

    def work(self, job: dict[str, Any]) -> None:
        job["left"] -= 1
        if job["left"] == -1:
            job["said"] = self.judge(job)
            if job["said"].startswith("Pass") and self.shows:
                self.show(job["contractaddress"], job["sourceCode"])

    def show(self, address: str, source: str, **fields: Any) -> None:
        self.shown[address] = {"SourceCode": "{" + source + "}", "ContractName": "Box", **fields}

    def getsourcecode(self, query: dict[str, str]) -> Answer:
        for job in self.jobs.values():
            if job["contractaddress"] == query["address"] and job["left"] >= 0:
                self.work(job)  # time passes, whoever asks
        entry = self.shown.get(query["address"], {"SourceCode": ""})
        return said([{**entry, "Implementation": self.links.get(query["address"], "")}])

    def verifyproxycontract(self, form: dict[str, str]) -> Answer:
        self.jobs["link" + form["address"]] = {**form, "contractaddress": "", "left": self.polls}
        return said("link" + form["address"])

    def checkproxyverification(self, query: dict[str, str]) -> Answer:
        job = self.jobs[query["guid"]]
        job["left"] -= 1
        if job["left"] >= 0:
            return said("Pending in queue", "0")
        self.links[job["address"]] = job["expectedimplementation"]
        return said("The proxy's implementation contract is found and is successfully updated.")


@dataclass
class Memory:
    """Rows in the order they were told, as a journal keeps them."""

    rows: list[tuple[str, str, Subject, Any]] = field(default_factory=list)
    kill_after: int | None = None

    def ticket(self, service: str, subject: Subject) -> Ticket | None:
        ours = [(kind, what) for kind, name, about, what in self.rows if (name, about) == (service, subject)]
        if not ours or (ours[-1][0] == "verdict" and ours[-1][1].done):
            return None
        return next((what for kind, what in reversed(ours) if kind == "submitted"), None)

    def submitted(self, service: str, subject: Subject, ticket: Ticket) -> None:
        self._add("submitted", service, subject, ticket)

    def verdict(self, service: str, subject: Subject, verdict: Verdict) -> None:
        self._add("verdict", service, subject, verdict)

    def _add(self, kind: str, service: str, subject: Subject, what: Any) -> None:
        self.rows.append((kind, service, subject, what))
        if self.kill_after is not None and len(self.rows) >= self.kill_after:
            raise KeyboardInterrupt

    def kinds(self) -> list[str]:
        return [kind for kind, *_ in self.rows]


@dataclass
class Told:
    lines: list[str] = field(default_factory=list)

    def item(self, item: str, state: str, note: str = "") -> None:
        self.lines.append(f"{item} {state} {note}")

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def explorer(server: ScriptedServer) -> Explorer:
    scripted = Explorer()
    server.script = scripted
    return scripted


@pytest.fixture
def memory() -> Memory:
    return Memory()


Publish = Callable[..., list[Outcome]]


@pytest.fixture
def publish(etherscan: Make, memory: Memory) -> Iterator[Publish]:
    def run(
        *errands: Errand, service: Any = None, wait_s: float = 5.0, pace: Pace = QUICK, submits: bool = True
    ) -> Any:
        at = service or etherscan()
        return Publisher(memory, Told(), wait_s, pace, submits).publish([Job(at, e) for e in errands])

    before = threading.active_count()
    yield run
    assert threading.active_count() <= before + 8  # the server's; none of the publisher's outlive it


@pytest.fixture
def box(submission: Submission) -> Source:
    return Source("Box", replace(submission, arguments=b""))


def one(outcomes: list[Outcome]) -> Verdict:
    (outcome,) = outcomes
    return outcome.verdict


def test_a_source_is_handed_in_polled_and_read_back(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    assert one(publish(box)).kind == "exact"
    assert server.actions() == ["getsourcecode", "verifysourcecode", *["checkverifystatus"] * 2, "getsourcecode"]
    assert memory.kinds() == ["submitted", "verdict"]


def test_the_ticket_is_remembered_before_it_is_polled(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    known: list[list[str]] = []
    explorer.before = lambda asked: known.append(memory.kinds()) or ... if "guid" in asked.fields else ...
    publish(box)
    assert known
    assert all("submitted" in kinds for kinds in known)


def test_what_is_there_already_is_not_handed_in(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.show(box.submission.address, box.submission.standard_json.decode())
    assert one(publish(box)).kind == "already"
    assert server.actions() == ["getsourcecode"]


def test_a_partial_match_is_improved_where_the_service_lets_it(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    similar = {"SourceCode": "contract Box {}", "SimilarMatch": "0x" + "ab" * 20}
    explorer.before = lambda asked: (
        said([similar]) if asked.fields["action"] == "getsourcecode" and not explorer.shown else ...
    )
    assert one(publish(box)).kind == "exact"


def test_a_partial_match_that_stays_is_told_as_partial(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.show(box.submission.address, json.dumps(STANDARD).replace("Box {}", "Box { }"))
    verdict = one(publish(box))
    assert verdict.kind == "partial"
    assert "another text" in verdict.reason
    assert server.actions() == ["getsourcecode", "verifysourcecode", "getsourcecode"]


def test_only_looking_hands_nothing_in(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    assert one(publish(box, submits=False)) == Verdict("unknown", "its source is not shown")
    assert server.actions() == ["getsourcecode"]


def test_success_that_is_not_shown_is_unknown(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.shows = False
    verdict = one(publish(box))
    assert verdict.kind == "unknown"
    assert "does not show it" in verdict.reason
    assert server.actions().count("verifysourcecode") == 1


def test_success_that_is_shown_later_is_waited_for(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    hidden = [2]

    def before(asked: Asked) -> Any:
        if asked.fields["action"] == "getsourcecode" and explorer.shown and hidden[0]:
            hidden[0] -= 1
            return said([{"SourceCode": ""}])
        return ...

    explorer.before = before
    assert one(publish(box)).kind == "exact"
    assert hidden == [0]


def test_a_failure_says_why(server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source) -> None:
    explorer.judge = lambda form: "Fail - Unable to verify. Invalid contract name"
    verdict = one(publish(box))
    assert (verdict.kind, verdict.reason) == ("failed", "Fail - Unable to verify. Invalid contract name")


def test_a_failure_counts_less_than_what_is_shown(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    def judge(form: dict[str, str]) -> str:
        explorer.show(form["contractaddress"], form["sourceCode"])
        return "Fail - Unable to verify"

    explorer.judge = judge
    assert one(publish(box)).kind == "exact"


def test_a_mismatch_is_tried_once_more_with_the_whole_input(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    explorer.judge = lambda form: "Pass - Verified" if "Lid.sol" in form["sourceCode"] else "Fail - Unable to verify"
    assert one(publish(replace(box, full_input=FULL))).kind == "exact"
    assert [what.full for kind, _, _, what in memory.rows if kind == "submitted"] == [False, True]


def test_the_whole_input_is_tried_once_only(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.judge = lambda form: "Fail - Unable to verify"
    assert one(publish(replace(box, full_input=FULL))).kind == "failed"
    assert server.actions().count("verifysourcecode") == 2


def test_what_more_sources_cannot_mend_is_not_tried_again(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.judge = lambda form: "Fail - Unable to verify. Invalid constructor arguments provided"
    assert one(publish(replace(box, full_input=FULL))).kind == "failed"
    assert server.actions().count("verifysourcecode") == 1


ONCE: dict[str, Any] = {
    "not indexed": said("Unable to locate ContractCode at 0x00", "0"),
    "rate limit": said("Max rate limit reached", "0"),
    "429": Answer(429, b""),
    "502": Answer(502, b"<html>"),
    "html": Answer(200, b"<html>"),
    "empty": Answer(200, b""),
    "reset": None,
}


@pytest.mark.parametrize("action", ["getsourcecode", "verifysourcecode", "checkverifystatus"])
@pytest.mark.parametrize("fault", sorted(ONCE))
def test_a_fault_before_any_call_is_survived(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, fault: str, action: str
) -> None:
    left = [2]

    def before(asked: Asked) -> Any:
        if asked.fields["action"] == action and left[0]:
            left[0] -= 1
            return ONCE[fault]
        return ...

    explorer.before = before
    assert one(publish(box, wait_s=15)).kind == "exact"
    assert left == [0]
    assert (explorer.twice, len(explorer.jobs)) == (0, 1)


@pytest.mark.parametrize("action", ["getsourcecode", "verifysourcecode", "checkverifystatus"])
def test_a_lost_reply_to_any_call_hands_nothing_in_twice(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, action: str
) -> None:
    explorer.polls = 3
    left = [1]

    def after(asked: Asked) -> Any:
        if asked.fields["action"] == action and left[0]:
            left[0] -= 1
            return None
        return ...

    explorer.after = after
    assert one(publish(box)).kind == "exact"
    assert (explorer.twice, len(explorer.jobs)) == (0, 1)


def test_a_job_that_is_running_under_an_unknown_ticket_is_looked_for(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    form = {"contractaddress": box.submission.address, "sourceCode": box.submission.standard_json.decode(), "left": 4}
    explorer.jobs["somebody-elses"] = form
    assert one(publish(box)).kind == "exact"
    assert (explorer.twice, len(explorer.jobs)) == (1, 1)


def test_a_killed_run_polls_on_with_the_same_ticket(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    memory.kill_after = 1
    with pytest.raises(KeyboardInterrupt):
        publish(box)
    memory.kill_after = None
    server.asked.clear()
    assert one(publish(box)).kind == "exact"
    assert "verifysourcecode" not in server.actions()
    assert memory.kinds() == ["submitted", "verdict"]


def test_a_ticket_the_service_forgot_is_replaced(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    memory.submitted("etherscan", box.subject, Ticket("guid-of-old"))
    assert one(publish(box)).kind == "exact"
    assert len(explorer.jobs) == 1


@pytest.mark.parametrize("polls", [10**6])
def test_what_takes_too_long_is_pending_and_goes_on_later(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory, polls: int
) -> None:
    explorer.polls = polls
    verdict = one(publish(box, wait_s=0.3))
    assert verdict.kind == "pending"
    assert "Pending in queue" in verdict.reason
    next(iter(explorer.jobs.values()))["left"] = 1
    assert one(publish(box)).kind == "exact"
    assert len(explorer.jobs) == 1


def test_a_service_that_never_answers_is_unknown_in_time(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.before = lambda asked: Answer(502, b"")
    started_s = time.monotonic()
    verdict = one(publish(box, wait_s=0.3))
    assert verdict.kind == "unknown"
    assert "502" in verdict.reason
    assert time.monotonic() - started_s < 2


def test_a_refused_key_ends_every_errand_after_one_request_a_thread(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    explorer.before = lambda asked: said("Invalid API Key", "0")
    boxes = [replace(box, submission=replace(box.submission, address=f"0x{n:040x}")) for n in range(30)]
    outcomes = publish(*boxes)
    assert {o.verdict.kind for o in outcomes} == {"unknown"}
    assert all("API key is not accepted" in o.verdict.reason for o in outcomes)
    assert len(server.asked) <= 4


def test_a_proxy_is_linked_with_a_ticket_of_its_own(
    server: ScriptedServer, explorer: Explorer, publish: Publish, memory: Memory
) -> None:
    link = Link("Vault", "0x" + "aa" * 20, "0x" + "bb" * 20)
    assert one(publish(link)).kind == "exact"
    assert server.actions() == [
        "getsourcecode",
        "verifyproxycontract",
        "checkproxyverification",
        "checkproxyverification",
        "getsourcecode",
    ]
    server.asked.clear()
    assert one(publish(link)).kind == "already"
    after = replace(link, implementation="0x" + "cc" * 20)
    assert one(publish(after)).kind == "exact"
    assert [about.of for kind, _, about, _ in memory.rows if kind == "submitted"] == [
        link.implementation,
        after.implementation,
    ]


def test_a_service_that_finds_proxies_itself_is_told_nothing(
    server: ScriptedServer, sourcify: Sourcify, publish: Publish
) -> None:
    verdict = one(publish(Link("Vault", "0x" + "aa" * 20, "0x" + "bb" * 20), service=sourcify))
    assert verdict.kind == "unknown"
    assert server.asked == []


def test_an_error_of_the_journal_stops_the_run(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source, memory: Memory
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    memory.submitted = full  # type: ignore[method-assign]
    boxes = [replace(box, submission=replace(box.submission, address=f"0x{n:040x}")) for n in range(8)]
    with pytest.raises(OSError, match="No space"):
        publish(*boxes, wait_s=30)
    assert "checkverifystatus" not in server.actions()


def test_outcomes_come_in_the_order_asked_for(
    server: ScriptedServer, explorer: Explorer, publish: Publish, box: Source
) -> None:
    boxes = [replace(box, submission=replace(box.submission, address=f"0x{n:040x}")) for n in range(12)]
    outcomes = publish(*boxes)
    assert [o.job.errand for o in outcomes] == boxes
    assert {o.verdict.kind for o in outcomes} == {"exact"}


def test_one_bucket_holds_all_threads_to_its_rate(
    server: ScriptedServer, explorer: Explorer, etherscan: Make, box: Source
) -> None:
    shared = bucket(20.0)
    boxes = [replace(box, submission=replace(box.submission, address=f"0x{n:040x}")) for n in range(6)]
    chains = [etherscan(chain_id=n, bucket=shared) for n in (1, 10)]
    explorer.before = lambda asked: said([{"SourceCode": ""}]) if asked.fields["chainid"] == "10" else ...
    jobs = [Job(at, b) for at in chains for b in boxes]
    Publisher(Memory(), Told(), 1.5, QUICK).publish(jobs)
    times = [a.at_s for a in server.asked]
    most = max(sum(start <= t < start + 1.0 for t in times) for start in times)
    assert len(times) > 20
    assert most <= 20


def test_services_do_not_wait_for_one_another(
    server: ScriptedServer, explorer: Explorer, etherscan: Make, box: Source
) -> None:
    slow = etherscan(name="slow", bucket=bucket(0.5))
    boxes = [replace(box, submission=replace(box.submission, address=f"0x{n:040x}")) for n in range(6)]
    jobs = [Job(slow, b) for b in boxes] + [Job(etherscan(), b) for b in boxes]
    started_s = time.monotonic()
    outcomes = Publisher(Memory(), Told(), 2.0, QUICK).publish(jobs)
    assert {o.verdict.kind for o in outcomes[6:]} == {"exact"}
    assert "unknown" in {o.verdict.kind for o in outcomes[:6]}
    assert time.monotonic() - started_s < 6  # whoever waits for the slow one's allowance still ends in time
