"""Layouts of metadata, legacy IDLs and build records: whatever bytes come, they are read as what they are or refused."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import zlib
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from chains.solana.layouts import Account, elf_sha256
from chains.solana.legacy_idl.layout import IdlUnreadable, parse_idl
from chains.solana.metadata import layout
from chains.solana.metadata.layout import (
    Form,
    MetadataUnreadable,
    SeedRefused,
    parse_buffer,
    parse_metadata,
    seed_bytes,
)
from chains.solana.metadata.packing import DocumentRefused, inflate, pack, unpack
from chains.solana.verified.layout import PROGRAM as OTTER
from chains.solana.verified.layout import Build, BuildRefused, BuildUnreadable, build_hash, initialize, parse_record
from tests.support.missing import missing

ROOT = Path(__file__).parents[2]
KEY = st.binary(min_size=32, max_size=32)
FORMS = st.builds(Form, st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.integers(0, 2))
PROGRAM = Pubkey.new_unique()


def account(data: bytes, owner: Pubkey = layout.PROGRAM) -> Account:
    return Account(1, str(owner), data, executable=False, slot=1)


@given(KEY, KEY, st.booleans(), st.booleans(), FORMS, st.binary(max_size=60), st.binary(max_size=9))
def test_metadata_reads_back(
    key: bytes, held: bytes, mutable: bool, canonical: bool, form: Form, data: bytes, room: bytes
) -> None:
    head = b"\2" + key + held + bytes((mutable, canonical)) + seed_bytes("idl") + form.bytes
    found = parse_metadata(account(head + struct.pack("<I5x", len(data)) + data + room))
    assert (bytes(found.program), found.mutable, found.canonical, found.form, found.data) == (
        key,
        mutable,
        canonical,
        form,
        data,
    )
    assert found.authority == (Pubkey.from_bytes(held) if any(held) else None)


@given(st.binary(max_size=140), st.sampled_from([b"", b"\1", b"\2"]))
def test_anything_else_is_refused_and_never_misread(noise: bytes, kind: bytes) -> None:
    data = kind + noise
    for parse in (parse_metadata, parse_buffer):
        try:
            found = parse(account(data))
        except MetadataUnreadable:
            continue
        assert len(data) >= layout.HEAD
        assert data[0] == (2 if parse is parse_metadata else 1)
        assert data[layout.HEAD :].startswith(found.data)
    with pytest.raises(MetadataUnreadable):
        parse_metadata(account(data, Pubkey.default()))


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=40), max_size=20))
def test_documents_come_back_as_they_were(value: dict[str, str]) -> None:
    document = json.dumps(value, ensure_ascii=False).encode()
    packed = pack(document)
    kept = layout.Metadata(PROGRAM, None, True, True, seed_bytes("idl"), packed.form, packed.data)
    assert unpack(kept) == document
    assert len(packed.data) <= len(document)


@given(st.binary(max_size=300))
def test_damaged_streams_are_refused(noise: bytes) -> None:
    whole = zlib.compress(noise)
    assert inflate(whole, 300) == noise
    for bad in (whole[:-1], whole + b"\0", whole[:-1] + bytes([whole[-1] ^ 1])):
        with pytest.raises(MetadataUnreadable):
            inflate(bad, 300)
    if noise:
        with pytest.raises(MetadataUnreadable):
            inflate(whole, len(noise) - 1)


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"not json", b"\xff", b"{" * 10_000, b'{"a":"' + b"x" * 2**22 + b'"}']
)
def test_what_is_no_document_is_refused(document: bytes) -> None:
    with pytest.raises(DocumentRefused):
        pack(document)


@pytest.mark.parametrize("seed", ["", "x" * 17, "ü" * 9])
def test_seeds_have_one_to_sixteen_bytes(seed: str) -> None:
    with pytest.raises(SeedRefused):
        seed_bytes(seed)


@given(st.binary(max_size=120), st.booleans())
def test_legacy_idls_are_refused_or_read_whole(noise: bytes, tagged: bool) -> None:
    data = (bytes((24, 70, 98, 191, 58, 144, 123, 158)) if tagged else b"") + noise
    try:
        found = parse_idl(account(data, PROGRAM), PROGRAM)
    except IdlUnreadable:
        return
    assert len(found.data) <= found.capacity == len(data) - 44


TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=30)


@given(TEXT, st.lists(TEXT, max_size=5), TEXT, st.integers(0, 2**64 - 1))
def test_build_records_read_back(path: str, args: list[str], version: str, slot: int) -> None:
    build = Build(f"https://example.org/{path}", "ab" * 20, tuple(args), version)
    signer = Pubkey.new_unique()
    params = bytes(initialize(PROGRAM, signer, build, slot).data)[8:]
    data = bytes.fromhex(BUILD_PARAMS) + bytes(PROGRAM) + bytes(signer) + params + b"\xff"
    found = parse_record(account(data, OTTER))
    assert (found.program, found.signer, found.slot) == (PROGRAM, signer, slot)
    assert found.says(build)
    for cut in (7, 71, len(data) - 2):
        with pytest.raises(BuildUnreadable):
            parse_record(account(data[:cut], OTTER))
    with pytest.raises(BuildUnreadable):
        parse_record(account(data + b"\1", OTTER))


BUILD_PARAMS = sha256(b"account:BuildParams").hexdigest()[:16]


@pytest.mark.parametrize(
    ("url", "commit", "args"),
    [
        ("git@github.com:a/b", "ab" * 20, ()),
        ("https://token@github.com/a/b", "ab" * 20, ()),
        ("https://github.com/a/b", "main", ()),
        ("https://github.com/a/b", "AB" * 20, ()),
        ("https://github.com/a/b", "ab" * 20, ("x" * 800,)),
    ],
)
def test_builds_that_nobody_could_repeat_are_refused(url: str, commit: str, args: tuple[str, ...]) -> None:
    with pytest.raises(BuildRefused):
        Build(url, commit, args)


def test_the_hash_of_a_build_is_without_the_zeros_behind_it() -> None:
    assert build_hash is elf_sha256
    assert build_hash(b"\x7fELF\1\0\0") == build_hash(b"\x7fELF\1") != build_hash(b"\x7fELF\1\0\2")


def test_the_fakes_sources_give_the_committed_bytes(tmp_path: Path) -> None:
    if shutil.which("clang-19") is None:
        missing("clang-19 is missing: apt-get install clang-19")
    subprocess.run([ROOT / "scripts/solana/build-fakes", tmp_path], check=True, capture_output=True, timeout=120)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert len(names) == 3
    for name in names:
        assert (tmp_path / name).read_bytes() == (ROOT / "tests/support/solana" / name).read_bytes(), name
