"""What a build promises, with real compilers."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chains.errors import Refused
from chains.evm.artifacts import link
from chains.evm.forge_config import ProjectUnreadable
from chains.evm.foundry import BuildFailed, CompilerMissing
from chains.evm.sources import SourceAmbiguous, SourceNotDeployable, SourceUnknown
from chains.tools import compiler_store
from pipeline.building import Built
from pipeline.bundle import load_bundle
from tests.support.missing import missing

Project = Callable[..., Path]
MakeBundle = Callable[..., Built]

HEAD = "// SPDX-License-Identifier: MIT\n"
LIBRARY = (
    HEAD
    + """pragma solidity ^0.8.0;
library Sum { function sum(uint256 a, uint256 b) external pure returns (uint256) { return a + b; } }
contract Uses { function f() external pure returns (uint256) { return Sum.sum(1, 2); } }
"""
)
TWO_COMPILERS = {
    "src/Old.sol": HEAD
    + "pragma solidity =0.6.6;\ncontract Old { function f() external pure returns (uint) { return 1; } }\n",
    "src/New.sol": HEAD
    + "pragma solidity =0.8.37;\ncontract New { function f() external pure returns (uint) { return 2; } }\n",
}
TWO_SETTINGS = '[profile.default]\nevm_version = "istanbul"\noptimizer = true\noptimizer_runs = 777\n'


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_two_builds_in_two_folders_give_the_same_bundle_byte_for_byte(
    project: Project, make_bundle: MakeBundle
) -> None:
    first = make_bundle(project(name="one"))
    second = make_bundle(project(name="somewhere/else"))
    assert first.bundle.digest == second.bundle.digest
    assert everything(first.bundle.folder) == everything(second.bundle.folder)


def test_nothing_of_the_machine_is_in_a_bundle(project: Project, make_bundle: MakeBundle, tmp_path: Path) -> None:
    files = everything(make_bundle(project()).bundle.folder)
    assert not [name for name, data in files.items() if str(tmp_path).encode() in data or b"/home/" in data]


def test_the_developers_own_output_is_left_alone(project: Project, make_bundle: MakeBundle) -> None:
    root = project()
    make_bundle(root)
    assert sorted(path.name for path in root.iterdir()) == [".ship", "foundry.toml", "src", "test"]


def test_a_project_whose_tests_read_out_gets_its_build_there(project: Project, make_bundle: MakeBundle) -> None:
    root = project(foundry='[profile.default]\nsolc = "0.8.37"\nfs_permissions = [{access = "read", path = "./out"}]\n')
    make_bundle(root)
    assert (root / "out" / "Counter.sol" / "Counter.json").is_file()


def test_a_second_build_finds_the_first_and_compiles_nothing(project: Project, make_bundle: MakeBundle) -> None:
    root = project()
    first = make_bundle(root)
    began_s = time.monotonic()
    second = make_bundle(root)
    assert (first.fresh, second.fresh) == (True, False)
    assert second.bundle.digest == first.bundle.digest
    assert time.monotonic() - began_s < 0.5  # compiling takes longer than that


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda root: _append(root / "src/Counter.sol", "// more\n"), id="a source"),
        pytest.param(
            lambda root: _append(root / "foundry.toml", "optimizer = true\noptimizer_runs = 3\n"), id="a setting"
        ),
        pytest.param(
            lambda root: (root / "src/B.sol").write_text(HEAD + "pragma solidity ^0.8.0; contract B {}"),
            id="a new source",
        ),
        pytest.param(lambda root: next((root / ".ship/bundles").glob("*/bundle.json")).unlink(), id="a lost bundle"),
        pytest.param(
            lambda root: _append(next((root / ".ship/bundles").glob("*/inputs/*.json")), " "), id="a damaged bundle"
        ),
    ],
)
def test_a_change_is_built_again(project: Project, make_bundle: MakeBundle, change: Callable[[Path], object]) -> None:
    root = project()
    make_bundle(root)
    change(root)
    again = make_bundle(root)
    assert again.fresh
    assert load_bundle(again.bundle.folder.parent, again.bundle.digest)


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_a_change_of_an_imported_dependency_is_built_again(project: Project, make_bundle: MakeBundle) -> None:
    root = project(
        {
            "lib/dep/Base.sol": HEAD + "pragma solidity ^0.8.0; contract Base { uint256 public a = 1; }",
            "src/A.sol": HEAD
            + 'pragma solidity ^0.8.0; import {Base} from "../lib/dep/Base.sol"; contract A is Base {}',
        }
    )
    before = make_bundle(root).bundle.digest
    (root / "lib/dep/Base.sol").write_text(HEAD + "pragma solidity ^0.8.0; contract Base { uint256 public a = 2; }")
    assert make_bundle(root).bundle.digest != before


def test_another_profile_is_another_build(
    project: Project, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(foundry='[profile.default]\nsolc = "0.8.37"\n[profile.lean]\noptimizer = true\noptimizer_runs = 1\n')
    plain = make_bundle(root).bundle
    monkeypatch.setenv("FOUNDRY_PROFILE", "lean")
    lean = make_bundle(root).bundle
    assert lean.artifact("Counter").settings["optimizer"] == {"enabled": True, "runs": 1}
    assert lean.artifact("Counter").creation_code != plain.artifact("Counter").creation_code


def test_a_compile_error_is_shown_in_the_compilers_words(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/A.sol": HEAD + "pragma solidity ^0.8.0;\ncontract A { uint256 x = nowhere; }\n"})
    with pytest.raises(BuildFailed) as caught:
        make_bundle(root)
    assert "Undeclared identifier" in caught.value.cause
    assert "src/A.sol:3" in caught.value.cause
    assert caught.value.exit_code == 2


def test_a_missing_compiler_is_named(project: Project, make_bundle: MakeBundle) -> None:
    if compiler_store(Path.cwd()) is None:
        missing("there is no compiler store: forge would fetch what is missing")
    root = project({"src/A.sol": HEAD + "pragma solidity =0.4.1;\ncontract A {}\n"}, foundry="[profile.default]\n")
    with pytest.raises(CompilerMissing, match=r"0\.4\.1"):
        make_bundle(root)


def test_a_folder_without_foundry_toml_is_refused(forge: None, tmp_path: Path, make_bundle: MakeBundle) -> None:
    with pytest.raises(ProjectUnreadable):
        make_bundle(tmp_path)


def test_settings_forge_does_not_understand_are_refused_in_its_words(project: Project, make_bundle: MakeBundle) -> None:
    with pytest.raises(ProjectUnreadable, match="optimizer"):
        make_bundle(project(foundry='[profile.default]\noptimizer = "maybe"\n'))


def test_a_name_two_contracts_have_is_refused_with_both(project: Project, make_bundle: MakeBundle) -> None:
    twin = HEAD + "pragma solidity ^0.8.0; contract Twin { uint256 public a; }"
    root = project({"src/left/Twin.sol": twin, "src/right/Twin.sol": twin + "//"})
    with pytest.raises(SourceAmbiguous, match=r"src/left/Twin\.sol:Twin, src/right/Twin\.sol:Twin"):
        make_bundle(root, "Twin")
    assert make_bundle(root, "src/right/Twin.sol:Twin").bundle.artifact("src/right/Twin.sol:Twin").name == "Twin"


def test_a_contract_that_is_not_there_is_refused_with_the_nearest(project: Project, make_bundle: MakeBundle) -> None:
    with pytest.raises(SourceUnknown) as caught:
        make_bundle(project(), "src/Counter.sol:Conter")
    assert "src/Counter.sol:Counter" in caught.value.remedy


def test_an_interface_is_refused(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/I.sol": HEAD + "pragma solidity ^0.8.0; interface I { function f() external; } contract A {}"})
    with pytest.raises(SourceNotDeployable, match="interface"):
        make_bundle(root, "src/I.sol:I")


def test_a_wanted_contract_outside_src_is_built(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/A.sol": HEAD + "pragma solidity ^0.8.0; contract A {}",
                    "lib/far/B.sol": HEAD + "pragma solidity ^0.8.0; contract B { uint256 public b; }"})  # fmt: skip
    assert make_bundle(root, "lib/far/B.sol:B").bundle.artifact("B").creation_code
    assert make_bundle(root).bundle.sources == ("src/A.sol:A",)


def test_two_compilers_in_one_project_each_make_their_own(project: Project, make_bundle: MakeBundle) -> None:
    bundle = make_bundle(project(TWO_COMPILERS, foundry=TWO_SETTINGS)).bundle
    assert bundle.artifact("Old").compiler.startswith("0.6.6+commit.")
    assert bundle.artifact("New").compiler.startswith("0.8.37+commit.")
    assert bundle.artifact("Old").settings["optimizer"] == {"enabled": True, "runs": 777}
    assert len(bundle.toolchain["solc"]) == 2


def test_a_linked_library_comes_along_and_its_places_are_zero(project: Project, make_bundle: MakeBundle) -> None:
    bundle = make_bundle(project({"src/L.sol": LIBRARY})).bundle
    uses, library = bundle.artifact("Uses"), bundle.artifact("Sum")
    assert library.kind == "library"
    assert set(uses.creation_links) == {"src/L.sol:Sum"}
    for links, code in ((uses.creation_links, uses.creation_code), (uses.runtime_links, uses.runtime_code)):
        for place in links["src/L.sol:Sum"]:
            assert place.length == 20
            assert code[place.start : place.stop] == bytes(20)
    assert bytes(20 * [0xAB]) in link(uses.creation_code, uses.creation_links, {"src/L.sol:Sum": bytes(20 * [0xAB])})


def test_a_library_through_the_ir_pipeline_is_still_a_library(project: Project, make_bundle: MakeBundle) -> None:
    root = project({"src/L.sol": LIBRARY}, foundry='[profile.default]\nsolc = "0.8.37"\nvia_ir = true\n')
    bundle = make_bundle(root).bundle
    assert bundle.artifact("Sum").kind == "library"
    assert bundle.artifact("Uses").settings["viaIR"] is True


def test_immutables_are_listed_and_zero_in_the_runtime_code(project: Project, make_bundle: MakeBundle) -> None:
    counter = make_bundle(project()).bundle.artifact("Counter")
    (places,) = counter.immutables.values()
    assert all(counter.runtime_code[place.start : place.stop] == bytes(32) for place in places)
    assert [slot["label"] for slot in (counter.storage_layout or {})["storage"]] == ["total"]


def test_the_kept_input_alone_gives_the_same_code_again(project: Project, make_bundle: MakeBundle) -> None:
    home = compiler_store(Path.cwd())
    if home is None:
        missing("needs a solc to call by itself")
    files = {**TWO_COMPILERS, "src/L.sol": LIBRARY}
    bundle = make_bundle(project(files, foundry=TWO_SETTINGS)).bundle
    for source in bundle.sources:
        artifact = bundle.artifact(source)
        version = artifact.compiler.partition("+")[0]
        solc = home / ".svm" / version / f"solc-{version}"
        made = subprocess.run([solc, "--standard-json"], input=bundle.input(artifact), capture_output=True, check=True)
        code = json.loads(made.stdout)["contracts"][artifact.path][artifact.name]["evm"]["bytecode"]["object"]
        for places in artifact.creation_links.values():
            for place in places:
                code = code[: 2 * place.start] + "00" * 20 + code[2 * place.stop :]
        assert bytes.fromhex(code) == artifact.creation_code, source


def test_keys_in_our_environment_do_not_reach_the_compiler(
    project: Project, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PRIVATE_KEY", "AWS_SECRET_ACCESS_KEY", "FOUNDRY_ETHERSCAN_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(name, "secret-value")
    environment = make_bundle(project()).workspace.environment
    assert "secret-value" not in environment.values()


REPOSITORY = Path(__file__).resolve().parents[2]


def test_uniswap_v2_comes_out_as_it_is_on_mainnet(forge: None, tmp_path: Path, make_bundle: MakeBundle) -> None:
    """The router has the pair's init code hash built in; it includes the metadata, so every setting must be right."""
    packages = REPOSITORY / "tests/projects/uniswap-v2"
    if not (packages / "contracts").is_dir():
        missing("run scripts/setup: tests/projects/uniswap-v2 lacks its npm packages")
    root = tmp_path / "uniswap"
    shutil.copytree(packages, root, ignore=shutil.ignore_patterns(".ship", "out", "cache", "node_modules"))
    bundle = make_bundle(root, "contracts/UniswapV2Factory.sol:UniswapV2Factory").bundle
    from eth_utils import keccak

    pair = keccak(bundle.artifact("UniswapV2Pair").creation_code)
    assert pair.hex() == "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f"
    assert pair in bundle.artifact("UniswapV2Router02").creation_code
    with pytest.raises(SourceAmbiguous):
        bundle.artifact("ERC20")


def test_a_flipped_byte_is_refused_and_the_file_named(project: Project, make_bundle: MakeBundle) -> None:
    bundle = make_bundle(project()).bundle
    for name in ("bundle.json", *bundle.manifest["files"]):
        path = bundle.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        with pytest.raises(Refused) as caught:
            load_bundle(bundle.folder.parent, bundle.digest)
        assert caught.value.code == "SHIP-B20"
        assert path.name in caught.value.cause
        path.write_bytes(whole)
    assert hashlib.sha256((bundle.folder / "bundle.json").read_bytes()).hexdigest() == bundle.digest
