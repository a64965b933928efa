"""``ship status``: what is live where, what differs, what drifted."""

from __future__ import annotations

import json


def status(release, *arguments):
    result = release.ship("status", "--json", *arguments)
    return json.loads(result.stdout), result.exit_code


def units(document):
    return {unit["name"]: unit for unit in document["targets"][0]["units"]}


def test_a_released_project_is_live_and_the_same(released):
    document, code = status(released)
    assert code == 0
    assert document["drifted"] is False
    found = units(document)
    assert {u["comparison"] for u in found.values()} == {"same"}
    assert {u["version"] for u in found.values()} == {"1.0.0"}
    assert found["Counter"]["record"] == "releases/v1.0.0/local.json"
    assert found["Counter"]["implementation"] != found["Counter"]["address"]
