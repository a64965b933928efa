"""``ship verify``: every live contract against the bundle it came from."""

from __future__ import annotations

import json
import shutil


def verify(release):
    result = release.ship("verify", "--chain", "local", "--json")
    document = json.loads(result.stdout)
    return {c["unit"] + "." + c["part"]: c for c in document["contracts"]}, result


def test_everything_live_is_proven(released):
    contracts, result = verify(released)
    assert result.exit_code == 0
    assert set(contracts) == {"Registry.address", "Counter.address", "Counter.implementation"}
    assert {c["state"] for c in contracts.values()} == {"proven"}
    assert {c["proof"]["reexecution"] for c in contracts.values()} == {"match"}


def test_other_code_is_found(copy):
    assert copy.ship("localnet", "up").exit_code == 0
    try:
        from chains.rpc import Endpoint

        url = (copy.root / ".ship/localnet/local/anvil.log").read_text().split("Listening on ")[1].split()[0]
        address = verify(copy)[0]["Registry.address"]["address"]
        Endpoint(f"http://{url}").batch([("anvil_setCode", [address, "0x6001"])])
        contracts, result = verify(copy)
    finally:
        copy.ship("localnet", "down")
    assert result.exit_code == 4
    assert contracts["Registry.address"]["state"] == "failed"
    assert contracts["Counter.address"]["state"] == "proven"
    assert "SHIP-V10" in result.stderr


def test_a_proxy_that_uses_another_implementation_is_found(copy):
    assert copy.ship("localnet", "up").exit_code == 0
    try:
        from chains.evm.proxies import IMPLEMENTATION_SLOT
        from chains.rpc import Endpoint

        url = (copy.root / ".ship/localnet/local/anvil.log").read_text().split("Listening on ")[1].split()[0]
        address = verify(copy)[0]["Counter.address"]["address"]
        value = "0x" + "11".rjust(64, "0")
        Endpoint(f"http://{url}").batch([("anvil_setStorageAt", [address, IMPLEMENTATION_SLOT, value])])
        contracts, result = verify(copy)
    finally:
        copy.ship("localnet", "down")
    assert result.exit_code == 4
    assert {c["state"] for c in contracts.values()} == {"proven"}
    assert json.loads(result.stdout)["ok"] is False


def test_without_its_bundle_nothing_is_proven_and_it_says_so(copy):
    shutil.rmtree(copy.root / ".ship/bundles")
    contracts, result = verify(copy)
    assert result.exit_code == 2
    assert {c["state"] for c in contracts.values()} == {"missing"}
    assert "SHIP-V11" in result.stderr


def test_nothing_deployed(tmp_path, ship):
    (tmp_path / "ship.toml").write_text('schema = 1\n[project]\nname = "new"\nversion = "0.1.0"\n')
    result = ship("verify", "--chain", "local", "-C", str(tmp_path))
    assert result.exit_code == 0
    assert "nothing to prove" in result.stdout
