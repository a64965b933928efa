"""What is read of strangers' files: archives, signatures, durations, versions, ladders."""

from __future__ import annotations

import io
import tarfile

import pytest

from chains.canonical import pretty, sha256_hex
from chains.chain_data import chain_facts
from pipeline.bundle import BundleDamaged, place_bundle
from pipeline.manifest.promote_spec import PromoteSpec
from pipeline.promotion.errors import NotACandidate
from pipeline.promotion.ladder import rung_of, skipped
from pipeline.promotion.versions import final_version
from pipeline.release.assets import File, checksums
from pipeline.release.signature import ReleaseMessage, release_signer, signature_file
from pipeline.released.contents import read_contents
from pipeline.released.package import Package, sums


def bundle_files(**more: bytes) -> dict[str, bytes]:
    inner = {"artifacts/A.json": b"{}\n"}
    manifest = {
        "schema": 1, "kind": "contract-ship/bundle", "project": {"name": "a"}, "toolchain": {}, "artifacts": {},
        "programs": {}, "files": {name: sha256_hex(data) for name, data in inner.items()},
    }  # fmt: skip
    return {**inner, "bundle.json": pretty(manifest), **more}


def packed(files: dict[str, bytes], *, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"bundle-x/{name}")
            entry.type, entry.size, entry.linkname = kind, len(data) if kind == tarfile.REGTYPE else 0, "/etc/passwd"
            tar.addfile(entry, io.BytesIO(data) if kind == tarfile.REGTYPE else None)
    return out.getvalue()


def found(tmp_path, name, data):
    package = Package("v1.0.0", "a test", {name: data})
    return [f for f in read_contents(package, tmp_path / "bundles").findings if f.what == name]


def test_a_bundle_is_placed_whole(tmp_path):
    files = bundle_files()
    digest = sha256_hex(files["bundle.json"])
    (finding,) = found(tmp_path, f"bundle-{digest[:12]}.tar", packed(files))
    assert finding.state == "ok"
    assert (tmp_path / "bundles" / digest / "artifacts/A.json").read_bytes() == b"{}\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bundle-000000000000.tar", packed(bundle_files())),
        ("bundle-0.tar", b"not a tar at all"),
        ("bundle-0.tar", packed({})),
        ("bundle-0.tar", packed({"bundle.json": b"[]"})),
        ("bundle-0.tar", packed({"bundle.json": b"\xff\x00{"})),
        ("bundle-0.tar", packed(bundle_files(), kind=tarfile.SYMTYPE)),
        ("bundle-0.tar", packed(bundle_files(), kind=tarfile.CHRTYPE)),
        ("bundle-0.tar", packed({**bundle_files(), "../../escaped": b"x"})),
        ("bundle-0.tar", packed({**bundle_files(), "/escaped": b"x"})),
        ("bundle-0.tar", packed({**bundle_files(), "stowaway.json": b"x"})),
        ("bundle-0.tar", packed({**bundle_files(), "artifacts/A.json": b"[]\n"})),
    ],
)
def test_an_archive_that_is_no_bundle_is_a_finding_and_leaves_nothing(tmp_path, name, data):
    (finding,) = found(tmp_path, name, data)
    assert finding.state == "altered"
    assert not (tmp_path / "escaped").exists()
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "bundle-" not in name] == []


def test_a_good_bundle_that_lies_there_does_not_hide_a_bad_one(tmp_path):
    place_bundle(tmp_path, bundle_files())
    with pytest.raises(BundleDamaged):
        place_bundle(tmp_path, bundle_files(**{"artifacts/A.json": b"[]\n"}))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"kind":"contract-ship/record"}', b'{"kind":[]}']
)
def test_a_file_that_is_no_record_is_never_an_error(tmp_path, data):
    for finding in found(tmp_path, "local.json", data) + found(tmp_path, "local.rollback.json", data):
        assert finding.state == "altered"
    assert found(tmp_path, "journal.jsonl", data) or data == b""


def test_checksums_are_held_both_ways():
    files = {"a.json": b"a", "b.json": b"b"}
    listed = checksums([File(n, d) for n, d in files.items()])

    def states(**changed):
        package = Package("v1.0.0", "a test", {**files, "checksums.txt": listed, **changed})
        return {f.what: f.state for f in sums(package)}

    assert states() == {"checksums.txt": "ok"}
    assert states(**{"a.json": b"c"}) == {"a.json": "altered"}
    assert states(**{"more.json": b"c"}) == {"more.json": "note", "checksums.txt": "ok"}
    package = Package("v1.0.0", "a test", {"a.json": b"a", "checksums.txt": listed})
    assert {f.what: f.state for f in sums(package)} == {"b.json": "missing"}
    assert [f.state for f in sums(Package("v1.0.0", "a test", files))] == ["missing"]


# ---- the release key

SUMS = b"00  a\n"
MESSAGE = ReleaseMessage("acme", "v1.0.0", sha256_hex(SUMS))


def signed(message=MESSAGE, **changed):
    from eth_account import Account

    account = Account.from_key(b"\x07" * 32)
    made = account.unsafe_sign_hash(message.digest())
    signature = made.r.to_bytes(32, "big") + made.s.to_bytes(32, "big") + bytes([made.v])
    return account.address, signature_file(message, changed.get("signer", account.address), signature)


def test_the_digest_is_eip_712s_as_wallets_compute_it():
    from eth_account.messages import _hash_eip191_message, encode_typed_data

    typed = {
        "types": {
            "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}],
            "Release": [
                {"name": "project", "type": "string"},
                {"name": "tag", "type": "string"},
                {"name": "checksums", "type": "bytes32"},
            ],
        },
        "primaryType": "Release",
        "domain": {"name": "contract-ship release", "version": "1"},
        "message": {"project": "acme", "tag": "v1.0.0", "checksums": bytes.fromhex(MESSAGE.checksums)},
    }
    assert _hash_eip191_message(encode_typed_data(full_message=typed)) == MESSAGE.digest()


def test_a_signature_names_its_signer_tag_and_bytes():
    address, data = signed()
    assert release_signer(data, "v1.0.0", SUMS) == address
    for tag, over, words in (("v1.0.1", SUMS, "it is for v1.0.0"), ("v1.0.0", b"other", "another checksums.txt")):
        with pytest.raises(ValueError, match=words):
            release_signer(data, tag, over)
    _, lying = signed(signer="0x" + "11" * 20)
    with pytest.raises(ValueError, match="by the address it names"):
        release_signer(lying, "v1.0.0", SUMS)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, signed()[1].replace(b'"0x', b'"0xzz')]
)
def test_a_file_that_is_no_signature_is_a_value_error(data):
    with pytest.raises(ValueError, match=r"."):
        release_signer(data, "v1.0.0", SUMS)


# ---- versions, durations, ladders


def test_a_candidate_becomes_its_own_version():
    assert final_version("1.2.0-rc.3", None) == final_version("v1.2.0-rc.3", "v1.2.0") == ("v1.2.0-rc.3", "1.2.0")
    for tag, to in (
        ("v1.2.0", None),
        ("v1.2.0-rc3", None),
        ("v1.2.0-rc.3", "1.2.1"),
        ("v01.2.0-rc.3", None),
        ("", None),
    ):
        with pytest.raises(NotACandidate):
            final_version(tag, to)


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("24h", 86_400), ("2d", 172_800), ("1w", 604_800)])
def test_a_length_of_time_is_a_number_and_a_unit(text, seconds):
    assert PromoteSpec.model_validate({"min-age": text}).min_age == seconds


@pytest.mark.parametrize("text", ["", "24", "0h", "-1h", "1.5h", "24 h", "1y", 24, ["24h"]])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        PromoteSpec.model_validate({"min-age": text})


def test_a_rung_follows_from_the_chain_unless_it_is_named():
    spec = PromoteSpec.model_validate({"rungs": {"testnet": ("our-stage",)}})
    assert rung_of(spec, "a", chain_facts("local")) == "local"
    assert rung_of(spec, "a", chain_facts("sepolia")) == "testnet"
    assert rung_of(spec, "a", chain_facts("base")) == "mainnet"
    assert rung_of(spec, "our-stage", chain_facts("base")) == "testnet"
    assert rung_of(spec, "a", None) is None


def test_no_rung_below_is_skipped():
    ladder = ("local", "testnet", "mainnet")
    assert skipped((), {"base": "mainnet"}, {}) == []
    assert skipped(ladder, {"local": "local"}, {}) == []
    assert skipped(ladder, {"base": "mainnet"}, {"a": "local", "b": "testnet"}) == []
    assert [r for r, _ in skipped(ladder, {"base": "mainnet"}, {"a": "local"})] == [
        "base is mainnet, and the candidate is proven on no testnet target"
    ]
    assert len(skipped(ladder, {"base": "mainnet", "sepolia": "testnet"}, {})) == 3
    assert "is not on the ladder" in skipped(ladder, {"odd": "moon"}, {})[0][0]
    assert "of no known kind" in skipped(ladder, {"odd": None}, {})[0][0]
