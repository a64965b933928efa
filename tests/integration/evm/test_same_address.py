"""The plan says when a contract with a salt would not lie at one address on all targets, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chains.evm.units import DEPLOYER, ContractUnit, Ref
from pipeline.plan_text import render_plan
from pipeline.same_address import Side, differences

A, B = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
SALT, OTHER_SALT = bytes(31) + b"\1", bytes(31) + b"\2"
SOURCE = "src/A.sol:A"


def unit(name: str = "A", **kwargs: Any) -> ContractUnit:
    return ContractUnit(name, SOURCE, **kwargs)


def why(a: list[ContractUnit], b: list[ContractUnit], signer_b: str | None = A) -> str:
    here = Side("one", 1, A, {u.name: u for u in a})
    there = Side("two", 2, signer_b, {u.name: u for u in b})
    return "; ".join(differences("A", here, there))


GUARDED = {"create3_salt": SALT, "sender_guard": True}
SALTED = {"create2_salt": SALT}
FOR_A = bytes.fromhex(A[2:]) + b"\0" + bytes(11)


@pytest.mark.parametrize(
    ("here", "there", "signer", "reason"),
    [
        pytest.param(GUARDED, GUARDED, A, "", id="create3, one signer"),
        pytest.param({**GUARDED, "args": (1,)}, {**GUARDED, "args": (2,)}, A, "", id="create3, other arguments"),
        pytest.param(GUARDED, GUARDED, B, "bound to the signer: 0xf39F", id="create3, other signers"),
        pytest.param(GUARDED, GUARDED, None, "pin `address`", id="create3, signer unknown"),
        pytest.param(GUARDED, SALTED, A, "CREATE3 on one, CREATE2 on two", id="other ways"),
        pytest.param(GUARDED, {}, A, "CREATE3 on one, CREATE on two", id="create3 and create"),
        pytest.param(GUARDED, {**GUARDED, "create3_salt": OTHER_SALT}, A, "salts differ", id="other salts"),
        pytest.param({"create3_salt": FOR_A}, {"create3_salt": FOR_A}, B, "bound to the signer", id="hex salt of the signer"),
        pytest.param({"create3_salt": SALT}, {"create3_salt": SALT}, B, "", id="hex salt of nobody"),
        pytest.param(
            {"create3_salt": bytes(20) + b"\1" + bytes(11)}, {"create3_salt": bytes(20) + b"\1" + bytes(11)}, A,
            "bound to the chain", id="hex salt of the chain",
        ),
        pytest.param(SALTED, SALTED, B, "", id="create2, other signers"),
        pytest.param({**SALTED, "args": (1,)}, {**SALTED, "args": (2,)}, A, "arguments differ", id="create2, other arguments"),
        pytest.param(
            {**SALTED, "args": (DEPLOYER,)}, {**SALTED, "args": (DEPLOYER,)}, B, "the signers differ",
            id="create2, the signer as argument",
        ),
        pytest.param({**SALTED, "sender_guard": True}, {**SALTED, "sender_guard": True}, B, "bound to the signer", id="guarded"),
    ],
)  # fmt: skip
def test_reasons(here: dict[str, Any], there: dict[str, Any], signer: str | None, reason: str) -> None:
    found = why([unit(**here)], [unit(**there)], signer)
    assert (found == "") == (reason == ""), found
    assert reason in found


def test_an_argument_that_is_deployed_by_nonce_makes_create2_addresses_differ() -> None:
    units = [unit(**SALTED, args=((Ref("B"),),)), unit("B")]
    assert "the address of B" in why(units, units)
    settled = [unit(**SALTED, args=((Ref("B"),),)), unit("B", **SALTED)]
    assert why(settled, settled) == ""


UNITS = '[contracts.A]\nsource = "src/A.sol:A"\ncreate3 = "a.v1"\n'
OTHER = 'schema = 1\nextends = "builtin:{chain}"\n[rpc]\nendpoints = ["{url}"]\n[signer]\nbackend = "{backend}"\n{more}'


def test_plan_text_and_json_warn(small: Callable[..., Any], anvil: Callable[..., Any]) -> None:
    url = anvil().url
    project = small(
        UNITS.replace('create3 = "a.v1"', 'create2 = "a.v1"'), {"src/A.sol": "contract A { uint256 public x; }"}
    )
    here = OTHER.format(chain="local", url=url, backend="development", more="")
    there = OTHER.format(
        chain="base", url="http://127.0.0.1:1", backend="keystore", more=f'file = "k.json"\naddress = "{B}"\n'
    )
    project.write(**{"manifests/here.toml": here, "manifests/there.toml": there})
    assert project.plan("here").warnings == ()
    project.write(**{"manifests/there.toml": there + '[overrides.contracts.A]\nargs = []\ncreate2 = "a.v2"\n'})
    plan = project.plan("here")
    assert plan.warnings == ("A comes to other addresses on here and there: the salts differ",)
    assert plan.to_json()["warnings"] == list(plan.warnings)
    assert f"! {plan.warnings[0]}" in render_plan(plan, "ETH")
