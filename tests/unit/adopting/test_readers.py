"""Files of deployments: what each kind says, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.adopting.claims import FileUnreadable, WrongNetwork
from pipeline.adopting.reading import read_claims

A, B, C = ("0x" + digit * 40 for digit in "abc")
HASH = "0x" + "1" * 64


def _write(path: Path, data: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def _broadcast(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"transactions": list(entries), "receipts": [], "chain": 1, **more}


def _read(path: Path) -> Any:
    (claims,) = read_claims([path], 1, "ethereum")
    return claims


def test_only_creations_of_a_broadcast_deploy(tmp_path: Path) -> None:
    file = _write(tmp_path / "run-latest.json", _broadcast(
        {"transactionType": "CREATE", "contractName": "Vault", "contractAddress": A, "hash": HASH},
        {"transactionType": "CALL", "contractName": "Vault", "contractAddress": B, "hash": HASH},
        {"transactionType": "CREATE2", "contractName": None, "contractAddress": C, "hash": HASH},
    ))  # fmt: skip
    claims = _read(file)
    assert [(c.address.lower(), c.names) for c in claims.contracts] == [(A, ("Vault",)), (C, ())]
    assert claims.calls == (HASH,)


def test_nested_creations_and_libraries_of_a_broadcast_are_claims_too(tmp_path: Path) -> None:
    inner = {"transactionType": "CREATE", "contractName": "Part", "address": B, "initCode": "0x"}
    entry = {"transactionType": "CREATE", "contractName": "Maker", "contractAddress": A, "hash": HASH, "additionalContracts": [inner]}  # fmt: skip
    file = _write(tmp_path / "run-latest.json", _broadcast(entry, libraries=[f"src/L.sol:Sum:{C}"]))
    assert [(c.names, c.nested) for c in _read(file).contracts] == [(("Maker",), False), (("Part",), True), (("Sum",), False)]  # fmt: skip


def test_failed_transactions_of_a_broadcast_made_nothing(tmp_path: Path) -> None:
    other = "0x" + "2" * 64
    data = _broadcast(
        {"transactionType": "CREATE", "contractName": "Vault", "contractAddress": A, "hash": HASH},
        {"transactionType": "CREATE", "contractName": "Token", "contractAddress": B, "hash": other},
    )
    data["receipts"] = [{"transactionHash": HASH, "status": "0x0"}, {"transactionHash": other, "status": "0x1"}]
    assert [c.names for c in _read(_write(tmp_path / "run-latest.json", data)).contracts] == [("Token",)]


def test_a_dry_run_is_refused(tmp_path: Path) -> None:
    entry = {"transactionType": "CREATE", "contractName": "Vault", "contractAddress": A, "hash": None}
    with pytest.raises(FileUnreadable, match="dry run"):
        _read(_write(tmp_path / "run-latest.json", _broadcast(entry)))


def test_the_broadcast_folder_gives_the_runs_of_the_targets_chain_and_no_dry_run(tmp_path: Path) -> None:
    for chain, address in ((1, A), (10, B)):
        entry = {"transactionType": "CREATE", "contractName": "Vault", "contractAddress": address, "hash": HASH}
        _write(tmp_path / "broadcast/D.s.sol" / str(chain) / "run-latest.json", {**_broadcast(entry), "chain": chain})
    _write(tmp_path / "broadcast/D.s.sol/1/dry-run/run-latest.json", _broadcast())
    assert [c.address.lower() for c in _read(tmp_path / "broadcast").contracts] == [A]


def test_a_manifest_of_openzeppelin_gives_proxies_implementations_and_the_admin(tmp_path: Path) -> None:
    folder = tmp_path / ".openzeppelin"
    data = {
        "manifestVersion": "3.2",
        "admin": {"address": A},
        "proxies": [{"address": B, "txHash": HASH, "kind": "uups"}],
        "impls": {"00": {"address": C, "txHash": HASH, "layout": {}}},
    }
    _write(folder / "mainnet.json", data)
    _write(folder / "unknown-10.json", {**data, "proxies": []})
    assert [c.address.lower() for c in _read(folder).contracts] == [B, C, A]
    with pytest.raises(FileUnreadable, match="manifestVersion"):
        _read(_write(tmp_path / "mainnet.json", {"manifestVersion": "2.0", "proxies": {}}))


def test_a_list_says_its_chain_and_may_name_transactions(tmp_path: Path) -> None:
    file = _write(
        tmp_path / "a.toml", f'chain-id = 1\nVault = "{A}"\n[Token]\naddress = "{B}"\ntransaction = "{HASH}"\n'
    )
    assert [(c.names, c.transaction) for c in _read(file).contracts] == [(("Vault",), None), (("Token",), HASH)]
    with pytest.raises(WrongNetwork, match="chain 1, the target base is chain 8453"):
        read_claims([file], 8453, "base")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"),
        ("a.json", '{"Vault": "0x12"}'),
        ("a.json", '{"Vault": 7}'),
        ("a.json", f'{{"Vault": "{A}", "Vault": "{B}"}}'),
        ("a.json", '{"Vault": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeE"}'),  # a digit mistyped
        ("a.json", "[" * 100_000),
        ("a.json", "[1, 2]"),
        ("a.json", '{"transactions": 7, "receipts": 7, "chain": 1}'),
        ("a.json", '{"manifestVersion": "3.2", "proxies": 7}'),
        ("a.toml", "Vault = "),
        ("a.csv", "contract,place\nVault,0x12\n"),
        ("a.csv", "name,address\nVault\n"),
        ("a.txt", "Vault"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_files_name(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(FileUnreadable, match=name.replace(".", r"\.")):
        read_claims([_write(tmp_path / name, text)], 1, "ethereum")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="no such file"):
        read_claims([tmp_path / "none.json"], 1, "ethereum")
