"""The version a build needs, what differs, and what happened: on a project that was really built and released."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from pipeline.bundle import load_bundle
from pipeline.manifest.project import load_project
from pipeline.versioning.deciding import refuse_small_bump
from pipeline.versioning.errors import SmallBump
from tests.support.schemas import hold

COUNT = "    uint256 public count;\n"
INCREMENT = "function increment() external"


def ask(project: Any, *arguments: str, code: int = 0) -> dict[str, Any]:
    result = project.ship(*arguments, "--json")
    assert result.exit_code == code, result.output
    document = json.loads(result.stdout)
    hold(document)
    return dict(document)


def reasons(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    (held,) = document["held_against"]
    return [(reason["level"], reason["unit"], reason["text"]) for reason in held["reasons"]]


def test_nothing_changed(released):
    document = ask(released, "version")
    assert (document["level"], document["next"], document["least"], document["enough"]) == ("none", None, "1.0.0", True)
    assert "no release needed: nothing differs from v1.0.0" in released.ship("version").output


@pytest.mark.parametrize(
    ("file", "old", "new", "level", "least", "reason"),
    [
        ("Counter", "count += 1;", "count += 2;", "patch", "1.0.1", ("patch", "Counter", "its code changed")),
        (
            "Counter", COUNT, COUNT + "    uint256 public last;\n", "minor", "1.1.0",
            ("minor", "Counter", "function last(): added"),
        ),
        (
            "Counter", INCREMENT, "function raise() external", "major", "2.0.0",
            ("major", "Counter", "function increment(): removed"),
        ),
        (
            "Counter", INCREMENT, "function increment() external payable", "major", "2.0.0",
            ("major", "Counter", "function increment(): is nonpayable before, payable now"),
        ),
        (
            "Counter", "address public owner;\n" + COUNT, COUNT + "    address public owner;\n", "major", "2.0.0",
            ("major", "Counter", "storage of Counter.owner: was at slot 0, is at slot 1"),
        ),
        (
            "Registry", "entries[name] = entry;", "entries[name] = entry; assert(true);", "major", "2.0.0",
            ("major", "Registry", "replaced: it has no proxy and its code changed, so that its address moves"),
        ),
    ],
)  # fmt: skip
def test_each_change_of_the_sources(copy, file, old, new, level, least, reason):
    copy.edit(f"src/{file}.sol", old, new)
    document = ask(copy, "version", "--chain", "local")
    assert (document["level"], document["least"], document["next"]) == (level, least, least)
    assert reason in reasons(document)
    assert document["enough"] is False


def test_a_small_bump_is_refused_with_every_reason_it_does_not_meet(copy):
    copy.edit("src/Counter.sol", INCREMENT, "function raise() external")
    copy.edit("src/Counter.sol", COUNT, COUNT + "    uint256 public last;\n")
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0-rc.1" # here')
    error = ask(copy, "version", "--check", code=2)["error"]
    assert error["code"] == "SHIP-C11"
    assert "1.1.0-rc.1 is too small a step from v1.0.0: what changed asks for 2.0.0" in error["cause"]
    project = load_project(copy.root)
    bundle = load_bundle(copy.root / ".ship/bundles", ask(copy, "version")["bundle"])
    with pytest.raises(SmallBump) as caught:
        refuse_small_bump(project, bundle)
    assert (caught.value.least, caught.value.reasons) == ("2.0.0", ("Counter: function increment(): removed",))
    document = ask(copy, "version", "--rc", "--write")
    assert (document["next"], document["written"]) == ("2.0.0-rc.1", ["ship.toml"])
    assert 'version = "2.0.0-rc.1" # here' in (copy.root / "ship.toml").read_text()
    assert ask(copy, "version", "--check")["enough"] is True
    refuse_small_bump(load_project(copy.root), bundle)


def test_a_version_that_is_released_already_is_no_version_for_other_bytes(copy):
    copy.edit("src/Counter.sol", "count += 1;", "count += 2;")
    assert ask(copy, "version", "--check")["enough"] is False  # the local chain takes a version again and again
    copy.edit("releases/v1.0.0/local.json", '"name": "local"', '"name": "base"')
    error = ask(copy, "version", "--check", code=2)["error"]
    assert "1.0.0 is released already (local), and this build is another" in error["cause"]


def test_a_version_that_was_raised_further_is_kept_to_and_candidates_are_counted(copy):
    copy.edit("src/Counter.sol", "count += 1;", "count += 2;")
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "1.3.0-rc.9"')
    for number in (9, 10):
        folder = copy.root / f"releases/v1.3.0-rc.{number}"
        folder.mkdir()
        shutil.copy(copy.root / "releases/v1.0.0/local.json", folder / "local.json")
    assert ask(copy, "version")["next"] == "1.3.0"
    assert ask(copy, "version", "--rc")["next"] == "1.3.0-rc.11"
    assert ask(copy, "version", "--beta", code=2)["error"]["code"] == "SHIP-C13"


def test_before_the_first_stable_release_the_version_is_free(copy):
    shutil.rmtree(copy.root / "releases")
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "0.3.0"')
    document = ask(copy, "version", "--alpha")
    assert (document["next"], document["least"], document["enough"]) == ("0.3.0-alpha.1", None, True)
    assert ask(copy, "version", "--chain", "local", code=2)["error"]["code"] == "SHIP-C14"


def test_without_the_bundle_of_the_release_nothing_is_guessed(copy):
    shutil.rmtree(copy.root / ".ship/bundles" / ask(copy, "version")["bundle"])
    copy.edit("src/Counter.sol", "count += 1;", "count += 2;")
    error = ask(copy, "version", code=2)["error"]
    assert (error["code"], "check out v1.0.0" in error["remedy"]) == ("SHIP-C12", True)


def test_a_record_of_another_shape_is_refused(copy):
    path = copy.root / "releases/v1.0.0/local.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "units": []}))
    assert ask(copy, "version", code=2)["error"]["code"] == "SHIP-R01"
    assert ask(copy, "diff", "1.0.0", "1.0.0", code=2)["error"]["code"] == "SHIP-R01"


def test_a_contract_gone_and_one_that_is_new(copy):
    copy.edit("ship.toml", "[contracts.Counter]", "[contracts.Tally]")
    text = (copy.root / "ship.toml").read_text().replace("contracts.Counter", "contracts.Tally")
    (copy.root / "ship.toml").write_text(text)
    assert [r[:2] for r in reasons(ask(copy, "version", "--all-targets"))] == [("major", "Counter"), ("minor", "Tally")]


def test_a_version_that_cannot_be_put_in_order_is_refused(copy):
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0-rc9"')
    assert ask(copy, "version", code=2)["error"]["code"] == "SHIP-C10"


def test_two_releases_and_a_way_back(copy):
    copy.edit("src/Counter.sol", COUNT, COUNT + "    uint256 public last;\n")
    copy.edit("ship.toml", 'version = "1.0.0"', 'version = "1.1.0"')
    copy.deploy()
    (target,) = ask(copy, "diff", "1.0.0", "v1.1.0")["targets"]
    (contract,) = target["contracts"]
    assert (contract["unit"], contract["change"]) == ("Counter", "changed")
    assert contract["after"]["runtime_bytes"] > contract["before"]["runtime_bytes"]
    assert [(c["effect"], c["where"]) for c in target["abi"]] == [("addition", "function last()")]
    assert [(a["unit"], a["part"]) for a in target["addresses"]] == [("Counter", "implementation")]
    assert (target["storage"], target["authorities"], target["left_out"]) == ([], [], [])
    assert ask(copy, "rollback", "--chain", "local", "--execute", "--yes")["kind"] == "contract-ship/rolled-back"
    events = ask(copy, "history", "--chain", "local")["events"]
    assert [(e["kind"], e["tag"]) for e in events] == [
        ("release", "v1.0.0"),
        ("release", "v1.1.0"),
        ("rollback", "v1.0.0"),
    ]
    assert [c["change"] for c in events[1]["changes"]] == ["upgrade"]
    # The way back is a record of 1.0.0 too, and neither what a build is held against nor what is compared.
    assert ask(copy, "version")["held_against"][0]["tag"] == "v1.1.0"
    assert ask(copy, "diff", "1.0.0", "1.1.0")["targets"][0]["from"]["record"] == "releases/v1.0.0/local.json"
    shutil.rmtree(copy.root / ".ship/bundles")
    (target,) = ask(copy, "diff", "1.1.0", "1.0.0")["targets"]
    assert (target["contracts"], len(target["left_out"]), len(target["addresses"])) == ([], 2, 1)


def test_versions_without_a_target_in_common_are_refused(copy):
    other = copy.root / "releases/v2.0.0/elsewhere.json"
    other.parent.mkdir()
    shutil.copy(copy.root / "releases/v1.0.0/local.json", other)
    assert ask(copy, "diff", "1.0.0", "2.0.0", code=2)["error"]["code"] == "SHIP-C31"
    assert ask(copy, "diff", "1.0.0", "3.0.0", code=2)["error"]["code"] == "SHIP-R02"
    assert ask(copy, "history", "--chain", "nowhere", code=2)["error"]["code"] == "SHIP-C30"
