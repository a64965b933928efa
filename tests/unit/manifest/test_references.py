"""What ``${…}`` becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.errors import ShipError, Where
from chains.evm.units import DEPLOYER, Ref
from pipeline.manifest.errors import ManifestInvalid
from pipeline.manifest.references import Scope, resolve, written

PARAMS = {
    "owner": "0xabc",
    "count": 7,
    "flag": True,
    "list": (1, "${params.owner}"),
    "me": "${deployer}",
    "a": "${params.b}",
    "b": "${params.a}",
}
SCOPE = Scope(
    contracts={"Vault": "uups", "Plain": "none", "T": "transparent", "B": "beacon"},
    project_name="acme",
    project_version="1.2.0",
    params=PARAMS,
    chain_id=8453,
    chain_name="base",
)


def _resolve(value: Any) -> Any:
    return resolve(value, SCOPE, ("x",), lambda _path: Where("ship.toml", 1, 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${params.owner}", "0xabc"),
        ("${params.count}", 7),
        ("${params.flag}", True),
        ("${params.list}", (1, "0xabc")),
        ("${params.me}", DEPLOYER),
        ("n=${params.count}, o=${params.owner}", "n=7, o=0xabc"),
        ("${contracts.Vault}", Ref("Vault")),
        ("${contracts.Vault.implementation}", Ref("Vault", "implementation")),
        ("${contracts.T.admin}", Ref("T", "admin")),
        ("${contracts.B.beacon}", Ref("B", "beacon")),
        ("${deployer}", DEPLOYER),
        ("${chain.id}", 8453),
        ("${chain.name}-${project.version}", "base-1.2.0"),
        # keccak256("MINTER_ROLE"), as OpenZeppelin's documentation and every AccessControl deployment have it
        ("${keccak:MINTER_ROLE}", "0x9f2df0fed2c77648de5860a4cc508cd0818c85b8b8a1ab4ceeef8d981c8956a6"),
        ("${keccak:}", "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        ("$${params.owner}", "${params.owner}"),
        ("$${", "${"),
        ("$$${deployer}", "$${deployer}"),
        ("a $ b", "a $ b"),
    ],
)
def test_becomes(text: str, value: Any) -> None:
    assert _resolve(text) == value


def test_arrays_and_tables_are_resolved_inside() -> None:
    assert _resolve({"a": ("${params.count}", {"b": "${deployer}"})}) == {"a": (7, {"b": DEPLOYER})}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${params.nobody}", "SHIP-M37"),
        ("${contracts.Nobody}", "SHIP-M24"),
        ("${contracts.Plain.implementation}", "SHIP-M24"),
        ("${contracts.Vault.address}", "SHIP-M24"),
        ("${contracts.}", "SHIP-M24"),
        ("${nothing}", "SHIP-M24"),
        ("${}", "SHIP-M24"),
        ("${", "SHIP-M23"),
        ("x${deployer}", "SHIP-M23"),
        ("${deployer}${deployer}", "SHIP-M23"),
        ("x${params.flag}", "SHIP-M23"),
        ("x${params.list}", "SHIP-M23"),
        ("${params.a}", "SHIP-M23"),
    ],
)
def test_refused(text: str, code: str) -> None:
    with pytest.raises(ShipError) as caught:
        _resolve(text)
    assert caught.value.code == code
    assert caught.value.remedy


@settings(deadline=None)
@given(st.text("${}ab"))
def test_written_text_resolves_to_itself(text: str) -> None:
    assert _resolve(written(text)) == text


@settings(deadline=None)
@given(st.text("${}.:abcparamskeontrdloyh"))
def test_any_text_resolves_or_is_refused(text: str) -> None:
    try:
        _resolve(text)
    except ManifestInvalid:
        return


def test_written_tells_references_from_text() -> None:
    assert written((Ref("A", "admin"), DEPLOYER, "${deployer}", {"k": "x"}, 5, True)) == [
        "${contracts.A.admin}",
        "${deployer}",
        "$${deployer}",
        {"k": "x"},
        5,
        True,
    ]
