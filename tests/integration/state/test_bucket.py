"""The service does what shared state rests on, and a lost request or reply changes nothing."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.state.shared.errors import SharedStateRefused, SharedStateUnreachable
from tests.support.s3 import Clone, Fault, S3Box, clone


@pytest.fixture(scope="module")
def _kept(_service: S3Box, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return clone(tmp_path_factory.mktemp("kept") / "here", _service.table(_service.bucket()))


@pytest.fixture
def here(box: S3Box, _kept: Clone) -> Clone:
    """An empty bucket; its client is made once, for that takes a second."""
    name = _kept.project.spec.state.bucket or ""
    for key in box.keys(name):
        box.service.s3.delete_object(Bucket=name, Key=key)
    return _kept


def _side_by_side(count: int, work: Callable[[int], None]) -> None:
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_creating_one_object_at_once_one_does(here: Clone) -> None:
    for key in ("a", "b", "c"):
        tags: list[str | None] = []

        def create(number: int, key: str = key, tags: list[str | None] = tags) -> None:
            tags.append(here.bucket.create(key, b"by %d" % number))

        _side_by_side(12, create)
        assert Counter(tag is None for tag in tags) == {True: 11, False: 1}


def test_of_many_writing_over_one_object_at_once_one_does(here: Clone) -> None:
    first = here.bucket.create("k", b"first")
    assert first is not None
    tags: list[str | None] = []
    _side_by_side(12, lambda n: tags.append(here.bucket.replace("k", b"by %d" % n, first)))
    assert Counter(tag is None for tag in tags) == {True: 11, False: 1}


def test_55_a_stale_tag_loses(here: Clone) -> None:
    stale = here.bucket.create("k", b"first")
    assert stale is not None
    assert here.bucket.replace("k", b"second", stale) is not None
    assert here.bucket.replace("k", b"third", stale) is None
    found = here.bucket.get("k")
    assert found is not None
    assert found.data == b"second"


def test_a_tag_of_what_was_never_there_loses(here: Clone) -> None:
    assert here.bucket.replace("nothing", b"x", '"0123456789abcdef0123456789abcdef"') is None


@pytest.mark.parametrize("kind", ["before", "after", 500, 503])
def test_a_lost_request_or_reply_of_each_call_is_settled(box: S3Box, here: Clone, kind: str | int) -> None:
    box.proxy.faults = [Fault(method, "/p/", kind, times=2) for method in ("PUT", "GET")]
    bucket = here.bucket
    tag = bucket.create("k", b"one")
    assert tag is not None, "ours, whichever of the attempts made it"
    box.proxy.faults = [Fault("PUT", "/p/k", kind, times=2)]
    assert bucket.replace("k", b"two", tag) is not None
    box.proxy.faults = [Fault("GET", "prefix=p", kind, times=2)]
    assert bucket.list_after("") == ["k"]
    assert [fault.fired for fault in box.proxy.faults] == [2]


def test_a_lost_reply_hides_nobody_else_s_write(box: S3Box, here: Clone) -> None:
    assert here.bucket.create("k", b"another's") is not None
    box.proxy.faults = [Fault("PUT", "/p/k", "after")]
    assert here.bucket.create("k", b"ours") is None


def test_pages_of_a_listing_are_all_read(box: S3Box, here: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = here.bucket
    for number in range(5):
        bucket.keep(f"many/{number}", b"%d" % number)
    client = bucket._client()
    monkeypatch.setattr(
        client, "list_objects_v2", lambda _real=client.list_objects_v2, **more: _real(MaxKeys=2, **more)
    )
    assert bucket.list_after("many/") == [f"many/{n}" for n in range(5)]
    assert bucket.list_after("many/", "1") == ["many/2", "many/3", "many/4"]


def test_a_service_that_is_down_is_given_up_in_time_and_can_be_come_back_to(tmp_path: Path, box: S3Box) -> None:
    down = clone(tmp_path / "down", '[state]\nbackend = "s3"\nbucket = "any"\nendpoint = "http://127.0.0.1:1"\n')
    started_s = time.monotonic()
    with pytest.raises(SharedStateUnreachable) as caught:
        down.bucket.get("k")
    assert caught.value.exit_code == 3
    assert time.monotonic() - started_s < 40


@pytest.mark.parametrize("status", [403, 501])
def test_what_the_service_will_never_do_is_refused(box: S3Box, here: Clone, status: int) -> None:
    box.proxy.faults = [Fault("PUT", "/p/k", status, times=9)]
    expected = SharedStateRefused if status == 403 else SharedStateUnreachable
    with pytest.raises(expected):
        here.bucket.create("k", b"x")


def test_a_bucket_that_is_not_there_is_named(box: S3Box, tmp_path: Path) -> None:
    with pytest.raises(SharedStateRefused, match="NoSuchBucket") as caught:
        clone(tmp_path / "none", box.table("no-such-bucket")).bucket.create("k", b"x")
    assert caught.value.exit_code == 2


def test_encryption_is_asked_for_with_every_object(box: S3Box, tmp_path: Path) -> None:
    name = box.bucket()
    clone(tmp_path / "sealed", box.table(name, 'sse = "AES256"\n')).bucket.create("k", b"x")
    assert box.service.s3.head_object(Bucket=name, Key="p/k")["ServerSideEncryption"] == "AES256"


def test_no_credentials_is_a_refusal(box: S3Box, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    stranger = clone(tmp_path / "stranger", box.table(box.bucket(), 'region = "eu-west-1"\n'))  # a client of its own
    with pytest.raises(SharedStateRefused, match="no credentials"):
        stranger.bucket.get("k")


@pytest.mark.parametrize("endpoint", ["http://10.0.0.7:9000", "https://169.254.169.254"])
def test_an_endpoint_in_the_clear_or_at_a_metadata_service_is_refused(tmp_path: Path, endpoint: str) -> None:
    there = clone(tmp_path / "there", f'[state]\nbackend = "s3"\nbucket = "any"\nendpoint = "{endpoint}"\n')
    with pytest.raises(SharedStateRefused, match="endpoint"):
        there.bucket.get("k")
