"""The published schemas of what commands print, for tests that hold documents against them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

__all__ = ["SCHEMAS", "hold"]

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


@cache
def _validator(name: str) -> Draft202012Validator:
    rules = {path.name: json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")}
    own = rules[f"{name}.schema.json"]
    Draft202012Validator.check_schema(own)
    registry: Registry[Any] = Registry().with_resources(
        (file, Resource.from_contents(content)) for file, content in rules.items()
    )
    return Draft202012Validator(own, registry=registry)


def hold(document: Mapping[str, Any]) -> None:
    """Hold a document against the schema its ``kind`` names."""
    _validator(str(document["kind"]).removeprefix("contract-ship/")).validate(document)
