"""``verify-release`` on contracts of every kind: libraries, immutables, CREATE2, CreateX, and what contracts created."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.bundle import load_bundle
from pipeline.manifest.project import load_project
from pipeline.manifest.target import load_target
from pipeline.promotion.finding import Fetching
from pipeline.records.endpoints import target_urls
from pipeline.released.chain import _runtime_alone
from pipeline.ui.plain import PlainUi
from tests.integration.commands.conftest import run_ship
from tests.integration.release.conftest import Lines, Quick, git

KITCHEN_SINK = Path(__file__).parents[2] / "projects" / "kitchen-sink"
PROJECT = """schema = 1
[project]
name = "kinds"
version = "1.0.0-rc.1"
[contracts.Sum]
source = "src/Libraries.sol:Sum"
[contracts.Mean]
source = "src/Libraries.sol:Mean"
libraries = { "src/Libraries.sol:Sum" = "${contracts.Sum}" }
[contracts.Both]
source = "src/Libraries.sol:UsesBoth"
args = [[2, 4]]
libraries = { "src/Libraries.sol:Sum" = "${contracts.Sum}", "src/Libraries.sol:Mean" = "${contracts.Mean}" }
[contracts.Chosen]
source = "src/Link.sol:Link"
args = ["0x0000000000000000000000000000000000000001"]
create2 = "kinds"
[contracts.Same]
source = "src/Link.sol:Link"
args = ["${contracts.Chosen}"]
create3 = "kinds.same"
[contracts.Factory]
source = "src/Factory.sol:Factory"
[scripts.Nested]
source = "script/Nested.s.sol:Nested"
"""
SCRIPT = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;
import {Sum} from "../src/Libraries.sol";
import {Factory} from "../src/Factory.sol";
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}
contract Nested {
    function run() external {
        Vm vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
        vm.startBroadcast();
        Factory factory = new Factory();
        factory.make();
        vm.stopBroadcast();
    }
}
"""
TAG = "v1.0.0-rc.1"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The project, live on its embedded chain, and a folder with what would be published."""
    home = tmp_path_factory.mktemp("kinds")
    root, folder = home / "project", home / "release"
    shutil.copytree(KITCHEN_SINK, root)
    (root / "ship.toml").write_text(PROJECT)
    (root / "script").mkdir()
    (root / "script/Nested.s.sol").write_text(SCRIPT)
    (root / ".gitignore").write_text("/.ship/\n/out/\n/cache/\n/broadcast/\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "Kinds")
    done = run_ship("deploy", "--chain", "local", "--json", "-C", str(root))
    assert done.exit_code == 0, done.output
    package = Fetching(load_project(root), TAG, None, PlainUi(Lines()), Quick()).run()  # type: ignore[arg-type]
    folder.mkdir()
    for name, data in package.files.items():
        (folder / name).write_bytes(data)
    return root, folder


def test_every_contract_is_proven_by_its_bytes(release: tuple[Path, Path]) -> None:
    root, folder = release
    project = load_project(root)
    with target_urls(project, load_target(project, "local"), "a test") as (url,):
        result = run_ship("verify-release", TAG, "--from", str(folder), "--rpc", f"local={url}", "--json")
    assert result.exit_code == 0, result.output
    (record,) = json.loads(result.stdout)["records"]
    proofs = {f["what"]: f["detail"] for f in record["findings"] if f["what"].startswith("bytes ")}
    assert {"bytes Sum", "bytes Mean", "bytes Both", "bytes Chosen", "bytes Same", "bytes Factory"} <= set(proofs)
    for name in ("Sum", "Mean", "Both", "Chosen", "Factory"):
        assert "creation match, re-execution match" in proofs[f"bytes {name}"], proofs
    assert "creation match" in proofs["bytes Same"]
    assert len([what for what in proofs if "Nested" in what]) >= 1
    assert all(f["state"] == "ok" for f in record["findings"] if f["what"].startswith("bytes ")), proofs


def test_a_library_at_an_address_of_no_record_is_contradicted(release: tuple[Path, Path]) -> None:
    root, folder = release
    record = json.loads((folder / "local.json").read_bytes())
    bundle = load_bundle(root / ".ship/bundles", record["bundle"])
    artifact = bundle.artifact("src/Libraries.sol:UsesBoth")
    proof = next(p for p in record["proofs"] if p["source"] == artifact.source)
    code = bytearray(artifact.runtime_code)
    for places in artifact.runtime_links.values():
        for place in places:
            code[place.start : place.stop] = b"\x11" * (place.stop - place.start)
    found = _runtime_alone(record, artifact, proof, bytes(code))
    assert found.state == "failed"
    assert "at addresses of no record" in found.detail
