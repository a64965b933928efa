"""Sourcify's API: what is asked, and what each answer is taken for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chains.evm.explorers.base import ExplorerStopped, Submission, Ticket, TryLater, Verdict
from chains.evm.explorers.sourcify import Sourcify
from tests.support.scripted_http import ScriptedServer, json_answer
from tests.support.service_proxy import Answer
from tests.unit.explorers.conftest import STANDARD

BOX = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
JOB = "72d12273-0723-448e-a9f6-f7957128efa5"


def refusal(status: int, code: str, message: str = "why") -> Answer:
    return json_answer({"customCode": code, "message": message, "errorId": JOB}, status)


def test_a_submission_is_the_json_of_version_2(
    server: ScriptedServer, sourcify: Sourcify, submission: Submission
) -> None:
    server.script = lambda asked: json_answer({"verificationId": JOB}, 202)
    assert sourcify.submit(submission) == Ticket(JOB)
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", f"/v2/verify/8453/{BOX}")
    assert json.loads(asked.body) == {
        "stdJsonInput": STANDARD,
        "compilerVersion": "0.8.37+commit.f401782d",
        "contractIdentifier": "src/Box.sol:Box",
        "creationTransactionHash": "0x" + "11" * 32,
    }


def test_no_transaction_is_named_where_none_is_known(
    server: ScriptedServer, sourcify: Sourcify, submission: Submission
) -> None:
    server.script = lambda asked: json_answer({"verificationId": JOB}, 202)
    sourcify.submit(replace(submission, creation_transaction=None))
    assert "creationTransactionHash" not in json.loads(server.asked[0].body)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json_answer({"match": "exact_match", "creationMatch": "exact_match"}), "exact"),
        (json_answer({"match": "match", "runtimeMatch": "match"}), "partial"),
        (json_answer({"match": None, "creationMatch": None, "runtimeMatch": None}, 404), "unknown"),
        (json_answer({"match": None}), "unknown"),
    ],
)
def test_what_is_shown(server: ScriptedServer, sourcify: Sourcify, answer: Answer, kind: str) -> None:
    server.script = lambda asked: answer
    assert sourcify.look(BOX).kind == kind
    assert server.asked[0].path == f"/v2/contract/8453/{BOX}"


def test_another_name_for_the_same_code_is_told(
    server: ScriptedServer, sourcify: Sourcify, submission: Submission
) -> None:
    compilation = {"fullyQualifiedName": "src/Crate.sol:Crate", "compilerVersion": "0.8.37+commit.f401782d"}
    server.script = lambda asked: json_answer({"match": "match", "compilation": compilation})
    assert "src/Crate.sol:Crate, not src/Box.sol:Box" in sourcify.look(BOX, submission).reason


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(409, "already_verified"), "already"),
        (refusal(429, "duplicate_verification_request"), "pending"),
        (refusal(400, "invalid_parameter"), "failed"),
        (refusal(400, "invalid_json"), "failed"),
    ],
)
def test_a_submission_without_a_ticket(
    server: ScriptedServer, sourcify: Sourcify, submission: Submission, answer: Answer, kind: str
) -> None:
    server.script = lambda asked: answer
    verdict = sourcify.submit(submission)
    assert isinstance(verdict, Verdict)
    assert verdict.kind == kind


def test_a_chain_it_does_not_have_stops_it(server: ScriptedServer, sourcify: Sourcify, submission: Submission) -> None:
    server.script = lambda asked: refusal(400, "unsupported_chain")
    with pytest.raises(ExplorerStopped):
        sourcify.submit(submission)


def job(done: Any, error: Any = None, contract: Any = None) -> Answer:
    return json_answer({"isJobCompleted": done, "verificationId": JOB, "error": error, "contract": contract})


def failed(code: str) -> Answer:
    return job(True, {"customCode": code, "message": "why", "errorId": JOB}, {"match": None})


@pytest.mark.parametrize(
    ("answer", "kind", "mismatch"),
    [
        (job(False), "pending", False),
        (job(True, contract={"match": "exact_match"}), "exact", False),
        (job(True, contract={"match": "match"}), "partial", False),
        (job(True, contract={"match": None}), "unknown", False),
        (failed("already_verified"), "already", False),
        (failed("bytecode_length_mismatch"), "failed", True),
        (failed("no_match"), "failed", True),
        (failed("compiler_error"), "failed", True),
        (failed("contract_not_deployed"), "unknown", False),
        (failed("internal_error"), "unknown", False),
        (refusal(404, "job_not_found"), "unknown", False),
    ],
)
def test_what_a_job_came_to(
    server: ScriptedServer, sourcify: Sourcify, answer: Answer, kind: str, mismatch: bool
) -> None:
    server.script = lambda asked: answer
    verdict = sourcify.poll(Ticket(JOB))
    assert (verdict.kind, verdict.mismatch) == (kind, mismatch)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, b"slow down"),
        json_answer({"message": "Too many requests"}, 429),
        json_answer([], 429),
        Answer(502, b"<html>"),
        Answer(200, b"<html>"),
        Answer(200, b""),
        json_answer([]),
        json_answer({"match": 5, "isJobCompleted": "yes", "verificationId": {"a": 1}}),
        json_answer({"verificationId": "../../etc?x", "match": "perfect"}, 202),
        None,
    ],
)
def test_what_is_no_answer_is_asked_again_later(
    server: ScriptedServer, sourcify: Sourcify, submission: Submission, answer: Answer | None
) -> None:
    server.script = lambda asked: answer
    with pytest.raises(TryLater):
        sourcify.look(BOX)
    with pytest.raises(TryLater):
        sourcify.submit(submission)
    with pytest.raises(TryLater):
        sourcify.poll(Ticket(JOB))


def test_proxies_need_not_be_told(sourcify: Sourcify) -> None:
    assert sourcify.links_proxies is False
