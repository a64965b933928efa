"""The faults of the explorers of the tests: each does what it says, on every call, and is noted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
import urllib3

from chains.http import HttpClient, HttpFailed
from tests.integration.explorers.conftest import SEPOLIA
from tests.support.anvil import anvil
from tests.support.explorers import faults
from tests.support.explorers.asking import Dialogue, SourcifyDialogue
from tests.support.explorers.blockscout import blockscout
from tests.support.explorers.compiling import Worker
from tests.support.explorers.etherscan import KEY, EtherscanServer, etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.serving import Service
from tests.support.explorers.sourcify import sourcify
from tests.support.explorers.specimens import Specimen, Specimens

Chains = dict[int, IndexedChain]
Kinds = Mapping[str, Specimen]
Scan = tuple[Dialogue, Service, EtherscanServer]
CALLS = ("verifysourcecode", "checkverifystatus", "getsourcecode", "getabi", "getcontractcreation")


@pytest.fixture
def scan(compiling: Worker, indexed: Chains) -> Iterator[Scan]:
    with etherscan(compiling, indexed) as (service, server):
        yield Dialogue(f"{service.url}/v2/api", SEPOLIA), service, server


@pytest.mark.parametrize("call", CALLS)
def test_a_rate_limit_a_status_a_page_and_nothing_can_come_in_place_of_any_answer(scan: Scan, call: str) -> None:
    dialogue, service, server = scan
    service.faults.add(faults.rate_limited(call), faults.status(502, call), faults.html(call), faults.empty(call))
    answers = [_raw(dialogue, call) for _ in range(5)]
    assert [status for status, _ in answers] == [200, 502, 200, 200, 200]
    assert "rate limit reached" in json.loads(answers[0][1])["result"]
    assert answers[1][1].startswith(b"<html>")
    assert answers[2][1].startswith(b"<!DOCTYPE html>")
    assert answers[3][1] == b""
    assert json.loads(answers[4][1])["status"] in {"0", "1"}
    assert [a.fault for a in service.calls(call)] == ["rate limited", "HTTP 502", "HTML", "empty", None]
    assert not server.desk.jobs


def test_a_lost_reply_was_acted_on_and_a_reset_was_not(scan: Scan, kinds: Kinds) -> None:
    dialogue, service, server = scan
    service.faults.add(faults.reset("verifysourcecode"), faults.lost_reply("verifysourcecode"))
    with pytest.raises(urllib3.exceptions.ProtocolError, match="reset"):
        dialogue.submit(kinds["plain"])
    assert not server.desk.jobs
    with pytest.raises(urllib3.exceptions.ProtocolError):
        dialogue.submit(kinds["plain"])
    (job,) = server.desk.jobs.values()
    assert dialogue.settle(job.id)["result"] == "Pass - Verified"
    assert dialogue.submit(kinds["plain"])["result"] == "Contract source code already verified"


def test_drips_and_oversized_replies_meet_the_clients_caps(scan: Scan) -> None:
    dialogue, service, _ = scan
    client = HttpClient(f"{dialogue.url}?chainid={SEPOLIA}&action=getabi", timeout_s=0.5, max_bytes=100_000)
    service.faults.add(faults.drip(), faults.oversized(200_000))
    with pytest.raises(HttpFailed, match="took longer"):
        client.request("GET")
    with pytest.raises(HttpFailed, match="larger than"):
        client.request("GET")
    assert client.request("GET").status == 200


def test_a_redirect_goes_where_it_is_told(scan: Scan) -> None:
    dialogue, service, _ = scan
    service.faults.add(faults.redirect("http://169.254.169.254/latest", "getabi"))
    answer = dialogue.pool.request("GET", f"{dialogue.url}?chainid={SEPOLIA}&action=getabi", redirect=False, timeout=10)
    assert (answer.status, answer.headers["location"]) == (302, "http://169.254.169.254/latest")


def test_a_contract_is_not_indexed_for_a_while(scan: Scan, kinds: Kinds) -> None:
    dialogue, _, server = scan
    server.desk.hidden_s = 0.3
    plain, began = kinds["plain"], time.monotonic()
    while (answer := dialogue.submit(plain))["result"] == f"Unable to locate ContractCode at {plain.address}":
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.3
    assert dialogue.settle(answer["result"])["result"] == "Pass - Verified"


def test_a_job_is_pending_so_often_and_shows_nothing_before_it_is_done(scan: Scan, kinds: Kinds) -> None:
    dialogue, _, server = scan
    server.desk.pending = 4
    guid = dialogue.submit(kinds["plain"])["result"]
    pending = {"status": "0", "message": "NOTOK", "result": "Pending in queue"}
    assert [dialogue.ask("checkverifystatus", guid=guid) for _ in range(3)] == [pending] * 3
    assert dialogue.shown(kinds["plain"].address)["SourceCode"] == ""
    assert dialogue.settle(guid)["result"] == "Pass - Verified"
    assert dialogue.shown(kinds["plain"].address)["SourceCode"]


def test_handing_in_what_is_running_is_refused_and_remembered(scan: Scan, kinds: Kinds) -> None:
    dialogue, service, server = scan
    server.desk.pending = 3
    guid = dialogue.submit(kinds["plain"])["result"]
    assert not server.desk.twice
    assert dialogue.submit(kinds["plain"])["result"] == "Contract source code already submitted, pending in queue"
    assert [job.id for job in server.desk.twice] == [guid]
    assert dialogue.settle(guid)["result"] == "Pass - Verified"
    service.faults.add(faults.queued_already("verifysourcecode"))
    assert "already submitted" in dialogue.submit(kinds["old"])["result"]
    assert len(server.desk.twice) == len(server.desk.jobs) == 1


def test_a_false_success_shows_nothing(scan: Scan, kinds: Kinds) -> None:
    dialogue, _, server = scan
    server.desk.false_successes = 1
    for shows in (False, True):
        assert dialogue.verify(kinds["plain"])["result"] == "Pass - Verified"
        assert bool(dialogue.shown(kinds["plain"].address)["SourceCode"]) is shows


def test_the_allowance_is_counted_a_key_over_every_second(compiling: Worker, indexed: Chains) -> None:
    with etherscan(compiling, indexed, rate_per_s=3) as (service, server):
        server.keys = (KEY, "another-key")
        dialogue = Dialogue(f"{service.url}/v2/api", SEPOLIA)
        other = Dialogue(dialogue.url, 84532, "another-key")
        began = time.monotonic()
        answers = [dialogue.ask("getabi", address=DEAD)["result"] for _ in range(5)]
        assert time.monotonic() - began < 1
        assert ["rate limit" in answer for answer in answers] == [False] * 3 + [True] * 2
        assert "rate limit" not in other.ask("getabi", address=DEAD)["result"]
        assert (service.peak(KEY), service.peak("another-key")) == (5, 1)
        _until(lambda: "rate limit" not in dialogue.ask("getabi", address=DEAD)["result"], pause_s=0.4)


def test_the_same_seed_meets_the_same_faults(compiling: Worker, indexed: Chains) -> None:
    met = []
    for seed in (1, 1, 2):
        with etherscan(compiling, indexed, seed=seed) as (service, _):
            service.faults.add(*faults.storm(0.5))
            dialogue = Dialogue(f"{service.url}/v2/api", SEPOLIA)
            for _ in range(40):
                try:
                    _raw(dialogue, "getabi")
                except urllib3.exceptions.HTTPError:
                    continue
            met.append([asked.fault for asked in service.asked])
    assert met[0] == met[1] != met[2]
    assert len(set(met[0])) > 3


def test_blockscout_and_sourcify_meet_them_in_their_own_words(compiling: Worker, indexed: Chains, kinds: Kinds) -> None:
    with blockscout(compiling, indexed[SEPOLIA]) as (service, server):
        dialogue = Dialogue(f"{service.url}/api", key=None)
        server.desk.hidden_s = 3600
        assert dialogue.submit(kinds["plain"])["message"] == "The address is not a smart contract"
        server.desk.hidden_s, server.desk.pending = 0, 3
        guid = dialogue.submit(kinds["plain"])["result"]
        assert dialogue.ask("checkverifystatus", guid=guid) == {"status": "1", "message": "OK", "result": PENDING}
        service.faults.add(faults.rate_limited("getabi"))
        assert _raw(dialogue, "getabi") == (429, b'{"message": "Too many requests"}')
    with sourcify(compiling, indexed) as (service, sourcify_server):
        talk = SourcifyDialogue(service.url, SEPOLIA)
        sourcify_server.desk.pending = 3
        status, handed = talk.submit(kinds["plain"])
        assert (status, talk.submit(kinds["plain"])[0]) == (202, 429)
        assert len(sourcify_server.desk.twice) == 1
        assert talk.settle(handed["verificationId"])["contract"]["match"] == "exact_match"
        service.faults.add(faults.queued_already("submit"), faults.rate_limited("contract"))
        assert talk.submit(kinds["old"])[1]["customCode"] == "duplicate_verification_request"
        assert talk.shown(kinds["old"].address)[0] == 429
        sourcify_server.desk.hidden_s = 3600
        assert talk.verify(kinds["old"])["error"]["customCode"] == "contract_not_deployed"


def test_chains_of_their_own_are_indexed_again_after_a_reorganization(
    compiling: Worker,
) -> None:
    with anvil() as node:
        chain = IndexedChain(31337, node.url)
        made = Specimens(compiling, node).make("plain")
        assert chain.creation(made.address)
        node.call("anvil_reorg", 1, [])
        assert chain.creation(made.address) is None


PENDING = "Pending in queue"
DEAD = "0x000000000000000000000000000000000000dEaD"


def _raw(dialogue: Dialogue, call: str) -> tuple[int, bytes]:
    form = {"module": "contract", "action": call, "apikey": KEY, "address": DEAD, "contractaddresses": DEAD}
    answer = dialogue.pool.request(
        "POST", f"{dialogue.url}?chainid={SEPOLIA}", fields=form, encode_multipart=False, timeout=10
    )
    return answer.status, answer.data


def _until(done: Callable[[], bool], pause_s: float) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(pause_s)
