"""From a target's ``[signer]`` to a key that signs. New backends register here.

A backend is a module with three functions, each given a ``SignerContext``:

    evm_address(context) -> str            who signs, asking as little as possible; ``[signer] address`` is held by us
    open_evm(context) -> EvmBackend        the secp256k1 key
    open_ed25519(context) -> MessageBackend   the ed25519 key; left out by a backend that has none

and two it may have:

    ed25519_public_key(context) -> bytes      the ed25519 key's public half, without opening it
    notes(context) -> tuple[str, ...]         what a person should know of where this key is kept, without opening it
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from chains.errors import Where
from pipeline.manifest.target import Target
from pipeline.signing.base import EvmBackend, MessageBackend, PolicyRefused
from pipeline.signing.context import PasswordSource, SignerContext, SignerUnavailable
from pipeline.signing.ed25519 import CheckedMessages

__all__ = [
    "BACKENDS",
    "open_backend",
    "open_message_backend",
    "refuse_weak_backend",
    "signer_address",
    "signer_notes",
    "signer_public_key",
]

BACKENDS = {
    "aws-kms": "pipeline.signing.aws_kms",
    "azure-kv": "pipeline.signing.azure_kv",
    "development": "pipeline.signing.development",
    "gcp-kms": "pipeline.signing.gcp_kms",
    "keystore": "pipeline.signing.keystore_backend",
    "offline": "pipeline.signing.offline_backend",
    "pkcs11": "pipeline.signing.pkcs11_backend",
    "remote": "pipeline.signing.remote",
    "vault": "pipeline.signing.vault_backend",
}
"""Backend → its module, imported only when a target uses it (design §12)."""

_UNPINNED = frozenset({"development", "keystore"})
_SOFTWARE = frozenset({"development", "keystore"})


def _module(target: Target, table: str = "signer") -> Any:
    signer = getattr(target.spec, table.replace("-", "_"))
    if signer is None:
        raise SignerUnavailable(
            f"the target {target.name} has no {table}",
            where=Where(target.file),
            remedy=f"Add a [{table}] table with a backend; `ship signer new` makes an encrypted keystore.",
        )
    if signer.backend not in BACKENDS:
        raise SignerUnavailable(
            f"the signer backend `{signer.backend}` is not built into this version",
            where=target.layers.where((table, "backend")),
            remedy=f"Use one of: {', '.join(sorted(BACKENDS))}.",
        )
    return import_module(BACKENDS[signer.backend])


def _pinned(context: SignerContext, address: str) -> str:
    pinned = context.spec.address
    if pinned is not None and pinned.lower() != address.lower():
        raise context.unavailable(
            f"the key's address is {address}, the target pins {pinned}",
            "address",
            "Use the key that belongs to the pinned address, or correct `address`.",
        )
    return address


def refuse_weak_backend(target: Target) -> None:
    """Refuse a key in this machine's memory where ``require`` asks for more, before anything is built or asked for.

    What a service keeps its keys in is known when it is opened; the policy asks then, for every signature.
    """
    required, signer = target.spec.policy.require, target.spec.signer
    if required in {"service", "hardware"} and signer is not None and signer.backend in _SOFTWARE:
        raise PolicyRefused(
            f"the rule require: the {signer.backend} backend keeps its key in software, {target.name} requires {required}",
            where=target.layers.where(("policy", "require")),
            remedy="Use a key service or an HSM under [signer]: aws-kms, gcp-kms, azure-kv, vault, pkcs11.",
        )


def signer_address(target: Target, root: Path) -> str:
    """The address that will sign, without opening the key where that can be known. Raises ``SignerUnavailable``."""
    module, context = _module(target), SignerContext(target, root)
    return _pinned(context, str(module.evm_address(context)))


def signer_public_key(target: Target, root: Path, table: str = "signer") -> str:
    """On Solana: the public key (base58) that will sign, without opening it: the backend's word, else the pinned one."""
    from solders.pubkey import Pubkey

    module, context = _module(target, table), SignerContext(target, root, table=table)
    pinned = context.spec.public_key
    _has_ed25519(module, context)
    if hasattr(module, "ed25519_public_key"):
        return _pinned_public_key(context, str(Pubkey(module.ed25519_public_key(context))))
    if pinned is None:
        raise context.unavailable(
            f"the public key of a {context.spec.backend} signer is known once it is opened, and none is pinned",
            "public-key",
            f"Write it as `public-key` under [{table}].",
        )
    return pinned


def signer_notes(target: Target, root: Path) -> tuple[str, ...]:
    """What a person should know of where the key is kept; nothing is opened. Raises ``SignerUnavailable``."""
    module, context = _module(target), SignerContext(target, root)
    return tuple(module.notes(context)) if hasattr(module, "notes") else ()


def open_backend(target: Target, root: Path, password: PasswordSource) -> EvmBackend:
    """The key itself. Its address is held against the pinned one again, now that it is proven."""
    module, context = _module(target), SignerContext(target, root, password)
    if context.spec.address is None and context.spec.backend not in _UNPINNED:
        raise context.unavailable(
            f"a {context.spec.backend} signer needs its address pinned: a moved alias would sign with another key",
            remedy="`ship signer address --chain TARGET` shows it. Write it as `address` under [signer].",
        )
    backend: EvmBackend = module.open_evm(context)
    _pinned(context, backend.address)
    return backend


def open_message_backend(target: Target, root: Path, password: PasswordSource, table: str = "signer") -> MessageBackend:
    """The ed25519 key of a target, every signature of it verified. Raises ``SignerUnavailable``, also when it is not the pinned one."""
    module, context = _module(target, table), SignerContext(target, root, password, table)
    _has_ed25519(module, context)
    backend: MessageBackend = module.open_ed25519(context)
    from solders.pubkey import Pubkey

    found, pinned = str(Pubkey(backend.public_key)), context.spec.public_key
    if pinned is None and context.spec.backend not in _UNPINNED:
        raise context.unavailable(
            f"a {context.spec.backend} signer needs its public key pinned: the key is {found}",
            remedy=f'Write `public-key = "{found}"` under [{table}] once you know that it is yours.',
        )
    _pinned_public_key(context, found)
    return CheckedMessages(backend)


def _has_ed25519(module: Any, context: SignerContext) -> None:
    if hasattr(module, "open_ed25519"):
        return
    why = f"the {context.spec.backend} backend has no ed25519 keys"
    if context.spec.backend == "offline":
        why = (
            "an offline signer cannot release to Solana: what is signed holds a blockhash that expires within about a minute, too "
            "short to carry to another machine and back, and a durable nonce, which would not expire, is not built"
        )
    raise context.unavailable(why, "backend", "Use a backend that can be asked: keystore, aws-kms, pkcs11 or vault.")


def _pinned_public_key(context: SignerContext, found: str) -> str:
    pinned = context.spec.public_key
    if pinned is not None and pinned != found:
        raise context.unavailable(
            f"the key's public key is {found}, the target pins {pinned}",
            "public-key",
            "Use the key that belongs to the pinned one, or correct `public-key`.",
        )
    return found
