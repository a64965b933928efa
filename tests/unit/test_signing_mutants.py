"""The checks that hold backends to their promises, held to theirs: each known fault of the shared path is caught.

A mutant is a copy of a module with one line changed, run from memory. The files stay as they are.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chains.evm.safe.signatures import from_bytes
from pipeline.signing import base, der, typed
from pipeline.signing.keystore import LocalKey
from tests.support.anvil import DEPLOYER, KEY
from tests.support.signature_checks import N, check_signature
from tests.support.signature_vectors import BAD_SPELLINGS, VECTORS
from tests.unit.test_proposal_signing import KEY as OWNER_KEY
from tests.unit.test_proposal_signing import OWNER, SAFE, TX


class HighS:
    """A key whose every s is above half of the order, as half of a KMS's are."""

    name, assurance, address = "high", "software", DEPLOYER

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        r, s = LocalKey(KEY, "x").sign_digest(digest)
        return r, max(s, N - s)


def transactions(shared: ModuleType) -> None:
    digests = [vector.digest for vector in VECTORS.values()]
    for digest in [*digests, bytes(32), b"\xff" * 32]:
        for backend in (LocalKey(KEY, "x"), HighS()):
            check_signature(DEPLOYER, digest, shared.checked_signature(backend, digest))


def typed_data(shared: ModuleType) -> None:
    """Nonces until r and s were short: where a signature is put together from its parts."""
    short_r = short_s = False
    for nonce in range(4, 4000):
        message = shared.SafeMessage(31337, SAFE, TX.with_nonce(nonce))
        digest = message.digest()
        r, s = LocalKey(OWNER_KEY, "x").sign_digest(digest)
        if (r < 2**248 and not short_r) or (s < 2**248 and not short_s):
            signed = shared.typed_signature(LocalKey(OWNER_KEY, "x"), message)
            assert len(signed) == 65
            assert from_bytes(digest, signed).owner == OWNER
        short_r, short_s = short_r or r < 2**248, short_s or s < 2**248
        if short_r and short_s:
            return
    pytest.fail("no short numbers were seen")


def encodings(shared: ModuleType) -> None:
    for vector in VECTORS.values():
        r, s = shared.ecdsa_signature(vector.der)
        assert encode_dss_signature(r, s) == vector.der
    for spelling, _ in BAD_SPELLINGS:
        with pytest.raises(shared.BadEncoding):
            shared.ecdsa_signature(bytes.fromhex(spelling))


CHECKS = {base: transactions, typed: typed_data, der: encodings}

MUTANTS: dict[str, tuple[ModuleType, str, str]] = {
    "double hash": (
        base,
        "    r, s = backend.sign_digest(digest)\n",
        "    r, s = backend.sign_digest(keccak256(digest))\n",
    ),
    "double hash, checked too": (
        base,
        "    r, s = backend.sign_digest(digest)\n",
        "    digest = keccak256(digest)\n    r, s = backend.sign_digest(digest)\n",
    ),
    "missing fold": (base, "    s = min(s, SECP256K1_N - s)\n", ""),
    "fold upwards": (base, "    s = min(s, SECP256K1_N - s)\n", "    s = max(s, SECP256K1_N - s)\n"),
    "v before the fold": (
        base,
        "    s = min(s, SECP256K1_N - s)\n    return r, s, _parity(backend, digest, r, s)\n",
        "    return r, min(s, SECP256K1_N - s), _parity(backend, digest, r, s)\n",
    ),
    "wrong v": (base, "            return parity\n", "            return 1 - parity\n"),
    "v not looked for": (base, "    for parity in (0, 1):\n", "    for parity in (0,):\n"),
    "unpadded r": (typed, 'r.to_bytes(32, "big")', 'r.to_bytes((r.bit_length() + 7) // 8, "big")'),
    "unpadded s": (typed, 's.to_bytes(32, "big")', 's.to_bytes((s.bit_length() + 7) // 8, "big")'),
    "v of 0 and 1": (typed, "27 + parity", "parity"),
    "trailing bytes": (der, "    if rest:\n", "    if False:\n"),
    "length not compared": (der, "der[1] != len(der) - 2 or der[1] >= 0x80", "der[1] >= 0x81"),
    "negative integers": (der, "    if body[0] & 0x80:\n", "    if False:\n"),
    "padded integers": (der, "    if length > 1 and body[0] == 0", "    if False and body[0] == 0"),
    "cut-off integers": (der, "    if len(body) != length:\n", "    if False:\n"),
    "integers of 33 bytes": (der, "    if length == 33 and body[0] != 0:\n", "    if False:\n"),
}


def copy_of(module: ModuleType, old: str = "", new: str = "") -> ModuleType:
    source = Path(str(module.__file__)).read_text()
    assert not old or source.count(old) == 1, "the line to change is not there: the mutant has to be kept up"
    made: Any = ModuleType(f"mutant_of_{module.__name__}")
    sys.modules[made.__name__] = made
    exec(compile(source.replace(old, new) if old else source, made.__name__, "exec"), made.__dict__)
    return made  # type: ignore[no-any-return]


@pytest.mark.parametrize("module", CHECKS, ids=lambda m: m.__name__)
def test_an_unchanged_copy_passes(module: ModuleType) -> None:
    CHECKS[module](copy_of(module))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    module, old, new = MUTANTS[name]
    mutant = copy_of(module, old, new)
    with pytest.raises((Exception, pytest.fail.Exception)):
        CHECKS[module](mutant)
