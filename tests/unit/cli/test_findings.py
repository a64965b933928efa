"""What findings come to, as exit codes."""

from __future__ import annotations

import pytest

from pipeline.records.facts import Fact, Reading, ask_all
from pipeline.records.findings import Finding, RecordFindings, exit_code
from pipeline.records.witness import Unanswered


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        (["ok", "note"], 0),
        (["ok", "unanswered"], 3),
        (["missing", "unanswered"], 2),
        (["altered"], 2),
        (["altered", "failed", "unanswered"], 4),
    ],
)
def test_the_gravest_finding_decides(states, code):
    findings = tuple(Finding("chain", "x", state) for state in states)
    assert exit_code([RecordFindings("p", "v1", "t", findings)]) == code


class Says:
    """An endpoint with one answer."""

    def __init__(self, answer):
        self.label = "host"
        self.answer = answer


def ask(witness):
    if witness.answer == "nothing":
        raise Unanswered("host: ConnectTimeout")
    return Reading(witness.answer, "detail")


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ([True], "ok"),
        ([True, True], "ok"),
        ([True, False], "failed"),
        (["nothing", False], "failed"),
        ([None, True], "ok"),
        ([None, None], "failed"),
        ([None, "nothing"], "failed"),
        (["nothing", True], "ok"),
        (["nothing", "nothing"], "unanswered"),
        ([], "unanswered"),
    ],
)
def test_one_contradiction_fails_and_silence_proves_nothing(answers, state):
    assert ask_all(Fact("x", ask), [Says(a) for a in answers]).state == state
