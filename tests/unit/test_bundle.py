"""A bundle is named by its content, and never read without being held against that name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.canonical import pretty, sha256_hex
from chains.evm.artifacts import Artifact, ByteRange
from chains.evm.sources import SourceAmbiguous, SourceUnknown
from pipeline.artifact_json import artifact_from_json, artifact_to_json
from pipeline.bundle import Bundle, BundleDamaged, BundleMissing, add_programs, load_bundle, write_bundle

STANDARD = b'{"language":"Solidity"}'
ARTIFACT = Artifact(
    source="src/Vault.sol:Vault",
    kind="contract",
    abi=({"type": "constructor", "inputs": []},),
    creation_code=b"\x60\x00" + bytes(40),
    runtime_code=bytes(64),
    creation_links={"src/L.sol:L": (ByteRange(2, 20),)},
    runtime_links={},
    immutables={"7": (ByteRange(0, 32), ByteRange(32, 32))},
    storage_layout={"storage": [], "types": {}},
    compiler="0.8.37+commit.f401782d",
    settings={"optimizer": {"enabled": True, "runs": 200}},
    input_sha256=sha256_hex(STANDARD),
)


def bundle(folder: Path, *artifacts: Artifact, project: str = "acme") -> Bundle:
    pairs = [(artifact, STANDARD) for artifact in artifacts or (ARTIFACT,)]
    return write_bundle(folder, project=project, toolchain={"forge": "1.7.1"}, artifacts=pairs)


ranges = st.builds(ByteRange, st.integers(0, 2**20), st.integers(1, 64))
places = st.dictionaries(st.text(min_size=1), st.lists(ranges, min_size=1).map(tuple), max_size=3)


@given(
    code=st.binary(), runtime=st.binary(), links=places, immutables=places, layout=st.none() | st.just({"storage": []})
)
def test_an_artifact_survives_being_written(
    code: bytes, runtime: bytes, links: dict, immutables: dict, layout: dict | None
) -> None:
    artifact = replace(
        ARTIFACT,
        creation_code=code,
        runtime_code=runtime,
        creation_links=links,
        immutables=immutables,
        storage_layout=layout,
    )
    assert artifact_from_json(json.loads(pretty(artifact_to_json(artifact)))) == artifact


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written = bundle(tmp_path)
    read = load_bundle(tmp_path, written.digest)
    assert read.artifact("src/Vault.sol:Vault") == ARTIFACT
    assert read.artifact("Vault") == ARTIFACT
    assert read.input(ARTIFACT) == STANDARD
    assert read.sources == ("src/Vault.sol:Vault",)


def test_the_digest_is_that_of_the_content_and_not_of_the_order(tmp_path: Path) -> None:
    other = replace(ARTIFACT, source="src/B.sol:B")
    assert bundle(tmp_path / "a", ARTIFACT, other).digest == bundle(tmp_path / "b", other, ARTIFACT).digest
    changed = replace(ARTIFACT, creation_code=b"\x61" + ARTIFACT.creation_code[1:])
    assert bundle(tmp_path, changed).digest != bundle(tmp_path).digest


def test_writing_again_changes_nothing_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    first = bundle(tmp_path)
    before = (first.folder / "bundle.json").stat().st_mtime_ns
    second = bundle(tmp_path)
    assert (second.folder / "bundle.json").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == [first.digest]


def test_a_damaged_bundle_is_replaced_by_building_again(tmp_path: Path) -> None:
    first = bundle(tmp_path)
    (first.folder / "bundle.json").write_text("{}")
    assert bundle(tmp_path).digest == first.digest


def test_contracts_of_one_name_keep_files_of_their_own(tmp_path: Path) -> None:
    twin = replace(ARTIFACT, source="src/other/Vault.sol:Vault")
    both = bundle(tmp_path, ARTIFACT, twin)
    assert both.artifact(twin.source) == twin
    assert both.artifact(ARTIFACT.source) == ARTIFACT
    with pytest.raises(SourceAmbiguous, match=r"src/Vault\.sol:Vault, src/other/Vault\.sol:Vault"):
        both.artifact("Vault")


def test_an_unknown_contract_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SourceUnknown) as caught:
        bundle(tmp_path).artifact("Valt")
    assert caught.value.remedy == "Did you mean src/Vault.sol:Vault?"


def test_a_missing_proxy_says_what_to_import(tmp_path: Path) -> None:
    with pytest.raises(SourceUnknown) as caught:
        bundle(tmp_path).artifact("ERC1967Proxy")
    assert 'import {ERC1967Proxy} from "@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol";' in caught.value.remedy


def test_a_byte_changed_after_loading_is_noticed_when_it_is_used(tmp_path: Path) -> None:
    loaded = bundle(tmp_path)
    path = next((loaded.folder / "artifacts").iterdir())
    path.write_bytes(path.read_bytes().replace(b"0x6000", b"0x6001"))
    with pytest.raises(BundleDamaged, match=path.name):
        load_bundle(tmp_path, loaded.digest).artifact("Vault")
    with pytest.raises(BundleDamaged, match=path.name):
        Bundle(loaded.folder, loaded.digest, loaded.manifest).artifact("Vault")


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    loaded = bundle(tmp_path)
    path = next((loaded.folder / "inputs").iterdir())
    path.unlink()
    with pytest.raises(BundleDamaged, match=path.name):
        load_bundle(tmp_path, loaded.digest)


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc", "", "g" * 64])
def test_a_digest_without_a_bundle_is_refused(tmp_path: Path, digest: str) -> None:
    with pytest.raises(BundleMissing):
        load_bundle(tmp_path, digest)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "inputs/../../x"])
def test_a_bundle_that_names_files_outside_itself_is_refused(tmp_path: Path, name: str) -> None:
    manifest = pretty({**bundle(tmp_path).manifest, "files": {name: "0" * 64}})
    home = tmp_path / sha256_hex(manifest)
    home.mkdir()
    (home / "bundle.json").write_bytes(manifest)
    with pytest.raises(BundleDamaged, match="outside"):
        load_bundle(tmp_path, sha256_hex(manifest))


def test_programs_stand_beside_the_contracts(tmp_path: Path) -> None:
    files = {"so": b"\x7fELF", "idl.json": b"{}"}
    contracts = bundle(tmp_path)
    both = add_programs(tmp_path, contracts, project="acme", built_by="prebuilt", programs={"counter": files})
    assert both.programs == ("counter",)
    assert both.program("counter", "so") == b"\x7fELF"
    assert both.program("counter", "security.json") is None
    assert both.artifact(ARTIFACT.source) == contracts.artifact(ARTIFACT.source)
    assert both.manifest["compiled"] == contracts.digest
    again = add_programs(tmp_path, contracts, project="acme", built_by="prebuilt", programs={"counter": files})
    assert again.digest == both.digest
    other = {**files, "so": b"\x7fELF\0"}
    assert add_programs(tmp_path, contracts, project="acme", built_by="prebuilt", programs={"counter": other}) != both


def test_programs_need_no_contracts(tmp_path: Path) -> None:
    alone = add_programs(tmp_path, None, project="acme", built_by="prebuilt", programs={"counter": {"so": b"\x7fELF"}})
    assert alone.sources == ()
    assert alone.program("counter", "so") == b"\x7fELF"
