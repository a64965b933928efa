"""From a target's ``[signer]`` to a key that signs. New backends register here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chains.errors import Refused, Where
from chains.evm.localnet import LOCAL_CHAIN_ID
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret
from pipeline.manifest.target import Target
from pipeline.signing.base import EvmBackend
from pipeline.signing.keystore import LocalKey, keystore_address, open_keystore

__all__ = ["PasswordSource", "SignerUnavailable", "open_backend", "signer_address"]


class PasswordSource(Protocol):
    """Gives a keystore's password by the file's name, or ``stored``'s; raises a ``Refused`` when there is none."""

    def __call__(self, keystore: str, stored: Callable[[], str] | None = None) -> str: ...


_DEVELOPMENT_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
"""The first account of every anvil and hardhat node: public knowledge, refused anywhere but on the local chain."""
_BUILT = ("development", "keystore")


class SignerUnavailable(Refused):
    """SHIP-S03: the target's signer cannot be used."""

    code = "SHIP-S03"


def _where(target: Target, key: str) -> Where:
    return target.layers.where(("signer", key))


def _development(target: Target) -> LocalKey:
    if target.chain.chain_id != LOCAL_CHAIN_ID or not target.chain.local:
        raise SignerUnavailable(
            f"the development key is public and signs only on the local chain {LOCAL_CHAIN_ID}",
            where=_where(target, "backend"),
            remedy="Set `backend` under [signer] to one that holds a key of your own.",
        )
    return LocalKey(_DEVELOPMENT_KEY, "development")


def _keystore_path(target: Target, root: Path) -> Path:
    import os

    signer = target.spec.signer
    assert signer is not None
    name = signer.file
    if name is None:
        raise SignerUnavailable(
            "the keystore backend needs a file",
            where=_where(target, "backend"),
            remedy='Add `file = "keys/deployer.json"` under [signer]; `ship signer new --out FILE` makes one.',
        )
    if name.startswith("env:"):
        name = os.environ.get(name.removeprefix("env:"), "")
        if not name:
            raise SignerUnavailable(
                f"the environment variable {signer.file.removeprefix('env:') if signer.file else ''} is not set",
                where=_where(target, "file"),
                remedy="Set it to the keystore's path.",
            )
    path = Path(name).expanduser()
    return path if path.is_absolute() else root / path


def _backend_name(target: Target) -> str:
    signer = target.spec.signer
    if signer is None:
        raise SignerUnavailable(
            f"the target {target.name} has no signer",
            where=Where(target.file),
            remedy="Add a [signer] table with a backend; `ship signer new` makes an encrypted keystore.",
        )
    if signer.backend not in _BUILT:
        raise SignerUnavailable(
            f"the signer backend `{signer.backend}` is not built into this version",
            where=_where(target, "backend"),
            remedy=f"Use one of: {', '.join(_BUILT)}.",
        )
    return signer.backend


def _pinned(target: Target, address: str) -> str:
    pinned = target.spec.signer.address if target.spec.signer else None
    if pinned is not None and pinned.lower() != address.lower():
        raise SignerUnavailable(
            f"the key's address is {address}, the target pins {pinned}",
            where=_where(target, "address"),
            remedy="Use the key that belongs to the pinned address, or correct `address`.",
        )
    return address


def signer_address(target: Target, root: Path) -> str:
    """The address that will sign, without opening the key. Raises ``SignerUnavailable``."""
    if _backend_name(target) == "development":
        return _pinned(target, _development(target).address)
    path = _keystore_path(target, root)
    stated = keystore_address(path)
    pinned = target.spec.signer.address if target.spec.signer else None
    if stated is None and pinned is None:
        raise SignerUnavailable(
            "the keyfile states no address and the target pins none",
            where=Where(str(path)),
            remedy="Set `address` under [signer].",
        )
    return _pinned(target, stated or str(pinned))


def _stored_password(target: Target, root: Path) -> Callable[[], str] | None:
    """What the target's ``password`` refers to, read only when it is needed."""
    text = target.spec.signer.password if target.spec.signer else None
    if text is None:
        return None
    reference = SecretRef(text, _where(target, "password"))
    return lambda: resolve_secret(reference, default_stores(root)).reveal()


def open_backend(target: Target, root: Path, password: PasswordSource) -> EvmBackend:
    """The key itself. Its address is held against the pinned one again, now that it is proven."""
    if _backend_name(target) == "development":
        key = _development(target)
    else:
        path = _keystore_path(target, root)
        key = open_keystore(path, password(path.name, _stored_password(target, root)))
    _pinned(target, key.address)
    return key
