"""The Etherscan dialect: what is asked, and what each answer is taken for, whatever its status says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chains.base import SystemClock
from chains.evm.explorers.base import ExplorerStopped, Submission, Ticket, TryLater, Verdict
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.etherscan import Etherscan
from tests.support.scripted_http import ScriptedServer, json_answer
from tests.support.service_proxy import Answer
from tests.unit.explorers.conftest import KEY, STANDARD

Make = Callable[..., Etherscan]
GUID = "x3ryqcqr1zdknhfhkimqmizlcqpxncqc6nrvp3pgrcpfsqedqi"
MISMATCH = (
    "Fail - Unable to verify. Compiled contract deployment bytecode does NOT match the transaction deployment bytecode. "
    "Please check if the correct constructor argument was entered."
)
BOX = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def said(result: Any, status: str = "1", message: str = "OK") -> Answer:
    return json_answer({"status": status, "message": message, "result": result})


def shown(**fields: Any) -> dict[str, Any]:
    return {
        "SourceCode": "{" + json.dumps(STANDARD) + "}",
        "ABI": "[]",
        "ContractName": "Box",
        "CompilerVersion": "v0.8.37+commit.f401782d",
        "ConstructorArguments": "00" * 31 + "2a",
        "SimilarMatch": "",
        "Proxy": "0",
        "Implementation": "",
        **fields,
    }


# What is asked.


def test_a_submission_carries_the_form_with_both_spellings_of_the_arguments(
    server: ScriptedServer, etherscan: Make, submission: Submission
) -> None:
    server.script = lambda asked: said(GUID)
    assert etherscan().submit(submission) == Ticket(GUID)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v2/api")
    assert asked.fields == {
        "chainid": "8453",
        "module": "contract",
        "action": "verifysourcecode",
        "apikey": KEY,
        "codeformat": "solidity-standard-json-input",
        "sourceCode": submission.standard_json.decode(),
        "contractaddress": BOX,
        "contractname": "src/Box.sol:Box",
        "compilerversion": "v0.8.37+commit.f401782d",
        "constructorArguements": "00" * 31 + "2a",
        "constructorArguments": "00" * 31 + "2a",
        "licenseType": "3",
    }


def test_other_explorers_are_asked_without_a_chain_and_without_a_key_where_there_is_none(
    server: ScriptedServer, etherscan: Make
) -> None:
    server.script = lambda asked: said([shown()])
    etherscan(url=f"{server.url}/api", chain_in_query=False, api_key=None).look(BOX)
    assert server.asked[0].fields == {"module": "contract", "action": "getsourcecode", "address": BOX}


def test_a_url_that_has_a_query_keeps_it(server: ScriptedServer, etherscan: Make) -> None:
    server.script = lambda asked: said([shown()])
    etherscan(url=f"{server.url}/api?net=base").look(BOX)
    assert server.asked[0].fields["net"] == "base"
    assert server.asked[0].fields["chainid"] == "8453"


# What it shows.


def test_the_same_source_is_an_exact_match(server: ScriptedServer, etherscan: Make, submission: Submission) -> None:
    server.script = lambda asked: said([shown()])
    assert etherscan().look(BOX, submission) == Verdict("exact", "", f"https://explorer.example/address/{BOX}#code")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"SimilarMatch": "0x" + "ab" * 20}, "similar"),
        ({"ContractName": "Crate"}, "the contract Crate"),
        ({"CompilerVersion": "v0.8.36+commit.aaaaaaaa"}, "the compiler v0.8.36"),
        ({"ConstructorArguments": "00" * 32}, "constructor arguments"),
        ({"SourceCode": json.dumps(STANDARD).replace("Box {}", "Box { }")}, "another text of src/Box.sol"),
        ({"SourceCode": json.dumps(STANDARD).replace("cancun", "paris")}, "settings (evmVersion)"),
        ({"SourceCode": json.dumps({"Other.sol": {"content": "contract Box {}"}})}, "other source files"),
        ({"SourceCode": "contract Box {}"}, "cannot be compared"),
        ({"SourceCode": "{{not json}}"}, "cannot be compared"),
    ],
)
def test_what_differs_is_partial_and_told(
    server: ScriptedServer, etherscan: Make, submission: Submission, fields: dict[str, Any], reason: str
) -> None:
    server.script = lambda asked: said([shown(**fields)])
    verdict = etherscan().look(BOX, submission)
    assert verdict.kind == "partial"
    assert reason in verdict.reason


def test_without_something_to_hold_it_against_no_match_is_called_exact(server: ScriptedServer, etherscan: Make) -> None:
    server.script = lambda asked: said([shown()])
    assert etherscan().look(BOX).kind == "partial"


def test_blockscout_shows_files_one_by_one(server: ScriptedServer, etherscan: Make, submission: Submission) -> None:
    two = {**STANDARD, "sources": {"src/Box.sol": {"content": "B"}, "src/Lid.sol": {"content": "L"}}}
    expected = replace(submission, standard_json=json.dumps(two).encode())
    files = [{"Filename": "src/Lid.sol", "SourceCode": "L"}]
    entry = {"SourceCode": "B", "FileName": "src/Box.sol", "AdditionalSources": files, "ContractName": "Box"}
    server.script = lambda asked: said([entry])
    assert etherscan().look(BOX, expected).kind == "exact"
    files[0]["SourceCode"] = "other"
    assert etherscan().look(BOX, expected).kind == "partial"


@pytest.mark.parametrize(
    "answer",
    [
        said([shown(SourceCode="", ABI="Contract source code not verified")]),
        said([{"Address": BOX}]),
        said(None, "0", "Smart-contract not found or is not verified"),
        said("Contract source code not verified", "0", "NOTOK"),
        said([]),
    ],
)
def test_a_source_that_is_not_shown_is_unknown(server: ScriptedServer, etherscan: Make, answer: Answer) -> None:
    server.script = lambda asked: answer
    assert etherscan().look(BOX).kind == "unknown"


# Words, not status.


@pytest.mark.parametrize("status", ["0", "1", 7, None])
@pytest.mark.parametrize(
    ("result", "kind", "mismatch"),
    [
        ("Pending in queue", "pending", False),
        ("Pass - Verified", "exact", False),
        ("Already Verified", "already", False),
        ("Contract source code already verified", "already", False),
        ("Fail - Unable to verify", "failed", True),
        (
            MISMATCH,
            "failed",
            True,
        ),
        ("Invalid constructor arguments provided. Please verify that they are in ABI-encoded format", "failed", False),
        ("Unknown UID", "unknown", False),
    ],
)
def test_the_result_of_a_poll_decides(
    server: ScriptedServer, etherscan: Make, result: str, kind: str, mismatch: bool, status: Any
) -> None:
    server.script = lambda asked: json_answer({"status": status, "message": "OK", "result": result})
    verdict = etherscan().poll(Ticket(GUID))
    assert (verdict.kind, verdict.mismatch) == (kind, mismatch)
    assert server.asked[0].fields["guid"] == GUID


@pytest.mark.parametrize("result", ["Unable to locate ContractCode at 0x00", "NOTOK12345", "Query Timeout occured."])
def test_a_word_that_ends_nothing_is_polled_again(server: ScriptedServer, etherscan: Make, result: str) -> None:
    server.script = lambda asked: said(result)
    with pytest.raises(TryLater):
        etherscan().poll(Ticket(GUID))


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        ("Contract source code already verified", "already"),
        ("Smart-contract already verified.", "already"),
        ("Already in queue", "pending"),
        ("Invalid constructor arguments provided. Please verify that they are in ABI-encoded format", "failed"),
        ("Fail - Unable to verify", "failed"),
    ],
)
def test_a_submission_that_is_answered_with_a_word_has_no_ticket(
    server: ScriptedServer, etherscan: Make, submission: Submission, result: str, kind: str
) -> None:
    server.script = lambda asked: said(result)
    verdict = etherscan().submit(submission)
    assert isinstance(verdict, Verdict)
    assert verdict.kind == kind


@pytest.mark.parametrize(
    ("answer", "maybe_taken"),
    [
        (said("Unable to locate ContractCode at 0x00", "0", "NOTOK"), False),
        (said("Max rate limit reached, please use API Key for higher rate limit", "0", "NOTOK"), False),
        (Answer(429, b"slow down"), False),
        (Answer(502, b"<html>Bad Gateway</html>"), True),
        (Answer(503, b'{"status":"1","result":"' + GUID.encode() + b'"}'), True),
        (Answer(200, b"<!DOCTYPE html><title>Just a moment</title>"), True),
        (Answer(200, b""), True),
        (Answer(200, b"[1, 2]"), True),
        (Answer(200, b'"text"'), True),
        (said({"guid": GUID}), True),
        (said(""), True),
        (said(12), True),
        (json_answer({}), True),
        (Answer(200, b"[" * 100_000), True),
        (Answer(200, b'{"result": "\xff"}'), True),
        (Answer(200, b" " * (16 * 2**20 + 1)), True),
        (None, True),
    ],
)
def test_what_is_no_answer_is_asked_again_later(
    server: ScriptedServer, etherscan: Make, submission: Submission, answer: Answer | None, maybe_taken: bool
) -> None:
    server.script = lambda asked: answer
    with pytest.raises(TryLater) as caught:
        etherscan().submit(submission)
    assert caught.value.maybe_taken is maybe_taken
    assert KEY not in caught.value.reason
    assert len(server.asked) == 1


def test_where_nobody_listens_nothing_was_taken(etherscan: Make, submission: Submission, unused_port: int) -> None:
    with pytest.raises(TryLater) as caught:
        etherscan(url=f"http://127.0.0.1:{unused_port}/api").submit(submission)
    assert caught.value.maybe_taken is False


@pytest.mark.parametrize("result", ["Invalid API Key (#err2)|" + KEY, "Missing/Invalid API Key"])
def test_a_refused_key_is_used_no_more_on_any_chain(server: ScriptedServer, etherscan: Make, result: str) -> None:
    server.script = lambda asked: said(result, "0", "NOTOK")
    shared = TokenBucket(1_000, SystemClock())
    for chain_id in (1, 10, 8453):
        with pytest.raises(ExplorerStopped) as caught:
            etherscan(chain_id=chain_id, bucket=shared).look(BOX)
        assert KEY not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "result",
    [
        "Free API access is not supported for this chain. Please upgrade your api plan",
        "Missing or unsupported chainid parameter",
        "Max daily rate limit reached. 110000 (100%) of 100000 day/limit",
    ],
)
def test_what_asking_again_cannot_mend_stops_this_chain_only(
    server: ScriptedServer, etherscan: Make, result: str
) -> None:
    shared = TokenBucket(1_000, SystemClock())
    server.script = lambda asked: said(result if asked.fields["chainid"] == "1" else [shown()])
    with pytest.raises(ExplorerStopped):
        etherscan(chain_id=1, bucket=shared).look(BOX)
    assert etherscan(chain_id=10, bucket=shared).look(BOX).kind == "partial"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_with_the_key(server: ScriptedServer, etherscan: Make, status: int) -> None:
    server.script = lambda asked: Answer(status, b"", {"Location": f"{server.url}/elsewhere?{KEY}"})
    with pytest.raises(ExplorerStopped) as caught:
        etherscan().look(BOX)
    assert [a.path for a in server.asked] == ["/v2/api"]
    assert KEY not in str(caught.value)


def test_the_key_is_in_no_text_about_the_client(server: ScriptedServer, etherscan: Make) -> None:
    client = etherscan()
    assert KEY not in repr(client) + client.label


def test_control_characters_of_a_service_reach_no_terminal(server: ScriptedServer, etherscan: Make) -> None:
    server.script = lambda asked: said("Fail - \x1b[2J\u202e" + "long " * 500)
    reason = etherscan().poll(Ticket(GUID)).reason
    assert reason.replace("…", "").isprintable()
    assert len(reason) < 400


def test_too_many_requests_hold_off_everybody_with_the_key(server: ScriptedServer, etherscan: Make) -> None:
    answers = [Answer(429, b"", {"Retry-After": "1"}), said([shown()])]
    server.script = lambda asked: answers.pop(0)
    shared = TokenBucket(1_000, SystemClock())
    with pytest.raises(TryLater) as caught:
        etherscan(chain_id=1, bucket=shared).look(BOX)
    assert caught.value.after_s == 1.0
    before_s = time.monotonic()
    etherscan(chain_id=10, bucket=shared).look(BOX)
    assert time.monotonic() - before_s > 0.9


# Proxies.


def test_a_link_has_a_ticket_and_a_poll_of_its_own(server: ScriptedServer, etherscan: Make) -> None:
    behind = "0x" + "cd" * 20
    answers = {
        "verifyproxycontract": said(GUID),
        "checkproxyverification": said(
            f"The proxy's ({BOX}) implementation contract is found at {behind} and is successfully updated."
        ),
        "getsourcecode": said([shown(Proxy="1", Implementation=behind.upper().replace("X", "x"))]),
    }
    server.script = lambda asked: answers[asked.fields["action"]]
    client = etherscan()
    assert client.link(BOX, behind) == Ticket(GUID)
    assert server.asked[0].fields["expectedimplementation"] == behind
    assert client.poll_link(Ticket(GUID)).good
    assert client.look_link(BOX, behind).kind == "exact"
    other = client.look_link(BOX, "0x" + "ef" * 20)
    assert other.kind == "unknown"
    assert behind in other.reason.lower()


def test_an_implementation_that_is_not_found_is_a_failed_link(server: ScriptedServer, etherscan: Make) -> None:
    text = "A corresponding implementation contract was unfortunately not detected for the proxy address."
    server.script = lambda asked: said(text, "0", "NOTOK")
    assert etherscan().poll_link(Ticket(GUID)) == Verdict("failed", text)
