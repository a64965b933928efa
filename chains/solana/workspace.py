"""An Anchor workspace: built programs and their IDLs, and which address each of its files names for a program.

A program's address stands in up to five places. Where two of them differ, clients and the program would disagree: nothing is
released then.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from chains.errors import Refused, Where
from chains.jsontext import read_json

__all__ = ["KeypairUnusable", "ProgramFilesWrong", "ProgramIdsDiffer", "ProgramPaths", "agreed_id", "read_program"]

_BPF_MACHINES = {247, 263}
"""e_machine of eBPF and of Solana's own form of it."""
_LARGEST = 10 * 1024 * 1024
_KEYPAIR_BYTES = 2_048
_DECLARED = re.compile(r"^\s*declare_id!\s*\(\s*\"([1-9A-HJ-NP-Za-km-z]{32,44})\"\s*\)", re.MULTILINE)
_CLUSTERS = {"solana": "mainnet", "solana-devnet": "devnet", "solana-testnet": "testnet", "solana-local": "localnet"}


class ProgramFilesWrong(Refused):
    """SHIP-B30: a program's files are missing, or are not what they should be."""

    code = "SHIP-B30"


class ProgramIdsDiffer(Refused):
    """SHIP-B31: the files of a workspace name different addresses for one program, or none."""

    code = "SHIP-B31"


class KeypairUnusable(Refused):
    """SHIP-B32: a program's keypair file cannot be used."""

    code = "SHIP-B32"


@dataclass(frozen=True)
class ProgramPaths:
    """Where a program's files lie. ``root`` is the folder of Anchor.toml; ``security`` may be absent."""

    name: str
    root: Path
    elf: Path
    idl: Path
    keypair: Path
    security: Path | None = None
    sha256: str | None = None


def read_program(paths: ProgramPaths) -> dict[str, bytes]:
    """The bytes a bundle holds of a program, by suffix: ``so``, and ``idl.json`` and ``security.json`` where they are.

    Raises ``ProgramFilesWrong``.
    """
    from hashlib import sha256

    elf = _bytes(paths.elf, "Build it: `anchor build`, or `cargo build-sbf`.")
    if elf[:4] != b"\x7fELF" or len(elf) < 64 or int.from_bytes(elf[18:20], "little") not in _BPF_MACHINES:
        raise _wrong(paths.elf, "is not a program built for Solana", "Build it with `cargo build-sbf`.")
    if paths.sha256 is not None and sha256(elf).hexdigest() != paths.sha256:
        raise _wrong(
            paths.elf,
            f"has sha256 {sha256(elf).hexdigest()}, ship.toml states {paths.sha256}",
            "Take the build that was meant, or correct `sha256`.",
        )
    files = {"so": elf}
    if paths.idl.is_file():
        data = _bytes(paths.idl, "")
        _idl(paths.idl, data)
        files["idl.json"] = data
    if paths.security is not None:
        data = _bytes(paths.security, "Write it, or delete `security`.")
        if not isinstance(_json(paths.security, data), dict):
            raise _wrong(
                paths.security, "is not a JSON object", "See https://github.com/solana-program/program-metadata."
            )
        files["security.json"] = data
    return files


def _bytes(path: Path, remedy: str) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise _wrong(path, "is larger than an account can be", "Check that it is the right file.")
        return path.read_bytes()
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}", remedy) from error


def _wrong(path: Path, what: str, remedy: str) -> ProgramFilesWrong:
    return ProgramFilesWrong(f"{path.name} {what}", where=Where(str(path)), remedy=remedy)


def _json(path: Path, data: bytes) -> Any:
    try:
        return read_json(data)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"is not JSON: {error}", "Build it again.") from error


def _idl(path: Path, data: bytes) -> Mapping[str, Any]:
    body = _json(path, data)
    if not isinstance(body, dict) or not isinstance(body.get("instructions"), list):
        raise _wrong(path, "is not an IDL", "Build it again: `anchor build`, or `anchor idl build`.")
    return body


# -- the address -------------------------------------------------------------------------------------------------------


def agreed_id(paths: ProgramPaths, stated: str | None, chain: str, idl: Mapping[str, Any] | None) -> str:
    """The program's address, which every place that names one agrees on. Raises ``ProgramIdsDiffer``."""
    found = {place: text for place, text in _named(paths, stated, chain, idl) if text}
    if not found:
        raise ProgramIdsDiffer(
            f"nothing names the address of {paths.name}",
            where=Where(str(paths.root)),
            remedy=f"Write `program-id` under [programs.{paths.name}].",
        )
    if len(set(found.values())) > 1:
        listed = "; ".join(f"{place}: {text}" for place, text in found.items())
        raise ProgramIdsDiffer(
            f"the address of {paths.name} is not one: {listed}",
            where=Where(str(paths.root)),
            remedy="Make them one (`anchor keys sync`), then build again: the program itself refuses to run under another.",
        )
    return next(iter(found.values()))


def _named(
    paths: ProgramPaths, stated: str | None, chain: str, idl: Mapping[str, Any] | None
) -> Iterator[tuple[str, str | None]]:
    yield "ship.toml", stated
    body = idl or {}
    yield "the IDL", body.get("address") or dict(body.get("metadata") or {}).get("address")
    yield "Anchor.toml", _anchor_toml(paths.root).get(_CLUSTERS.get(chain, chain), {}).get(paths.name)
    yield "declare_id!", _declared(paths)
    if paths.keypair.is_file():
        yield paths.keypair.name, str(keypair(paths.keypair).pubkey())


def _anchor_toml(root: Path) -> Mapping[str, Any]:
    path = root / "Anchor.toml"
    try:
        programs = tomllib.loads(path.read_text(encoding="utf-8")).get("programs", {})
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _wrong(path, f"cannot be read: {error}", "Correct it.") from error
    return programs if isinstance(programs, dict) else {}


def _declared(paths: ProgramPaths) -> str | None:
    """The address in the program's own source, where that is Rust."""
    for folder in (paths.name, paths.name.replace("_", "-")):
        source = paths.root / "programs" / folder / "src" / "lib.rs"
        if source.is_file():
            match = _DECLARED.search(source.read_text(encoding="utf-8", errors="replace"))
            return match[1] if match else None
    return None


_ANOTHER = "Name the program's own keypair under [programs]; `keypair` is where Anchor writes it otherwise."


def keypair(path: Path) -> Keypair:
    """A keypair as Solana's tools write it: a JSON array of 64 numbers. Raises ``KeypairUnusable``; its content is never shown."""
    try:
        with path.open("rb") as file:
            numbers = json.loads(file.read(_KEYPAIR_BYTES))  # a longer one ends in the middle, and is none
        whole = Keypair.from_bytes(bytes(numbers))
    except OSError as error:
        raise KeypairUnusable(
            f"{path.name} cannot be read: {error.strerror}", where=Where(str(path)), remedy=_ANOTHER
        ) from None
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise KeypairUnusable(
            f"{path.name} is not a keypair", where=Where(str(path)), remedy="It holds a JSON array of 64 numbers."
        ) from None
    if Pubkey.from_bytes(bytes(whole)[32:]) != whole.pubkey():
        raise KeypairUnusable(
            f"the two halves of {path.name} do not belong together", where=Where(str(path)), remedy=_ANOTHER
        )
    return whole
