"""From checked TOML data to models, with every refusal put into words and given its place.

pydantic finds what is wrong; this says it: which key, which kind of error, what was meant, what to do. Values are not
repeated in messages except short words that are no secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from chains.errors import Where
from pipeline.manifest import errors
from pipeline.manifest.errors import ManifestInvalid, did_you_mean, raise_all
from pipeline.manifest.literal_secrets import secret_in_text
from pipeline.manifest.positions import Path, dotted

__all__ = ["Locate", "problems_of", "validated"]

Model = TypeVar("Model", bound=BaseModel)


class Locate(Protocol):
    """Where a path stands: ``Document.where``, or the like over several documents."""

    def __call__(self, path: Path, *, at_key: bool = False) -> Where: ...


def validated(model: type[Model], data: Mapping[str, Any], locate: Locate) -> Model:
    """``data`` as ``model``. Raises ``ManifestInvalid`` with every problem found."""
    _check_schema(data, locate)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise_all(problems_of(error, model, data, locate))
        raise AssertionError("a validation error without problems") from error


def _check_schema(data: Mapping[str, Any], locate: Locate) -> None:
    number = data.get("schema")
    if type(number) is int and number != 1:
        newer = "Use a newer ship, or set" if number > 1 else "Set"
        raise errors.WrongSchema(
            f"This file is of schema {number}; this version of ship reads schema 1.",
            remedy=f"{newer} schema = 1 and follow docs/reference/manifest.md.",
            where=locate(("schema",)),
        )


def problems_of(
    error: ValidationError, model: type[BaseModel], data: Mapping[str, Any], locate: Locate
) -> list[ManifestInvalid]:
    """The problems in ``error``, in words."""
    return [_problem(item, model, data, locate) for item in error.errors(include_url=False)[: errors.MAX_PROBLEMS]]


@dataclass(frozen=True)
class _Found:
    """One of pydantic's errors, with what is needed to put it into words."""

    item: Any
    path: Path
    model: type[BaseModel]
    locate: Locate

    @property
    def table(self) -> str:
        return dotted(self.path[:-1])

    def where(self, *, at_key: bool = False) -> Where:
        return self.locate(self.path, at_key=at_key)


def _problem(item: Any, model: type[BaseModel], data: Mapping[str, Any], locate: Locate) -> ManifestInvalid:
    found = _Found(item, _path(item["loc"], data), model, locate)
    return _WORDS.get(item["type"], _other)(found)


def _ours(found: _Found) -> ManifestInvalid:
    """What a field refused with ``fields.refuse``."""
    context = found.item["ctx"]
    path = (*found.path, context["key"]) if context["key"] else found.path
    kind: type[ManifestInvalid] = getattr(errors, context["kind"])
    at_key = "[key]" in found.item["loc"] or bool(context["key"])
    return kind(context["cause"], remedy=context["remedy"], where=found.locate(path, at_key=at_key))


def _path(location: Iterable[str | int], data: Any) -> Path:
    """pydantic's location without the marks it adds inside unions and for keys."""
    path: list[str | int] = []
    value = data
    parts = list(location)
    for position, part in enumerate(parts):
        if part == "[key]":
            continue
        # Before a key of a call or a check stands which of their two forms it has; one form has a key of that very name.
        if (
            part in {"contract", "program"}
            and path[-2:-1]
            and path[-2] in {"calls", "checks"}
            and parts[position + 1 :]
        ):
            continue
        inside = (isinstance(value, Mapping) and part in value) or (
            isinstance(value, tuple) and isinstance(part, int) and part < len(value)
        )
        if inside:
            value = value[part]
        elif position < len(parts) - 1:
            continue
        path.append(part)
    return tuple(path)


def _unknown(found: _Found) -> ManifestInvalid:
    key = str(found.path[-1])
    of_program = len(found.path) == 3 and "program" in found.item["loc"][2:-1]
    known = _known_keys(found.model, found.path[:-1], of_program=of_program)
    return errors.UnknownKey(
        f"{dotted((key,))} is not a key of {f'[{found.table}]' if found.table else 'this file'}.{did_you_mean(key, known)}",
        remedy=f"Correct or delete it. Keys here: {', '.join(sorted(known))}."
        if known
        else "Delete it: no key goes here.",
        where=found.where(at_key=True),
    )


def _missing(found: _Found) -> ManifestInvalid:
    key = str(found.path[-1])
    examples = {"schema": "schema = 1 at the top", "project": "a [project] table with name and version"}
    return errors.MissingKey(
        f"{f'[{found.table}]' if found.table else 'The file'} has no {dotted((key,))}.",
        remedy=f"Add {examples.get(key, f'{key} = …')}.",
        where=found.where(at_key=True),
    )


def _literal(found: _Found) -> ManifestInvalid:
    expected = re.findall(r"'([^']*)'", found.item["ctx"]["expected"]) or [found.item["ctx"]["expected"]]
    value = found.item["input"]
    shown, hint = "This", ""
    if isinstance(value, str) and len(value) <= 40 and not secret_in_text(value):
        shown, hint = f'"{value}"', did_you_mean(value, expected)
    return errors.BadValue(
        f"{shown} is not one of the values {dotted(found.path)} takes.{hint}",
        remedy=f"Write one of: {', '.join(expected)}.",
        where=found.where(),
    )


def _wrong_type(wanted: str, example: str) -> Callable[[_Found], ManifestInvalid]:
    def words(found: _Found) -> ManifestInvalid:
        return errors.WrongType(
            f"{dotted(found.path)} is {_type_name(found.item['input'])}; {wanted} is wanted.",
            remedy=f"Write it as {example}.",
            where=found.where(),
        )

    return words


def _type_name(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", str: "text", tuple: "an array", dict: "a table"}
    return names.get(type(value), "something else")


def _other(found: _Found) -> ManifestInvalid:
    """Bounds, lengths and patterns: pydantic's own words hold the bound and never the value."""
    message = re.sub(r"^(Input|String|Value)( should)", r"it\2", str(found.item["msg"]))
    return errors.BadValue(
        f"{dotted(found.path)} has a value that is not allowed: {message}.",
        remedy="See docs/reference/manifest.md for the values this key takes.",
        where=found.where(),
    )


_WORDS: dict[str, Callable[[_Found], ManifestInvalid]] = {
    "ship": _ours,
    "extra_forbidden": _unknown,
    "missing": _missing,
    "literal_error": _literal,
    "string_type": _wrong_type("text", 'text in quotes: "…"'),
    "int_type": _wrong_type("an integer", "digits without quotes: 5"),
    "bool_type": _wrong_type("true or false", "true or false, without quotes"),
    "tuple_type": _wrong_type("an array", 'an array: ["…"]'),
    "model_type": _wrong_type("a table", "a table: { key = … }"),
    "model_attributes_type": _wrong_type("a table", "a table: { key = … }"),
    "mapping_type": _wrong_type("a table", "a table: { key = … }"),
    "dict_type": _wrong_type("a table", "a table: { key = … }"),
}


def _known_keys(model: type[BaseModel], path: Path, *, of_program: bool = False) -> list[str]:
    """The keys of the table at ``path``; ``of_program``: of the second of the two forms that a call or a check has."""
    kind: Any = model
    for part in path:
        kind = _step(kind, part)
    models = [o for o in _options(kind) if isinstance(o, type) and issubclass(o, BaseModel)]
    found = models[-1 if of_program else 0] if models else None
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _step(kind: Any, part: str | int) -> Any:
    found = _model_in(kind)
    if found is not None:
        for name, field in found.model_fields.items():
            if (field.alias or name) == part:
                return field.annotation
        return None
    for option in _options(kind):
        if get_origin(option) in {Mapping, dict}:
            return get_args(option)[1]
        if get_origin(option) is tuple:
            return get_args(option)[0]
        if getattr(get_origin(option), "__name__", "") == "Mapping":
            return get_args(option)[1]
    return None


def _model_in(kind: Any) -> type[BaseModel] | None:
    return next((o for o in _options(kind) if isinstance(o, type) and issubclass(o, BaseModel)), None)


def _options(kind: Any) -> list[Any]:
    """``kind`` itself, or the members of its union, without ``Annotated``."""
    if hasattr(kind, "__metadata__"):
        return _options(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        return [option for member in get_args(kind) for option in _options(member)]
    return [kind]
