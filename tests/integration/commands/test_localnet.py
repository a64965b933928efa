"""``ship localnet``: what was started can be stopped, whatever has become of the project since."""

import pytest

from chains.evm.localnet import running


@pytest.mark.parametrize("file", ["ship.toml", "manifests/local.toml"])
def test_a_broken_manifest_does_not_keep_the_chain_running(copy, file):
    assert copy.ship("localnet", "up").exit_code == 0
    folder = copy.root / ".ship" / "localnet" / "local"
    assert running(folder)
    (copy.root / file).write_text("schema = 1\nschema = 2\n")
    result = copy.ship("localnet", "down")
    assert result.exit_code == 0, result.output
    assert "stopped" in result.output
    assert running(folder) is None
    assert copy.ship("localnet", "down").output == "it was not running\n"


@pytest.mark.parametrize("name", ["other", "../local", "."])
def test_a_chain_that_was_never_started_is_refused_by_its_name(copy, name):
    result = copy.ship("localnet", "down", "--chain", name)
    assert result.exit_code == 2
    assert "SHIP-" in result.output


def test_up_says_how_to_stop_this_very_chain(copy):
    (copy.root / "manifests/second.toml").write_text('schema = 1\nextends = "builtin:local"\n')
    said = copy.ship("localnet", "up", "--chain", "second").output
    assert "`ship localnet down --chain second`" in said
    assert copy.ship("localnet", "down", "--chain", "second").output.startswith("stopped")
