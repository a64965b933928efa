"""Anchor IDLs, those of 0.30 and later and those before: instructions encoded, accounts decoded, addresses derived.

Source: Anchor's IDL specification 0.1.0; before it discriminators were not written down but follow from the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana.borsh import Reader, encode
from chains.solana.idl_accounts import resolved

__all__ = ["Idl", "IdlRefused", "derive_pda", "legacy"]


class IdlRefused(Refused):
    """SHIP-Q17: an IDL, or what is asked of one, cannot be used."""

    code = "SHIP-Q17"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _flat(accounts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Groups of accounts are written out in their place; their names tell them apart."""
    return [one for account in accounts for one in (_flat(account["accounts"]) if "accounts" in account else [account])]


def _discriminator(space: str, name: str) -> bytes:
    return sha256(f"{space}:{name}".encode()).digest()[:8]


@dataclass(frozen=True)
class Idl:
    """One program's IDL, of either form; names are taken in either spelling."""

    body: Mapping[str, Any]

    @property
    def modern(self) -> bool:
        return "metadata" in self.body and "spec" in self.body["metadata"]

    @property
    def types(self) -> dict[str, Any]:
        """Definitions by name; before 0.30 those of accounts stand with the accounts."""
        entries = [*self.body.get("types", []), *([] if self.modern else self.body.get("accounts", []))]
        return {entry["name"]: entry["type"] for entry in entries}

    def instruction(
        self,
        program: str,
        name: str,
        arguments: Mapping[str, Any],
        accounts: Mapping[str, str],
        *,
        signer: str | None = None,
    ) -> Instruction:
        """Every argument by name, none more; accounts that follow from the IDL and from ``signer`` may be left out.

        Raises ``IdlRefused`` and ``BorshRefused``.
        """
        found = self._find("instructions", name)
        given = {_snake(key): value for key, value in arguments.items()}
        wanted = [_snake(argument["name"]) for argument in found["args"]]
        if set(given) != set(wanted):
            raise IdlRefused(f"{name} takes ({', '.join(wanted)})", remedy="Give each argument by its name.")
        data = b"".join(encode(arg["type"], given[_snake(arg["name"])], self.types) for arg in found["args"])
        head = bytes(found.get("discriminator") or _discriminator("global", _snake(found["name"])))
        kinds = {_snake(argument["name"]): argument["type"] for argument in found["args"]}
        listed = [{**account, "name": _snake(account["name"])} for account in _flat(found["accounts"])]
        named = {_snake(key): value for key, value in accounts.items()}
        unknown = set(named) - {account["name"] for account in listed}
        if unknown:
            raise IdlRefused(f"{name} has no account {', '.join(sorted(unknown))}", remedy="Correct the name.")
        try:
            known = resolved(listed, named, given, kinds, program=program, signer=signer, types=self.types)
            metas = self._metas(found, known)
        except ValueError as error:
            raise IdlRefused(f"an account of {name} is no address: {error}", remedy="Write it in base58.") from error
        return Instruction(Pubkey.from_string(program), head + data, metas)

    def _metas(self, found: Mapping[str, Any], given: Mapping[str, str]) -> list[AccountMeta]:
        metas = []
        for account in _flat(found["accounts"]):
            key = given.get(_snake(account["name"]))
            if key is None:
                raise IdlRefused(
                    f"{found['name']} needs the account {account['name']}", remedy="Name it under `accounts`."
                )
            signer = account.get("signer", account.get("isSigner", False))
            writable = account.get("writable", account.get("isMut", False))
            metas.append(AccountMeta(Pubkey.from_string(key), signer, writable))
        return metas

    def named(self, data: bytes) -> str | None:
        """Which instruction these bytes are, by their first eight; ``None`` for none of this program's."""
        for entry in self.body.get("instructions", []):
            head = bytes(entry.get("discriminator") or _discriminator("global", _snake(entry["name"])))
            if data[: len(head)] == head:
                return _snake(entry["name"])
        return None

    @staticmethod
    def spelled(name: str) -> str:
        """A name as it is compared: in snake case, whichever way it is written."""
        return _snake(name)

    def arguments(self, name: str) -> list[Mapping[str, Any]]:
        """Name and type of each argument of an instruction. Raises ``IdlRefused``."""
        return list(self._find("instructions", name)["args"])

    def account(self, name: str, data: bytes) -> dict[str, Any]:
        """The fields of an account. Raises ``IdlRefused`` where it is another kind, and ``BorshRefused``."""
        found = self._find("accounts", name)
        head = bytes(found.get("discriminator") or _discriminator("account", found["name"]))
        if data[: len(head)] != head:
            raise IdlRefused(f"the account is not a {found['name']}", remedy="Check its address.")
        fields: dict[str, Any] = Reader(data[len(head) :], self.types).read({"defined": {"name": found["name"]}})
        return fields

    def field(self, kind: str, name: str) -> Any:
        """The type of an account's field. Raises ``IdlRefused``."""
        found = self._find("accounts", kind)
        fields = self.types.get(found["name"], {}).get("fields") or []
        known = {field["name"]: field["type"] for field in fields if isinstance(field, Mapping)}
        if name not in known:
            raise IdlRefused(f"{kind} has no field {name}: {', '.join(known)}", remedy="Correct the name.")
        return known[name]

    def _find(self, kind: str, name: str) -> Mapping[str, Any]:
        entries: list[Mapping[str, Any]] = list(self.body.get(kind, []))
        for entry in entries:
            if _snake(entry["name"]) == _snake(name):
                return entry
        known = ", ".join(entry["name"] for entry in entries)
        raise IdlRefused(f"the IDL has no {name} among its {kind}: {known}", remedy="Correct the name.")


def derive_pda(expression: str) -> str:
    """``pda:PROGRAM/seed,…``: seeds are text, ``0x`` hex, ``key:BASE58`` or ``u8|u16|u32|u64:NUMBER`` (little-endian).

    Raises ``IdlRefused``.
    """
    head, _, rest = expression.partition("/")
    try:
        if not head.startswith("pda:"):
            raise ValueError("it does not begin with pda:")
        seeds = [_seed(text) for text in rest.split(",")] if rest else []
        if len(seeds) > 15 or any(len(seed) > 32 for seed in seeds):
            raise ValueError("at most 15 seeds of at most 32 bytes")
        return str(Pubkey.find_program_address(seeds, Pubkey.from_string(head[4:]))[0])
    except (ValueError, OverflowError) as error:
        raise IdlRefused(f"{expression!r} names no address: {error}", remedy="pda:PROGRAM/seed,seed") from error


def _seed(text: str) -> bytes:
    if text.startswith("0x"):
        return bytes.fromhex(text[2:])
    if text.startswith("key:"):
        return bytes(Pubkey.from_string(text[4:]))
    if match := re.fullmatch(r"u(8|16|32|64):(\d+)", text):
        return int(match[2]).to_bytes(int(match[1]) // 8, "little")
    return text.encode()


def _legacy_type(kind: Any) -> Any:
    if not isinstance(kind, dict):
        return "publicKey" if kind == "pubkey" else kind
    ((shape, inner),) = kind.items()
    if shape == "defined":
        return {"defined": inner["name"] if isinstance(inner, dict) else inner}
    return {shape: [_legacy_type(inner[0]), inner[1]] if shape == "array" else _legacy_type(inner)}


def _legacy_fields(fields: list[Any]) -> list[Any]:
    named = [isinstance(field, dict) and "name" in field for field in fields]
    return [
        {"name": _camel(field["name"]), "type": _legacy_type(field["type"])} if has_name else _legacy_type(field)
        for field, has_name in zip(fields, named, strict=True)
    ]


def _legacy_definition(kind: Mapping[str, Any]) -> dict[str, Any]:
    if kind["kind"] == "struct":
        return {"kind": "struct", "fields": _legacy_fields(kind.get("fields") or [])}
    variants = []
    for variant in kind.get("variants", []):
        fields = {"fields": _legacy_fields(variant["fields"])} if variant.get("fields") else {}
        variants.append({"name": variant["name"], **fields})
    return {"kind": "enum", "variants": variants}


def legacy(idl: Idl) -> dict[str, Any]:
    """The form before 0.30, the only one some clients read. Discriminators that are not the usual ones are lost with it."""
    body = idl.body
    if not idl.modern:
        return dict(body)
    definitions = {name: _legacy_definition(kind) for name, kind in idl.types.items()}
    accounts = [entry["name"] for entry in body.get("accounts", [])]
    instructions = []
    for entry in body["instructions"]:
        metas = [
            {"name": _camel(a["name"]), "isMut": a.get("writable", False), "isSigner": a.get("signer", False)}
            for a in entry["accounts"]
        ]
        instructions.append({"name": _camel(entry["name"]), "accounts": metas, "args": _legacy_fields(entry["args"])})
    return {
        "version": body["metadata"]["version"],
        "name": body["metadata"]["name"],
        "instructions": instructions,
        "accounts": [{"name": name, "type": definitions[name]} for name in accounts],
        "types": [{"name": name, "type": kind} for name, kind in definitions.items() if name not in accounts],
        "errors": body.get("errors", []),
    }
