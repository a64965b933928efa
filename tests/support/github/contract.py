"""GitHub's published contract: what a request may hold, and what a reply has to."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

__all__ = ["filled", "hold_reply", "hold_request"]


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads((Path(__file__).parent / "openapi.json").read_text()))


@cache
def _validator(operation: str, part: str) -> Draft202012Validator | None:
    schema = _document()["operations"][operation][part]
    return Draft202012Validator({**schema, "$defs": _document()["$defs"]}) if schema else None


def hold_request(operation: str, body: Any) -> str | None:
    """What is wrong with a request's body, if anything."""
    validator = _validator(operation, "request")
    error = next(iter(validator.iter_errors(body)), None) if validator else None
    return error.message[:300] if error else None


def hold_reply(operation: str, body: Any) -> Any:
    """``body``, which is as the contract has it. Raises ``AssertionError``: the fake is wrong then."""
    validator = _validator(operation, "response")
    assert validator is not None
    error = next(iter(validator.iter_errors(body)), None)
    assert error is None, f"{operation}: {error.message[:300]} at {list(error.absolute_path)}"
    return body


def filled(definition: str, **known: Any) -> dict[str, Any]:
    """An object of this definition: what is known, and the plainest value for everything else it has to have."""
    return {**_plainest({"$ref": f"#/$defs/{definition}"}), **known}


@cache
def _plainest_definition(name: str) -> str:
    return json.dumps(_plainest(_document()["$defs"][name]))


def _plainest(schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return json.loads(_plainest_definition(schema["$ref"].rpartition("/")[2]))
    if "anyOf" in schema or "oneOf" in schema:
        options = schema.get("anyOf") or schema["oneOf"]
        return None if {"type": "null"} in options else _plainest(options[0])
    if "allOf" in schema:
        return {k: v for part in schema["allOf"] for k, v in _plainest(part).items()}
    if "enum" in schema:
        return schema["enum"][0]
    properties = schema.get("properties", {})
    simple: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}
    kind = schema.get("type", "object")
    if kind in simple:
        return simple[kind]
    return {name: _plainest(properties.get(name, {})) for name in schema.get("required", ())}
