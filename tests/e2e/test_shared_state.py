"""Shared state through the whole command: another machine finishes what was killed, and one run at a time works."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from tests.support.anvil import KEY, Anvil, anvil
from tests.support.s3 import S3Box, s3_box

pytestmark = pytest.mark.e2e

CHAIN = ("--chain", "shared")


@pytest.fixture(scope="module")
def _service() -> Iterator[S3Box]:
    with s3_box() as box:
        yield box


@pytest.fixture
def box(_service: S3Box, monkeypatch: pytest.MonkeyPatch) -> S3Box:
    for name, value in _service.service.environment.items():
        if name != "AWS_ENDPOINT_URL":
            monkeypatch.setenv(name, value)
    _service.proxy.on_put = None
    _service.proxy.faults.clear()
    return _service


@pytest.fixture
def node() -> Iterator[Anvil]:
    with anvil() as running:
        yield running


@pytest.fixture
def bucket(box: S3Box) -> str:
    return box.bucket()


@pytest.fixture
def first(project: Callable[[str], Any], box: S3Box, bucket: str, node: Anvil) -> Any:
    """The counter project with a target on shared state; one transaction at a time, so that there is a half way."""
    ship = project("counter")
    (ship.root / "key.json").write_text(
        json.dumps(create_keyfile_json(KEY, b"password", kdf="pbkdf2", iterations=1000))
    )
    (ship.root / "password").write_text("password\n")
    (ship.root / "password").chmod(0o600)
    (ship.root / "manifests" / "shared.toml").write_text(
        'schema = 1\nchain = { name = "test", id = 31337, block-time-ms = 200 }\n'
        f'[rpc]\nendpoints = ["{node.url}"]\n'
        '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
        "[policy]\nfinality = 1\nwait-s = 60\nwindow = 1\n"
    )
    with (ship.root / "ship.toml").open("a") as file:
        file.write(box.table(bucket))
    return ship


def _fresh(ship: Any, where: Path) -> Any:
    """Another machine: the sources, and nothing that a run left."""
    left = shutil.ignore_patterns(".ship", "out", "cache", "deployments", "releases")
    shutil.copytree(ship.root, where, ignore=left)
    return type(ship)(where)


def _deploy(ship: Any, exit_code: int = 0) -> dict[str, Any]:
    done = ship("deploy", *CHAIN, "--yes", "--json", exit_code=exit_code)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _rows(box: S3Box, bucket: str) -> list[dict[str, Any]]:
    keys = sorted(key for key in box.keys(bucket) if "/segments/" in key)
    lines = [json.loads(line) for key in keys for line in box.text(bucket, key).splitlines()]
    return [line for line in lines if line["kind"] != "contract-ship/segment"]


@pytest.mark.parametrize(("kind", "count"), [("tx.signed", 2), pytest.param("tx.mined", 1, marks=pytest.mark.soak)])
def test_a_fresh_clone_finishes_what_was_killed_half_way(
    first: Any, box: S3Box, bucket: str, node: Anvil, tmp_path: Path, kind: str, count: int
) -> None:
    before = node.nonce()
    process = first.start("deploy", *CHAIN, "--yes", "--json")
    seen: list[str] = []

    def kill(path: str, body: bytes) -> None:
        if f'"kind":"{kind}"'.encode() in body:
            seen.append(path)
            if len(seen) == count:
                process.kill()
                process.wait()

    box.proxy.on_put = kill
    process.communicate(timeout=300)
    assert process.returncode == -9
    box.proxy.on_put = None

    second = _fresh(first, tmp_path / "second")
    document = _deploy(second)
    assert document["outcome"] == "done"
    assert 0 < document["sent"] < 5
    rows = _rows(box, bucket)
    final = Counter(row["data"]["action"] for row in rows if row["kind"] == "tx.final")
    assert set(final.values()) == {1}
    assert node.nonce() - before == len(final)
    assert len({row["data"]["plan"] for row in rows if row["kind"] == "plan.accepted"}) == 1
    record = next(second.root.glob("releases/*/shared.json")).read_bytes()

    # The machine that was killed, back again: nothing to send, and the same files.
    assert _deploy(first)["sent"] == 0
    assert next(first.root.glob("releases/*/shared.json")).read_bytes() == record
    assert (first.root / "deployments/shared/journal.jsonl").read_bytes() == (
        second.root / "deployments/shared/journal.jsonl"
    ).read_bytes()
    assert "WRONG" not in second("state", "fsck", *CHAIN).stdout


def test_a_bucket_that_is_down_stops_before_anything_is_signed(first: Any, node: Anvil) -> None:
    first.edit("ship.toml", 'endpoint = "http://127.0.0.1', 'endpoint = "http://127.0.0.2')
    before = node.nonce()
    document = _deploy(first, exit_code=3)
    assert document["error"]["code"] == "SHIP-J10"
    assert node.nonce() == before
    assert not list(first.root.glob("deployments/shared/plans/*"))


def test_lock_unlock_push_pull_and_fsck(first: Any, box: S3Box, bucket: str, tmp_path: Path) -> None:
    table = box.table(bucket)
    whole = (first.root / "ship.toml").read_text()
    (first.root / "ship.toml").write_text(whole.replace(table, ""))
    assert _deploy(first)["outcome"] == "done"  # while its state was local
    (first.root / "ship.toml").write_text(whole)
    assert _deploy(first, exit_code=2)["error"]["code"] == "SHIP-J13"
    assert "rows are not in the bucket" in first("state", "fsck", *CHAIN, exit_code=2).stdout
    assert "rows put into the bucket" in first("state", "push", *CHAIN).stdout
    assert _deploy(first)["sent"] == 0

    first("state", "lock", *CHAIN, "--reason", "an audit")
    second = _fresh(first, tmp_path / "second")
    held = _deploy(second, exit_code=2)["error"]
    assert held["code"] == "SHIP-L20"
    assert "an audit" in held["cause"]
    first("state", "unlock", *CHAIN)
    assert "nobody holds" in second("state", "unlock", *CHAIN, "--force", exit_code=2).stderr

    second("state", "pull", *CHAIN)
    assert "done" not in second("state", "fsck", *CHAIN).stdout
    assert _deploy(second)["sent"] == 0  # with the bundle of the first
    journal = second.root / "deployments/shared/journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    second("state", "pull", *CHAIN)
    assert journal.read_bytes() == b"".join(lines)

    (first.root / ".ship/state/shared.json").unlink()
    objects = [key for key in box.keys(bucket) if "/objects/" in key]
    box.service.s3.put_object(Bucket=bucket, Key=objects[0], Body=b"changed")
    assert "missing or changed" in second("state", "fsck", *CHAIN, exit_code=2).stdout


def test_a_target_without_shared_state_has_none_to_pull(project: Callable[[str], Any]) -> None:
    assert "SHIP-J16" in project("counter")("state", "pull", exit_code=2).stderr
