"""An accepted finding has a reason and a name, or it is not accepted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.gates.baseline import BaselineInvalid, read_baseline

ENTRY = {
    "id": "ab12",
    "check": "unused-return",
    "impact": "Medium",
    "where": "src/Vault.sol#L3",
    "reason": "the transfer reverts",
    "by": "mia",
}


def write(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "slither.baseline.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_entries_are_read(tmp_path: Path) -> None:
    (entry,) = read_baseline(write(tmp_path, {"schema": 1, "accepted": [ENTRY]}))
    assert (entry.id, entry.reason, entry.by) == ("ab12", "the transfer reverts", "mia")


def test_the_examples_baseline_is_one() -> None:
    assert read_baseline(Path(__file__).parents[2] / "examples/vault/slither.baseline.json")


@pytest.mark.parametrize("key", sorted(ENTRY))
@pytest.mark.parametrize("value", [None, "", "  ", 3])
def test_a_key_that_is_missing_or_empty_is_refused_by_name(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(BaselineInvalid, match=f"no `{key}` in entry 1"):
        read_baseline(write(tmp_path, {"schema": 1, "accepted": [{**ENTRY, key: value}]}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ([], "has not the form"),
        ({"schema": 2, "accepted": []}, "has not the form"),
        ({"schema": 1}, "has not the form"),
        ({"schema": 1, "accepted": ["x"]}, "not an object"),
        ({"schema": 1, "accepted": [{**ENTRY, "until": "2027"}]}, "unknown key `until`"),
        ({"schema": 1, "accepted": [ENTRY, ENTRY]}, "accepts ab12 twice"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(BaselineInvalid, match=said):
        read_baseline(write(tmp_path, content))


def test_a_baseline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaselineInvalid, match="cannot be read"):
        read_baseline(tmp_path / "none.json")
