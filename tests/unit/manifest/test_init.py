"""``ship init`` writes manifests that pass ``ship check``, whatever it found, and overwrites nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import ShipError
from pipeline.cli.check_cmd import command as check
from pipeline.cli.init_cmd import command as init
from pipeline.manifest.initializing import init_project
from pipeline.manifest.project import load_project
from pipeline.manifest.solidity import Parameter, contracts_in
from pipeline.manifest.target import load_target
from pipeline.manifest.units import evm_units

SOURCE = """\
pragma solidity ^0.8.28;
// contract Commented { constructor(uint256 x) {} }
/* contract Also { } */
interface IOracle {}
library Math { function f() internal {} }
abstract contract Base { constructor(uint256 y) {} }
struct Config { uint256 a; }
contract Registry is Base(3) {
    string s = "contract InString { }";
    constructor(address _owner, uint256 fee, string memory label_, bytes32[] calldata x, Config memory c) Base(1) payable {}
}
contract Vault is Initializable, UUPSUpgradeable {
    constructor(IOracle oracle) { }
    function initialize(Registry registry, IRegistry again, address payable to, uint amount) external initializer {}
}
contract Token is ERC20("Token", "TKN") { bytes4 b; constructor(bytes4 id, bool, int8[2] memory pair) {} }
contract token {}
contract _Odd$Name {}
"""


@pytest.fixture
def foundry(tmp_path: Path) -> Path:
    root = tmp_path / "My Project!"
    for folder in ("src/interfaces", "test", "script", "lib/dep/src", "src/mocks"):
        (root / folder).mkdir(parents=True)
    (root / "foundry.toml").write_text('[profile.default]\nsrc = "src"\n')
    (root / "src" / "All.sol").write_text(SOURCE)
    for path in ("src/Vault.t.sol", "test/T.sol", "script/S.s.sol", "lib/dep/src/L.sol", "src/mocks/M.sol"):
        (root / path).write_text("contract NotReleased {}")
    return root


def test_a_foundry_project(foundry: Path) -> None:
    done = init_project(foundry, ["sepolia"])
    assert done.written[:3] == ("ship.toml", "manifests/local.toml", "manifests/sepolia.toml")
    project = load_project(foundry)
    assert project.name == "My-Project"
    units = evm_units(project, load_target(project, "local"))
    assert [unit.name for unit in units.contracts] == ["Registry", "Vault", "Token", "token2", "OddName"]
    registry, vault, token, *_ = units.contracts
    assert len(registry.args) == 5
    assert vault.proxy == "uups"
    assert vault.initialize is not None
    assert vault.initialize.signature == "initialize(address,address,address,uint256)"
    assert str(vault.initialize.args[0]) == str(vault.initialize.args[1]) == "${contracts.Registry}"
    assert token.args == ("0x00000000", False, ())
    assert evm_units(project, load_target(project, "sepolia"))


def test_the_commands(foundry: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(init, ["-C", str(foundry), "--chain", "base"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "wrote    manifests/base.toml" in result.output
    result = runner.invoke(check, ["-C", str(foundry)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "ok       manifests/local.toml: Local chain (31337)" in result.output
    (foundry / "manifests" / "base.toml").write_text("schema = 1\nextends = 'builtin:bse'\n")
    result = runner.invoke(check, ["-C", str(foundry)])
    assert isinstance(result.exception, ShipError)
    assert "refused  manifests/base.toml: 1 problem" in result.output
    assert "ok       manifests/local.toml" in result.output


def test_the_schema_comment_leads_to_the_schema(foundry: Path) -> None:
    init_project(foundry)
    for file in ("ship.toml", "manifests/local.toml"):
        first = (foundry / file).read_text().split("\n")[0]
        assert first.startswith("#:schema ./")
        assert ((foundry / file).parent / first.removeprefix("#:schema ")).is_file()


@pytest.mark.parametrize("there", ["ship.toml", "manifests/local.toml"])
def test_nothing_is_overwritten(there: str, foundry: Path) -> None:
    (foundry / there).parent.mkdir(exist_ok=True)
    (foundry / there).write_text("mine")
    with pytest.raises(ShipError) as caught:
        init_project(foundry)
    assert caught.value.code == "SHIP-M38"
    assert (foundry / there).read_text() == "mine"
    assert sum(path.is_file() for path in (foundry / "ship.toml", foundry / "manifests" / "local.toml")) == 1


def test_an_anchor_workspace_beside_it(foundry: Path) -> None:
    (foundry / "anchor").mkdir()
    (foundry / "anchor" / "Anchor.toml").write_text(
        '[programs.localnet]\ncounter = "Fg6PaFpoGXkYsidMpWTK6W2BeZ7FEfcYkg476zPFsLnS"\n'
    )
    (foundry / "package.json").write_text('{ "name": "@acme/vault", "version": "2.0.0" }')
    init_project(foundry)
    project = load_project(foundry)
    assert (project.name, project.version) == ("acme-vault", "2.0.0")
    assert project.solana.root == "anchor"
    assert load_target(project, "solana-local").chain.kind == "solana"


def test_nothing_found(tmp_path: Path) -> None:
    with pytest.raises(ShipError) as caught:
        init_project(tmp_path)
    assert caught.value.code == "SHIP-M39"


def test_an_unknown_chain(foundry: Path) -> None:
    with pytest.raises(ShipError) as caught:
        init_project(foundry, ["sepolai"])
    assert caught.value.code == "SHIP-M25"
    assert 'Did you mean "sepolia"?' in caught.value.cause


def test_constructor_types_are_read() -> None:
    (found,) = contracts_in(
        "contract A { constructor(address payable a, function(uint) external f, uint[] memory) {} }"
    )
    assert found.constructor[0] == Parameter("address", "a")
    assert found.constructor[2] == Parameter("uint[]", "")


@settings(deadline=None)
@given(st.text("contrasuly A{}()[],;=>\"'/*\n_$uint256 "))
def test_no_source_makes_the_reader_fail(text: str) -> None:
    contracts_in(text)
    contracts_in(f"contract A {{ constructor({text}) {{}} function initialize({text}) external {{}}")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.from_regex(r"[A-Za-z_$][\w$]{0,70}", fullmatch=True), st.text("uint256[]() aIBC_$", max_size=20)),
        max_size=6,
    )
)
def test_what_is_proposed_always_checks(contracts: list[tuple[str, str]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "foundry.toml").write_text("")
        (root / "src").mkdir()
        text = "".join(f"contract {name} {{ constructor({arguments}) {{}} }}\n" for name, arguments in contracts)
        (root / "src" / "A.sol").write_text(text)
        init_project(root)
        assert tomllib.loads((root / "ship.toml").read_text())["schema"] == 1
