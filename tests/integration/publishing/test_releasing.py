"""A release publishes the sources of everything it made; whatever explorers say, it is final and recorded."""

from __future__ import annotations

import json
from typing import Any

from tests.support.explorers.etherscan import KEY
from tests.support.explorers.faults import redirect
from tests.support.publishing import CHILD


def deploy(site: Any, exit_code: int = 0) -> dict[str, Any]:
    return dict(site.work.document("deploy", "--chain", "main", "--yes", exit_code=exit_code))


def by_address(shown: list[dict[str, Any]], service: str) -> dict[str, str]:
    return {s["address"]: s["verdict"] for s in shown if s["service"] == service and s["what"] == "source"}


def test_a_factorys_child_is_shown_and_a_linked_library_is_partial_where_it_has_to_be_named(site: Any) -> None:
    document = deploy(site)
    record = json.loads((site.work.root / document["record"]).read_text())
    shown = record["sources"]
    children = [s for s in shown if s["of"] == CHILD]
    assert {s["service"]: s["verdict"] for s in children} == dict.fromkeys(site.explorers.services, "exact")
    linked = {s["service"]: s["verdict"] for s in shown if s["address"] == record["units"]["Linked"]["address"]}
    # An input that names a library has other metadata than the code it was linked into afterwards.
    assert linked == {"etherscan": "partial", "blockscout": "partial", "sourcify": "exact"}
    assert set(by_address(shown, "sourcify").values()) == {"exact"}
    assert len(by_address(shown, "etherscan")) == 7
    site.work.ship("record", "verify")
    assert site.work.holds_nowhere(KEY)

    before = {name: len(server.desk.jobs) for name, server in _servers(site).items()}
    again = site.work.document("verify", "--chain", "main")
    assert {s["verdict"] for s in again["services"]} == {"already", "partial"}
    assert {name: len(server.desk.jobs) for name, server in _servers(site).items()} == before
    assert site.explorers.etherscan_server.desk.twice == []


def _servers(site: Any) -> dict[str, Any]:
    found = site.explorers
    return {
        "etherscan": found.etherscan_server,
        "sourcify": found.sourcify_server,
    }


def test_a_redirect_is_not_followed_and_the_key_goes_nowhere(site: Any) -> None:
    site.names("etherscan", wait_s=5)
    site.explorers.etherscan.faults.add(redirect(f"{site.explorers.sourcify.url}/stolen", times=None))
    document = deploy(site)
    record = json.loads((site.work.root / document["record"]).read_text())
    assert {s["verdict"] for s in record["sources"]} == {"unknown"}
    assert "redirect" in record["sources"][0]["reason"]
    assert site.explorers.sourcify.asked == []
    assert site.work.holds_nowhere(KEY)
