"""Signing the release: one signature over checksums.txt, made once and kept.

A key service gives another signature each time, and a release that is gone on with has to have the same bytes. So a signature
that is there, on this machine or on GitHub, and is by the right key over these very checksums, is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chains.canonical import sha256_hex
from chains.chain_data import chain_facts
from chains.evm.address import checksum
from chains.files import write_atomic
from pipeline.release.assets import CHECKSUMS, File
from pipeline.release.errors import NotReady
from pipeline.release.signature import SIGNATURE, ReleaseMessage, release_signer, signature_file
from pipeline.release.work import Work
from pipeline.signing.base import EvmBackend
from pipeline.signing.context import PasswordSource
from pipeline.state.local import ProjectState

__all__ = ["ReleaseKey", "Signing"]

_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class ReleaseKey:
    """``file`` holds ``[signer]``; ``None`` for the one under [release], if any."""

    file: Path | None
    password: PasswordSource


@dataclass(frozen=True)
class Signing:
    """Gives the signature as an asset; nothing where the project has no release key. Raises what opening a key raises."""

    work: Work
    key: ReleaseKey | None
    title: str = "signing the release"

    def run(self) -> tuple[File, ...]:
        from pipeline.signing.standalone import standalone_target

        project = self.work.materials.project
        named = project.spec.release.signing_key
        file = self.key.file if self.key is not None and self.key.file is not None else None
        file = file or (project.root / named if named is not None else None)
        if file is None:
            return ()
        if self.key is None:
            raise NotReady(
                [("the release is to be signed, and there is nobody to open the key", "Run `ship release`.")]
            )
        # The message names no chain, and so binds to none; a target has to be of some chain.
        target = standalone_target(file, "ethereum", chain_facts("ethereum").chain_id or 1)
        pinned = target.spec.signer.address if target.spec.signer else None
        if pinned is None:
            raise NotReady([(f"{file.name} pins no address", "Write `address` under [signer] there.")])
        kept = self._kept(pinned)
        if kept is None and not self.work.dry:
            from pipeline.signing.opening import open_backend

            kept = self._sign(open_backend(target, file.parent, self.key.password))
        if kept is None:
            self.work.did(SIGNATURE, "would", f"by {pinned}")
            return ()
        return (File(SIGNATURE, kept),)

    @property
    def _checksums(self) -> File:
        return next(file for file in self.work.files if file.name == CHECKSUMS)

    @property
    def _path(self) -> Path:
        return ProjectState(self.work.materials.project.root).work / "signatures" / f"{self._checksums.sha256}.json"

    def _kept(self, signer: str) -> bytes | None:
        for data in (self._here(), self._there()):
            if data is None:
                continue
            try:
                if release_signer(data, self.work.tag, self._checksums.data).lower() == signer.lower():
                    return data
            except ValueError:
                continue  # of another try, or spoilt: it is made anew, and replaced while the release is a draft
        return None

    def _here(self) -> bytes | None:
        return self._path.read_bytes() if self._path.is_file() else None

    def _there(self) -> bytes | None:
        repository = self.work.repository
        for release in self.work.releases():
            for asset in repository.assets(release.id):
                if asset.name == SIGNATURE and asset.whole and asset.size <= _MOST_BYTES:
                    return repository.download(asset, asset.size)
        return None

    def _sign(self, backend: EvmBackend) -> bytes:
        from pipeline.signing.typed import typed_signature

        message = ReleaseMessage(self.work.materials.project.name, self.work.tag, sha256_hex(self._checksums.data))
        data = signature_file(message, checksum(backend.address), typed_signature(backend, message))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, data)
        return data

    def summary(self, result: tuple[File, ...]) -> str:
        return SIGNATURE if result else "no release key"
