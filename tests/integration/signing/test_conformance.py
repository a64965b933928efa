"""What every backend promises, on real services or protocol servers with real keys: see tests/support/signers.py."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from solders.pubkey import Pubkey

from chains.errors import ShipError
from pipeline.signing.base import checked_signature
from pipeline.signing.context import SignerUnavailable
from tests.support.signature_checks import N, check_signature
from tests.support.signers import MESSAGE_SIGNERS, SIGNERS, Service, open_evm, open_message, target

EDGES = [0, 1, N - 1, N, N + 1, 2**255, 2**256 - 1]
OTHER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MANY = 6000
"""Signatures until a short r and a short s were seen, at most: missing one has a chance of 1 in 10**10."""


@pytest.fixture(scope="module", params=sorted(SIGNERS))
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp(request.param)
    with SIGNERS[request.param](folder) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found


def test_edge_digests(service: Service, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, service.evm().table)
    for number in EDGES:
        digest = number.to_bytes(32, "big")
        check_signature(backend.address, digest, checked_signature(backend, digest))


def test_random_digests(service: Service, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, service.evm().table)
    source = random.Random(4)
    for _ in range(200):
        digest = source.randbytes(32)
        check_signature(backend.address, digest, checked_signature(backend, digest))


def test_short_numbers(service: Service, tmp_path: Path) -> None:
    """A number with leading zeros is where padding goes wrong."""
    if not service.short_numbers:
        pytest.skip("too slow to wait for; tests/unit/test_der.py has fixed vectors")
    backend = open_evm(tmp_path, service.evm().table)
    source = random.Random(5)
    short_r = short_s = False
    for _ in range(MANY):
        digest = source.randbytes(32)
        r, s = backend.sign_digest(digest)
        is_short = (r < 2**248, s < 2**248)
        if any(is_short):
            check_signature(backend.address, digest, checked_signature(_Replay(backend.address, r, s), digest))
        short_r, short_s = short_r or is_short[0], short_s or is_short[1]
        if short_r and short_s:
            return
    pytest.fail(f"no short r or no short s among {MANY} signatures")


class _Replay:
    """A signature that was just made, given to the shared path."""

    name, assurance = "replay", "software"

    def __init__(self, address: str, r: int, s: int) -> None:
        self.address = address
        self._signature = (r, s)

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        return self._signature


def test_another_pinned_address_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="the target pins") as caught:
        open_evm(tmp_path, service.evm().table, OTHER)
    assert caught.value.exit_code == 2


def test_what_befalls_a_key_before_it_is_opened(service: Service, tmp_path: Path) -> None:
    for event in service.evm().events:
        case = service.evm()
        address = open_evm(tmp_path, case.table).address
        cause, error = case.events[event]
        cause()
        # The signature too: ministack gives a disabled key's public part, which AWS does not.
        with pytest.raises(error) as caught:
            checked_signature(open_evm(tmp_path, case.table, address), b"\x01" * 32)
        shows_no_secret(caught.value)


def test_what_befalls_a_key_in_the_middle_of_a_run(service: Service, tmp_path: Path) -> None:
    for event in service.evm().events:
        case = service.evm()
        backend = open_evm(tmp_path, case.table)
        assert checked_signature(backend, b"\x01" * 32)
        cause, error = case.events[event]
        cause()
        with pytest.raises(error) as caught:
            checked_signature(backend, b"\x02" * 32)
        shows_no_secret(caught.value)


def shows_no_secret(error: ShipError) -> None:
    """Services plant ``canary`` in what they write."""
    assert "canary" not in f"{error.cause}{error.remedy}{error!r}"
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


@pytest.mark.parametrize("service", MESSAGE_SIGNERS, indirect=True)
def test_messages_of_every_length(service: Service, tmp_path: Path) -> None:
    """Ed25519 over 1 to 1,232 bytes: a Solana message fits a packet."""
    assert service.ed25519
    table = service.ed25519().table
    public_key = public_key_of(tmp_path, table)
    backend = open_message(tmp_path, table, public_key)
    verifier, source = Ed25519PublicKey.from_public_bytes(backend.public_key), random.Random(6)
    for length in [*range(1, 40), *range(40, 1232, 37), 1231, 1232]:
        message = source.randbytes(length)
        verifier.verify(backend.sign_message(message), message)


@pytest.mark.parametrize("service", MESSAGE_SIGNERS, indirect=True)
def test_another_pinned_public_key_is_refused(service: Service, tmp_path: Path) -> None:
    assert service.ed25519
    with pytest.raises(SignerUnavailable, match="the target pins"):
        open_message(tmp_path, service.ed25519().table, str(Pubkey(b"\x07" * 32)))


def public_key_of(folder: Path, table: dict[str, str]) -> str:
    """Told by the refusal to open a key that is not pinned, as a person would learn it."""
    from pipeline.signing.opening import open_message_backend
    from pipeline.signing.password import PasswordOptions

    with pytest.raises(SignerUnavailable, match="needs its public key pinned") as caught:
        open_message_backend(target(folder, table), folder, PasswordOptions())
    return caught.value.remedy.split('"')[1]


@pytest.mark.parametrize("service", MESSAGE_SIGNERS, indirect=True)
def test_a_key_of_the_wrong_kind_is_refused(service: Service, tmp_path: Path) -> None:
    assert service.ed25519
    with pytest.raises(SignerUnavailable, match=r"ECC_SECG_P256K1|EC_SIGN_SECP256K1_SHA256|secp256k1"):
        open_evm(tmp_path, service.ed25519().table, OTHER)
    with pytest.raises(SignerUnavailable, match=r"ECC_NIST_EDWARDS25519|EC_SIGN_ED25519|d25519"):
        open_message(tmp_path, service.evm().table, str(Pubkey(b"\x07" * 32)))
