"""Every single call of a release spoilt in turn, then the same command again (faults 44 to 47): one tag, one release, each
asset once with the right digest, and never anything half in public."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from chains.errors import ShipError
from pipeline.release.assets import parse_checksums
from tests.integration.release.conftest import git
from tests.support.github.fake import fake_github
from tests.support.github.lossy import FAULTS, lossy


def whole(github, id_):
    """Whether a release has every file, each once, with the digest checksums.txt gives it."""
    files = github.files(id_)
    stated = parse_checksums(files.get("checksums.txt", b""))
    return len(files) == 8 and stated == {
        name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != "checksums.txt"
    }


def exit_code(project):
    try:
        project.release()
    except ShipError as error:
        return error.exit_code
    return 0


def emptied(github, bare):
    for kept in (github.releases, github.assets, github.deployments, github.statuses):
        kept.clear()
    github.writes.clear()
    subprocess.run(["git", "-C", str(bare), "update-ref", "-d", "refs/tags/v1.0.0"], check=True)


ALWAYS = {"lost reply", "502 after"}
"""The others with ``scripts/soak``."""


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=[] if fault in ALWAYS else [pytest.mark.soak]) for fault in FAULTS]
)
def test_any_call_spoilt_and_the_command_run_again_gives_one_whole_release(project, monkeypatch, fault):
    with fake_github(project.bare) as github, lossy(github.url) as proxy:
        monkeypatch.setenv("GITHUB_API_URL", proxy.url)
        proxy.calm()
        project.release()
        calls = len(proxy.calls)
        assert calls > 30
        stopped = 0
        for number in range(calls):
            emptied(github, project.bare)
            proxy.arm(fault, number)
            code = exit_code(project)
            assert code in {0, 3}, f"call {number}, {proxy.calls[number]}"
            stopped += code == 3
            assert len(proxy.calls) > number, "the fault never struck"
            for id_, release in github.releases.items():
                assert release["draft"] or whole(github, id_), f"published half after call {number}"
            proxy.calm()
            assert project.release().state in {"published", "already"}
            (id_,) = github.releases
            assert not github.releases[id_]["draft"]
            assert whole(github, id_), f"call {number}"
            assert git(project.bare, "rev-parse", "v1.0.0^{commit}") == project.head
            assert len(github.deployments) == 1
            assert [s["state"] for s in github.statuses[next(iter(github.deployments))]] == ["success"]
        assert stopped > 0 or fault in {"lost reply", "502 after", "truncated reply"}
