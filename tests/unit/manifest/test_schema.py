"""The committed schemas and the reference are the models', and hold what they say."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from pipeline.manifest.reference_doc import reference_text
from pipeline.manifest.schema import project_schema, target_schema

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "generated"),
    [
        ("docs/schema/ship.schema.json", project_schema),
        ("docs/schema/target.schema.json", target_schema),
        ("docs/reference/manifest.md", reference_text),
    ],
)
def test_generated_files_are_up_to_date(file: str, generated: object) -> None:
    assert callable(generated)
    assert (ROOT / file).read_text("utf-8") == generated(), "run: python -m pipeline.manifest.schema --write"


def _valid(text: str, schema: str) -> None:
    loaded = json.loads(schema)
    jsonschema.Draft202012Validator.check_schema(loaded)
    jsonschema.Draft202012Validator(loaded).validate(tomllib.loads(text))


@pytest.mark.parametrize("path", sorted((ROOT / "manifests").glob("*.toml")), ids=lambda path: path.stem)
def test_built_in_manifests_fit_the_schema(path: Path) -> None:
    _valid(path.read_text("utf-8"), target_schema())


@pytest.mark.parametrize("folder", ["examples/vault", "tests/projects/uniswap-v2"])
def test_projects_fit_the_schema(folder: str) -> None:
    _valid((ROOT / folder / "ship.toml").read_text("utf-8"), project_schema())
    _valid((ROOT / folder / "manifests" / "local.toml").read_text("utf-8"), target_schema())


@pytest.mark.parametrize("change", ['proxi = "none"', "replace = 1", 'proxy = "uup"', "value = -1", "[[x]]"])
def test_the_schema_refuses_what_ship_refuses(change: str) -> None:
    text = f'schema = 1\n[project]\nname = "x"\nversion = "1.0.0"\n[contracts.A]\nsource = "a.sol:A"\n{change}\n'
    with pytest.raises(jsonschema.ValidationError):
        _valid(text, project_schema())
