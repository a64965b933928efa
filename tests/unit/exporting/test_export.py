"""Address books: deterministic, one form for each reader, held to golden files. SHIP_WRITE_GOLDEN=1 refreshes them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from chains.evm.abi import checksum
from chains.tools import ToolMissing, find_tool, forge_environment
from pipeline.exporting.book import Book, NameTaken, read_book
from pipeline.exporting.json_book import write_json
from pipeline.exporting.safe_batch import batch_checksum
from pipeline.exporting.safe_deployments import write_safe_deployments
from pipeline.exporting.solidity import write_solidity
from pipeline.exporting.superchain import write_superchain
from pipeline.exporting.typescript import write_typescript
from tests.support.missing import missing

GOLDEN = Path(__file__).parent / "golden"


def _address(number: int) -> str:
    return checksum(number.to_bytes(20, "big"))


def _unit(address: str | None, proxy: str = "none", **parts: str) -> dict[str, Any]:
    blank = {"implementation": None, "admin": None, "beacon": None, "implementation_source": None}
    return {"address": address, "proxy": proxy, "source": "src/A.sol:A", **blank, **parts}


def _record(target: str, chain_id: int, version: str, rows: int, offset: int) -> dict[str, Any]:
    units = {
        "Registry": _unit(_address(0xA0)),
        "AcmeVault": _unit(_address(0xB0 + offset), "uups", implementation=_address(0xB1), implementation_source="src/V.sol:V"),
        "FeePolicy": _unit(_address(0xC0), "transparent", implementation=_address(0xC1), admin=_address(0xC2)),
        "Strategy": _unit(_address(0xD0), "beacon", implementation=_address(0xD1), beacon=_address(0xD2)),
        "grant": _unit(None),
    }  # fmt: skip
    transactions = [
        {"address": u["address"], "code_keccak256": "0x" + "ab" * 32} for u in units.values() if u["address"]
    ]
    return {
        "schema": 1, "kind": "contract-ship/record", "version": version, "target": target, "bundle": "00" * 32,
        "chain": {"id": chain_id, "name": target, "genesis_hash": "0x00"}, "units": units,
        "transactions": transactions, "journal": {"rows": rows},
    }  # fmt: skip


def _write(root: Path, tag: str, name: str, record: dict[str, Any]) -> None:
    (root / "releases" / tag).mkdir(parents=True, exist_ok=True)
    (root / "releases" / tag / f"{name}.json").write_text(json.dumps(record))


@pytest.fixture
def book(tmp_path: Path) -> Book:
    _write(tmp_path, "v1.0.0", "base", _record("base", 8453, "1.0.0", 10, 0))
    _write(tmp_path, "v1.1.0", "base", _record("base", 8453, "1.1.0", 20, 0))
    _write(tmp_path, "v1.1.0", "base-sepolia", _record("base-sepolia", 84532, "1.1.0", 12, 5))
    return read_book(tmp_path, "acme-vault")


def _held(files: dict[str, str], folder: str) -> None:
    for name, text in files.items():
        path = GOLDEN / folder / name
        if os.environ.get("SHIP_WRITE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        assert path.read_text() == text, "refresh with SHIP_WRITE_GOLDEN=1 if the change is meant"


def _abi(_place: Any, entry: Any) -> list[dict[str, Any]]:
    return [{"type": "function", "name": entry.name, "inputs": [], "outputs": [], "stateMutability": "view"}]


@pytest.mark.parametrize("write", [write_json, write_typescript, write_solidity, write_superchain])
def test_every_form_is_as_it_was(book: Book, write: Any) -> None:
    _held(write(book), write.__name__.removeprefix("write_"))


def test_safe_deployments_have_one_file_a_contract_and_name_what_differs(book: Book) -> None:
    files = write_safe_deployments(book, _abi)
    _held(files, "safe_deployments")
    vault = json.loads(files["acme_vault.json"])
    assert vault["networkAddresses"] == {"8453": "canonical", "84532": "base-sepolia"}
    registry = json.loads(files["registry.json"])
    assert registry["networkAddresses"] == {"8453": "canonical", "84532": "canonical"}


def test_the_newest_record_of_a_target_is_the_one_that_saw_most_of_its_journal(book: Book) -> None:
    assert {place.target: place.version for place in book.places} == {"base": "1.1.0", "base-sepolia": "1.1.0"}


def test_two_systems_on_one_chain_stand_side_by_side(tmp_path: Path) -> None:
    for offset, name in enumerate(("blue", "green")):
        _write(tmp_path, "v1.0.0", name, _record(name, 10, "1.0.0", 10, offset))
    book = read_book(tmp_path, "acme")
    assert set(json.loads(write_json(book)["addresses.json"])["targets"]) == {"blue", "green"}
    vault = json.loads(write_safe_deployments(book, _abi)["acme_vault.json"])
    assert vault["networkAddresses"] == {"10": ["canonical", "green"]}


def test_two_names_that_become_one_are_refused(tmp_path: Path) -> None:
    record = _record("base", 8453, "1.0.0", 10, 0)
    record["units"]["Acme-Vault"] = _unit(_address(1))
    _write(tmp_path, "v1.0.0", "base", record)
    with pytest.raises(NameTaken, match="ACME_VAULT"):
        write_solidity(read_book(tmp_path, "acme"))


def test_the_solidity_library_compiles(book: Book, tmp_path: Path) -> None:
    try:
        forge = find_tool("forge", Path.cwd())
    except ToolMissing as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(error.cause)
    (tmp_path / "src").mkdir()
    for name, text in write_solidity(book).items():
        (tmp_path / "src" / name).write_text(text)
    (tmp_path / "src/Uses.sol").write_text(
        '// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\nimport {AcmeVaultBase, AcmeVaultBaseSepolia} from "./Addresses.sol";\n'
        "contract Uses {\n    function vault() external view returns (address) {\n"
        "        return block.chainid == AcmeVaultBase.CHAIN_ID ? AcmeVaultBase.ACME_VAULT : AcmeVaultBaseSepolia.ACME_VAULT;\n    }\n}\n"
    )
    (tmp_path / "foundry.toml").write_text('[profile.default]\nsolc = "0.8.37"\n')
    done = subprocess.run(
        [forge, "build", "--root", tmp_path],
        env=forge_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_the_typescript_module_parses_once_its_types_are_taken_away(book: Book, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        missing("node is not here")
    text = write_typescript(book)["addresses.ts"]
    plain = re.sub(r"^export type .*$", "", text.replace("} as const;", "};"), flags=re.MULTILINE)
    file = tmp_path / "addresses.mjs"
    file.write_text(plain + "\nconsole.log(JSON.stringify(addresses));\n")
    done = subprocess.run([node, file], capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)
    assert read["base"]["contracts"]["AcmeVault"] == _address(0xB0)
    assert read["base-sepolia"]["implementations"]["AcmeVault"] == _address(0xB1)


def test_the_registry_files_are_toml_that_reads_back(book: Book) -> None:
    read = {name: tomllib.loads(text) for name, text in write_superchain(book).items()}
    assert {name: table["chain_id"] for name, table in read.items()} == {"base.toml": 8453, "base-sepolia.toml": 84532}
    addresses = read["base.toml"]["addresses"]
    assert addresses["AcmeVaultProxy"] == _address(0xB0)
    assert addresses["StrategyBeacon"] == _address(0xD2)


def test_the_checksum_of_a_batch_is_that_of_the_transaction_builder() -> None:
    """The vector of the builder's own test, ``checksum.test.ts``."""
    contract = "0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"
    method = {"name": "testAddress", "payable": False}
    batch = {
        "version": "1.0", "chainId": "4", "createdAt": 1646321521061,
        "meta": {
            "name": "test batch file", "txBuilderVersion": "1.4.0", "checksum": "",
            "createdFromSafeAddress": "0xDF8a1Ce35c9a6ACE153B4e0767942f1E2291a1Aa",
            "createdFromOwnerAddress": contract,
        },
        "transactions": [
            {
                "to": contract, "value": "0",
                "contractMethod": {"inputs": [{"internalType": "address", "name": "paramAddress", "type": "address"}], **method},
                "contractInputsValues": {"paramAddress": contract},
            },
            {
                "to": contract, "value": "0",
                "contractMethod": {"inputs": [{"internalType": "bool", "name": "paramBool", "type": "bool"}], "name": "testBool", "payable": False},
                "contractInputsValues": {"paramAddress": "", "paramBool": "false"},
            },
            {
                "to": contract, "value": "2000000000000000000",
                "data": "0x42f4579000000000000000000000000049d4450977e2c95362c13d3a31a09311e0ea26a6",
            },
        ],
    }  # fmt: skip
    assert batch_checksum(batch) == "0x4ecbfd364aa6759983915644e73f8bd411e85a2dc306f252a387c2728c4db64c"
    backwards = {key: batch[key] for key in reversed(batch)}
    assert batch_checksum(backwards) == batch_checksum(batch)
