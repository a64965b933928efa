"""The types of manifest fields: what each accepts, and the words it is refused with.

A field refuses with ``refuse(kind, cause, remedy)``; ``validation`` turns that into the error class of the kind, with
its place in the file. Causes never hold the value unless it is safe to show.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from chains.evm.hashing import checksum
from pipeline.manifest.amounts import AmountError, parse_wei
from pipeline.manifest.guards import address_problem
from pipeline.manifest.secret_names import FORMS, SCHEMES
from pipeline.manifest.signatures import SignatureError, parse_signature
from pipeline.manifest.urls import UrlError, parse_url

__all__ = [
    "Address",
    "Amount",
    "Argument",
    "BasisPoints",
    "CallSignature",
    "Endpoint",
    "Finality",
    "HexHash",
    "Name",
    "ReadSignature",
    "Reason",
    "RelativePath",
    "Salt",
    "SecretReference",
    "Source",
    "Spec",
    "Url",
    "check_address",
    "refuse",
]

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def refuse(kind: str, cause: str, remedy: str, *, key: str = "") -> NoReturn:
    """Refuse a value from inside a validator. ``kind`` names the error class, ``key`` the one of a table's keys meant."""
    raise PydanticCustomError("ship", "{cause}", {"kind": kind, "cause": cause, "remedy": remedy, "key": key})


class Spec(BaseModel):
    """A table of a manifest: frozen, unknown keys refused, no conversion between types."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_name=False,
    )


def _amount(value: Any) -> int:
    try:
        return parse_wei(value)
    except AmountError as error:
        refuse("BadAmount", f"This is not an amount: {error}.", 'Write it as "2 gwei", "0.05 ether" or "10 wei".')


Amount = Annotated[
    int,
    BeforeValidator(_amount),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^\d+(\.\d+)? (wei|gwei|ether)$"},
                {"type": "integer", "minimum": 0},
            ],
            "title": "amount",
        }
    ),
]
"""Wei."""


def _basis_points(value: Any) -> int:
    match = re.fullmatch(r"([0-9]{1,4})(?:\.([0-9]{1,2}))?%", value) if isinstance(value, str) else None
    if not match or (points := int(match[1]) * 100 + int((match[2] or "0").ljust(2, "0"))) > 100_000:
        refuse("BadValue", "This is not a percentage from 0% to 1000%.", 'Write it in quotes, as "20%" or "0.5%".')
    return points


BasisPoints = Annotated[
    int,
    BeforeValidator(_basis_points),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,4}(\.\d{1,2})?%$", "title": "percentage"}),
]
"""Hundredths of a percent."""


def check_name(value: str) -> str:
    if not re.fullmatch(NAME_PATTERN.rstrip("$"), value):
        refuse(
            "BadName",
            "This name is not allowed.",
            "A name starts with a letter (A to Z, a to z) and has at most 64 letters, digits, - and _.",
        )
    return value


Name = Annotated[str, AfterValidator(check_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]


def path_problem(path: str) -> str | None:
    """Why ``path`` may not stand in a manifest, or nothing. Links are looked at later, when the root is known."""
    parts = path.split("/")
    checks = (
        (not path, "the path is empty"),
        (not path.isprintable(), "the path holds a control character"),
        ("\\" in path, "the path holds a backslash; folders are separated by /"),
        (path.startswith("/") or re.match(r"[A-Za-z]:", path) is not None, "the path is absolute"),
        (".." in parts, 'the path climbs out with ".."'),
        (any(part.startswith("-") for part in parts), 'a part of it starts with "-" and could be taken for an option'),
        ("" in parts[:-1], "the path has an empty part"),
        (len(path) > 1_000, "the path is longer than 1,000 characters"),
        (path.startswith("~"), "the path starts with ~; only signer.file may"),
    )
    return next((problem for wrong, problem in checks if wrong), None)


def _relative_path(value: str) -> str:
    problem = path_problem(value)
    if problem:
        refuse("BadPath", f"This path is refused: {problem}.", "Write a path inside the project, relative to its root.")
    return value


RelativePath = Annotated[str, AfterValidator(_relative_path)]


def _keystore_path(value: str) -> str:
    if value.startswith("env:"):
        return _secret_reference(value)
    return "~/" + _relative_path(value[2:]) if value.startswith("~/") else _relative_path(value)


KeystorePath = Annotated[str, AfterValidator(_keystore_path)]
"""A path in the project, ``~/…``, or ``env:NAME`` holding one."""


def _source(value: str) -> str:
    path, colon, name = value.rpartition(":")
    if not colon or not path or not _IDENTIFIER.fullmatch(name):
        refuse("BadValue", "This is not a contract's source.", 'Write "path:Contract", as "src/Vault.sol:Vault".')
    _relative_path(path)
    return value


Source = Annotated[
    str,
    AfterValidator(_source),
    WithJsonSchema({"type": "string", "pattern": "^[^/~\\\\-][^\\\\]*:[A-Za-z_$][A-Za-z0-9_$]*$"}),
]


def _signature(value: str, *, returns: bool) -> str:
    example = '"owner()(address)"' if returns else '"initialize(address,uint256)"'
    try:
        signature = parse_signature(value)
    except SignatureError as error:
        refuse("BadSignature", f"This is not a function signature: {error}.", f"Write it as {example}.")
    if returns and signature.outputs is None:
        refuse("BadSignature", "A read needs the type it returns.", f"Write it after the arguments, as {example}.")
    if not returns and signature.outputs is not None:
        refuse("BadSignature", "A call is written without return types.", f"Write it as {example}.")
    return value


CallSignature = Annotated[str, AfterValidator(lambda value: _signature(value, returns=False))]
ReadSignature = Annotated[str, AfterValidator(lambda value: _signature(value, returns=True))]


def _salt(value: str) -> str:
    if not value:
        refuse("BadValue", "The salt is empty.", "Write any text (its keccak256 is used) or 0x and 64 hex digits.")
    if re.match(r"0[xX]", value) and not re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        refuse(
            "BadValue",
            "A salt that starts with 0x has exactly 64 hex digits after it.",
            "Write all 32 bytes, or a text without 0x (its keccak256 is used).",
        )
    return value


Salt = Annotated[str, AfterValidator(_salt)]


def check_address(value: str) -> str:
    """With its checksum; refused unless it is an address."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", value):
        refuse("BadAddress", "This is not an address.", "Write 0x and 40 hex digits, with the EIP-55 checksum.")
    problem = address_problem(value)
    if problem:
        refuse("BadAddress", problem[0], problem[1])
    return checksum(value)


Address = Annotated[
    str, AfterValidator(check_address), WithJsonSchema({"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"})
]


def _hex_hash(value: str) -> str:
    if not re.fullmatch(r"0x[0-9a-f]{64}", value):
        refuse("BadValue", "This is not a block hash.", "Write 0x and 64 lower-case hex digits.")
    return value


HexHash = Annotated[str, AfterValidator(_hex_hash)]


_ANY = re.compile(r"[^\n\0]+")
_REST = {
    "env:": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}"),
    "vault:": re.compile(r"[^\n\0#?%/]+(/[^\n\0#?%/]+)+#[^\n\0#]+"),
    "aws-sm:": re.compile(r"[^\n\0#]+(#[^\n\0#]+)?"),
    "sops:": re.compile(r"[^\n\0]+#[^\n\0#]+"),
    "keyring:": re.compile(r"[^\n\0]+/[^\n\0/]+"),
}
"""What may stand behind a scheme; elsewhere ``_ANY``."""


def _secret_reference(value: str) -> str:
    scheme = next((scheme for scheme in SCHEMES if value.startswith(scheme)), None)
    rest = value[len(scheme) :] if scheme else ""
    if scheme is None or not _REST.get(scheme, _ANY).fullmatch(rest):
        known = ", ".join(FORMS.values()) if scheme is None else FORMS[scheme]
        refuse(
            "BadSecretReference",
            "This is not a reference to a secret (its text is not shown).",
            f"Write {known}; the secret itself never stands in a manifest.",
        )
    return value


SecretReference = Annotated[
    str,
    AfterValidator(_secret_reference),
    WithJsonSchema({"type": "string", "pattern": "^(" + "|".join(SCHEMES) + ").+$"}),
]


def _url(value: str) -> str:
    try:
        parse_url(value)
    except UrlError as error:
        refuse("BadUrl", f"This URL is refused: {error}.", "Write https://host/path, without keys or passwords.")
    return value


Url = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]


def _endpoint(value: str) -> str:
    return _secret_reference(value) if value.startswith(SCHEMES) and "://" not in value else _url(value)


Endpoint = Annotated[str, AfterValidator(_endpoint)]
"""A URL without a key, or a reference to one with."""


def _argument(value: Any) -> Any:
    """Arguments are checked against the ABI when the plan is made; here only that they can be arguments at all."""
    if isinstance(value, Mapping):
        return {key: _argument(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_argument(item) for item in value)
    if isinstance(value, bool | int | str):
        return value
    refuse("WrongType", "This cannot be an argument.", "Use text, integers, booleans, arrays and tables.")


Argument = Annotated[
    Any, AfterValidator(_argument), WithJsonSchema({"type": ["string", "integer", "boolean", "array", "object"]})
]


def _finality(value: Any) -> str | int:
    if value in ("finalized", "safe", "latest") and isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000:
        return value
    refuse(
        "BadValue",
        "This is not a finality rule.",
        'Write "finalized", "safe", "latest", or a number of confirmations from 1.',
    )


Finality = Annotated[
    Literal["finalized", "safe", "latest"] | int,
    BeforeValidator(_finality),
    WithJsonSchema({"anyOf": [{"enum": ["finalized", "safe", "latest"]}, {"type": "integer", "minimum": 1}]}),
]


def _reason(value: str) -> str:
    if len(value.split()) < 2:
        refuse("BadValue", "This is not a reason.", "Say in a sentence why it is accepted: it goes into the record.")
    return value


Reason = Annotated[str, AfterValidator(_reason)]
Names = tuple[Name, ...]


def _schema_number(value: Any) -> Any:
    if type(value) is not int or value != 1:
        refuse("WrongSchema", "schema is the number 1 in this version of ship.", "Write schema = 1.")
    return value


Schema1 = Annotated[
    Literal[1], BeforeValidator(_schema_number), Field(description="The version of this file's format: 1.")
]
