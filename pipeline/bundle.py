"""The bundle: what a build made, by content. Same inputs, same digest, byte for byte.

    .ship/bundles/<digest>/
        bundle.json              what is in it; its sha256 is the digest
        artifacts/<name>.json    one contract each
        inputs/<sha256>.json     the compiler's standard JSON input of one or more contracts
        programs/<name>.so       a Solana program; <name>.idl.json and <name>.security.json beside it

Nothing in it tells when, where or by whom it was made.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.errors import Refused, Where
from chains.evm.artifacts import Artifact
from chains.evm.sources import choose
from chains.files import fsync_folder
from chains.jsontext import read_json
from pipeline.artifact_json import artifact_from_json, artifact_to_json

__all__ = ["Bundle", "BundleDamaged", "BundleMissing", "add_programs", "load_bundle", "place_bundle", "write_bundle"]

KIND = "contract-ship/bundle"
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}")


class BundleDamaged(Refused):
    """SHIP-B20: a file of a bundle is not the one that was written."""

    code = "SHIP-B20"


class BundleMissing(Refused):
    """SHIP-B21: there is no bundle of this digest."""

    code = "SHIP-B21"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk, every file of which was held against its digest when it was loaded."""

    folder: Path
    digest: str
    manifest: Mapping[str, Any]
    _read: dict[str, Artifact] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """``path:Contract`` of every contract."""
        return tuple(self.manifest["artifacts"])

    @property
    def toolchain(self) -> Mapping[str, Any]:
        toolchain: Mapping[str, Any] = self.manifest["toolchain"]
        return toolchain

    def artifact(self, source: str) -> Artifact:
        """The contract ``path:Contract``, or a name only one contract has.

        Raises ``SourceUnknown``, ``SourceAmbiguous`` and ``BundleDamaged``.
        """
        chosen = choose(source, self.sources)
        if chosen not in self._read:
            data = self.read(self.manifest["artifacts"][chosen]["file"])
            self._read[chosen] = artifact_from_json(json.loads(data))
        return self._read[chosen]

    def input(self, artifact: Artifact) -> bytes:
        """The compiler's standard JSON input that gives ``artifact``."""
        return self.read(f"inputs/{artifact.input_sha256}.json")

    @property
    def programs(self) -> tuple[str, ...]:
        """The names of its Solana programs."""
        return tuple(self.manifest["programs"])

    def program(self, name: str, suffix: str) -> bytes | None:
        """A file of a Solana program (``so``, ``idl.json``, ``security.json``), ``None`` for one it does not have."""
        file = self.manifest["programs"].get(name, {}).get(suffix)
        return self.read(file) if file is not None else None

    def read(self, name: str) -> bytes:
        """A file of the bundle, held against its digest. Raises ``BundleDamaged``."""
        path = self.folder / name
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _damaged(path, f"cannot be read: {error.strerror}") from error
        if sha256_hex(data) != self.manifest["files"].get(name):
            raise _damaged(path, "does not have the digest bundle.json gives it")
        return data


def _damaged(path: Path, what: str) -> BundleDamaged:
    return BundleDamaged(
        f"{path.name} of bundle {path.parent.name[:12] if path.name == 'bundle.json' else path.parent.parent.name[:12]} {what}",
        where=Where(str(path)),
        remedy="Remove the bundle's folder and build again, or fetch the bundle again: these bytes are not what was tested.",
    )


def _file_name(source: str) -> str:
    """A name for the artifact's file: readable, and different for sources that differ."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", source.rpartition(":")[2])[:80]
    return f"artifacts/{safe}-{sha256_hex(source.encode())[:12]}.json"


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_bundle(
    folder: Path,
    *,
    project: str,
    toolchain: Mapping[str, Any],
    artifacts: Iterable[tuple[Artifact, bytes]],
) -> Bundle:
    """Write a bundle below ``folder`` (``.ship/bundles``): whole, or not at all.

    ``artifacts`` come with their standard JSON input. The same content a second time changes nothing.
    """
    files: dict[str, bytes] = {}
    listed: dict[str, dict[str, str]] = {}
    for artifact, standard in artifacts:
        name, data = _file_name(artifact.source), pretty(artifact_to_json(artifact))
        files[name] = data
        files[f"inputs/{artifact.input_sha256}.json"] = standard
        listed[artifact.source] = {
            "file": name,
            "sha256": sha256_hex(data),
            "creation_code_sha256": sha256_hex(artifact.creation_code),
            "runtime_code_sha256": sha256_hex(artifact.runtime_code),
        }
    manifest = {
        "schema": 1,
        "kind": KIND,
        "project": {"name": project},
        "toolchain": dict(toolchain),
        "artifacts": listed,
        "programs": {},
        "files": {name: sha256_hex(data) for name, data in files.items()},
    }
    return _placed(folder, manifest, files)


def add_programs(
    folder: Path,
    contracts: Bundle | None,
    *,
    project: str,
    built_by: str,
    programs: Mapping[str, Mapping[str, bytes]],
) -> Bundle:
    """The bundle of a project with programs: what ``contracts`` holds, and each program's files by suffix.

    ``compiled`` names the bundle of the contracts alone, over which their gates were judged.
    """
    base: Mapping[str, Any] = contracts.manifest if contracts else {"artifacts": {}, "toolchain": {}, "files": {}}
    files = {name: contracts.read(name) for name in base["files"]} if contracts else {}
    listed: dict[str, dict[str, str]] = {}
    for program, parts in programs.items():
        for suffix, data in parts.items():
            name = f"programs/{program}.{suffix}"
            files[name] = data
            listed.setdefault(program, {})[suffix] = name
    manifest = {
        "schema": 1,
        "kind": KIND,
        "project": {"name": project},
        "toolchain": {**base["toolchain"], "programs": built_by},
        "artifacts": base["artifacts"],
        "programs": listed,
        **({"compiled": contracts.digest} if contracts else {}),
        "files": {name: sha256_hex(data) for name, data in files.items()},
    }
    return _placed(folder, manifest, files)


def _placed(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    data = pretty(manifest)
    digest = sha256_hex(data)
    _place(folder, digest, {**files, "bundle.json": data})
    return load_bundle(folder, digest)


def place_bundle(folder: Path, files: Mapping[str, bytes]) -> Bundle:
    """A bundle's files as somebody sent them, written below ``folder`` and checked as every bundle is. Raises ``BundleDamaged``."""
    if any(not _FILE.fullmatch(name) or ".." in name.split("/") for name in files):
        raise BundleDamaged(
            "the bundle holds a file outside its folder", remedy="Fetch it again, from where it was published."
        )
    digest = sha256_hex(files.get("bundle.json", b""))
    # Held against its manifest before it is written: a good bundle of this name may lie there already and would hide a bad one.
    with tempfile.TemporaryDirectory(prefix="ship-bundle-") as looked_at:
        _place(Path(looked_at), digest, files)
        bundle = load_bundle(Path(looked_at), digest)
        if set(files) != {*bundle.manifest["files"], "bundle.json"}:
            raise BundleDamaged("the bundle holds files its bundle.json does not name", remedy="Fetch it again.")
    _place(folder, digest, files)
    return load_bundle(folder, digest)


def _place(folder: Path, digest: str, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / digest
    if target.is_dir():
        try:
            load_bundle(folder, digest)
        except Refused:
            shutil.rmtree(target)
        else:
            return
    temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    try:
        for name, data in files.items():
            _write(temporary / name, data)
        for inner in {(temporary / name).parent for name in files}:
            fsync_folder(inner)
        temporary.chmod(0o755)
        try:
            temporary.rename(target)
        except OSError:
            if not target.is_dir():  # else another run wrote the same
                raise
        fsync_folder(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _manifest(path: Path, data: bytes) -> Mapping[str, Any]:
    """``bundle.json``: a digest says that it is the one somebody meant, not that it can be read."""
    try:
        manifest = read_json(data)
        if not isinstance(manifest, dict):
            raise TypeError("it is no object")
        for part in ("artifacts", "programs", "files", "toolchain"):
            if not isinstance(manifest.get(part), dict):
                raise TypeError(f"it has no {part}")
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(path, f"cannot be read: {error}") from error
    return manifest


def load_bundle(folder: Path, digest: str) -> Bundle:
    """The bundle of this digest below ``folder``, every file checked. Raises ``BundleMissing`` and ``BundleDamaged``."""
    home = folder / digest
    path = home / "bundle.json"
    if not re.fullmatch(r"[0-9a-f]{64}", digest) or not path.is_file():
        raise BundleMissing(
            f"there is no bundle {digest[:12]}…",
            where=Where(str(home)),
            remedy="Run `ship build`, or fetch the bundle.",
        )
    data = path.read_bytes()
    if sha256_hex(data) != digest:
        raise _damaged(path, "does not have the digest it is named by")
    manifest = _manifest(path, data)
    if manifest.get("kind") != KIND or manifest.get("schema") != 1:
        raise _damaged(path, f"is of a kind this version of ship does not read (schema {manifest.get('schema')})")
    bundle = Bundle(home, digest, manifest)
    for name in manifest["files"]:
        if name.startswith("/") or ".." in name.split("/"):
            raise _damaged(path, f"names a file outside its folder, {name}")
        bundle.read(name)
    return bundle
