"""The two files that travel: the request to sign, and what was signed.

Each is canonical JSON in a readable layout, with the sha256 of its canonical form (without that field) inside. The request
holds the whole approved plan, so that the other machine can hold every transaction against it and needs no project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from chains.canonical import canonical, digest, pretty
from chains.errors import Refused, Where
from chains.evm.transaction import UnsignedTransaction, decode_unsigned
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline.plan import Plan

__all__ = ["FileRefused", "Request", "RequestedTransaction", "Signed", "read_request", "read_signed", "signed_path"]

_REQUEST = "contract-ship/sign-request"
_SIGNED = "contract-ship/signed"
_NOT_ITS_OWN = "a digest or hash in it is not that of its bytes, or it has fields that it should not have"
_MAX_BYTES = 64 * 1024 * 1024


class FileRefused(Refused):
    """SHIP-O02: a file of offline signing is not what it has to be."""

    code = "SHIP-O02"


@dataclass(frozen=True)
class RequestedTransaction:
    """One transaction to sign. ``replaces``: an earlier one with this nonce was sent, with lower fees."""

    action: str
    unsigned: UnsignedTransaction
    replaces: bool = False

    @property
    def signing_hash(self) -> str:
        return "0x" + self.unsigned.signing_hash().hex()

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "payload": "0x" + self.unsigned.payload().hex(),
            "signing_hash": self.signing_hash,
            **({"replaces": True} if self.replaces else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RequestedTransaction:
        return cls(data["action"], decode_unsigned(bytes.fromhex(data["payload"][2:])), data.get("replaces", False))


@dataclass(frozen=True)
class Request:
    """What is to be signed, by which key, until when (RFC 3339; the fees in it age).

    ``abi`` are the functions its calls use, ``constructors`` the inputs of what it creates, by artifact. Both only help to
    show the bytes; nothing is signed because of them.
    """

    plan: Plan
    signer: str
    currency: str
    created_at: str
    expires_at: str
    transactions: tuple[RequestedTransaction, ...]
    abi: tuple[Mapping[str, Any], ...] = ()
    constructors: Mapping[str, Mapping[str, Any]] | None = None

    def _body(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": _REQUEST,
            "plan": self.plan.to_json(),
            "plan_sha256": self.plan.digest,
            "signer": self.signer,
            "currency": self.currency,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "transactions": [t.to_json() for t in self.transactions],
            "abi": [dict(entry) for entry in self.abi],
            "constructors": {name: dict(entry) for name, entry in (self.constructors or {}).items()},
        }

    @cached_property
    def sha256(self) -> str:
        return digest(self._body())

    def to_json(self) -> dict[str, Any]:
        return {**self._body(), "sha256": self.sha256}

    def write(self, path: Path) -> None:
        write_atomic(path, pretty(self.to_json()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        return cls(
            Plan.from_json(data["plan"]),
            data["signer"],
            data["currency"],
            data["created_at"],
            data["expires_at"],
            tuple(RequestedTransaction.from_json(t) for t in data["transactions"]),
            tuple(data["abi"]),
            data["constructors"],
        )


@dataclass(frozen=True)
class Signed:
    """Signed transactions, each with the action it is for. ``request`` is the sha256 of what they answer."""

    request: str
    signer: str
    transactions: tuple[tuple[str, bytes], ...]

    def to_json(self) -> dict[str, Any]:
        body = {
            "schema": 1,
            "kind": _SIGNED,
            "request": self.request,
            "signer": self.signer,
            "transactions": [{"action": action, "raw": "0x" + raw.hex()} for action, raw in self.transactions],
        }
        return {**body, "sha256": digest(body)}

    def write(self, path: Path) -> None:
        write_atomic(path, pretty(self.to_json()))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signed:
        signed = tuple((str(t["action"]), bytes.fromhex(t["raw"][2:])) for t in data["transactions"])
        return cls(data["request"], data["signer"], signed)


def signed_path(request: Path) -> Path:
    """``NAME.signed.json`` beside ``NAME.json``."""
    return request.with_name(request.name.removesuffix(".json") + ".signed.json")


def read_bytes(path: Path) -> bytes:
    """The file, if it is not too large. Raises ``FileRefused``."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _no(path, f"it is larger than {_MAX_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise _no(path, f"it cannot be read: {error.strerror}") from error


def read_request(path: Path) -> Request:
    """The request in ``path``, every digest and hash in it recomputed from the bytes. Raises ``FileRefused``."""
    data = _read(path, _REQUEST)
    try:
        request = Request.from_json(data)
        if canonical(request.to_json()) != canonical(data):
            raise ValueError(_NOT_ITS_OWN)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no(path, f"{type(error).__name__}: {error}") from error
    return request


def read_signed(path: Path) -> Signed:
    """The signed transactions in ``path``, not yet held against anything. Raises ``FileRefused``."""
    data = _read(path, _SIGNED)
    try:
        signed = Signed.from_json(data)
        if canonical(signed.to_json()) != canonical(data):
            raise ValueError(_NOT_ITS_OWN)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no(path, f"{type(error).__name__}: {error}") from error
    return signed


def _read(path: Path, kind: str) -> Mapping[str, Any]:
    try:
        data = read_json(read_bytes(path))
        if not isinstance(data, dict) or data.get("schema") != 1 or data.get("kind") != kind:
            raise ValueError(f"it is not a {kind} of a version known here")
    except ValueError as error:
        raise _no(path, str(error)) from error
    return data


def _no(path: Path, why: str) -> FileRefused:
    return FileRefused(
        f"this file is refused: {why}",
        where=Where(str(path)),
        remedy="Nothing was signed or taken. Carry the file over again; if it comes again, do not use that file.",
    )
