"""What every backend promises, on real services or protocol servers with real keys: see tests/support/signers.py."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from eth_account import Account
from solders.pubkey import Pubkey

from chains.errors import Refused, ShipError
from chains.evm.actions import Action
from chains.evm.transaction import Fees, UnsignedTransaction
from pipeline.signing.base import EvmSigner, checked_signature
from pipeline.signing.context import SignerUnavailable
from pipeline.signing.opening import open_message_backend, signer_public_key
from pipeline.signing.password import PasswordOptions
from tests.support.contracts import Workshop
from tests.support.signature_checks import N, check_signature
from tests.support.signer_case import Case, Service
from tests.support.signers import EVM_SIGNERS, MESSAGE_SIGNERS, SIGNERS, open_evm, open_message, target

EDGES = [0, 1, N - 1, N, N + 1, 2**255, 2**256 - 1]
OTHER = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
MANY = 6000
"""Signatures until a short r and a short s were seen, at most: missing one has a chance of 1 in 10**10."""


pytestmark = pytest.mark.xdist_group("softhsm")


@pytest.fixture(scope="module", params=EVM_SIGNERS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp(request.param)
    with SIGNERS[request.param](folder) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found


def evm(service: Service) -> Case:
    assert service.evm is not None
    return service.evm()


def test_edge_digests(service: Service, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, evm(service).table)
    for number in EDGES:
        digest = number.to_bytes(32, "big")
        check_signature(backend.address, digest, checked_signature(backend, digest))


def test_random_digests(service: Service, tmp_path: Path) -> None:
    backend = open_evm(tmp_path, evm(service).table)
    source = random.Random(4)
    for _ in range(200):
        digest = source.randbytes(32)
        check_signature(backend.address, digest, checked_signature(backend, digest))


def test_short_numbers(service: Service, tmp_path: Path) -> None:
    """A number with leading zeros is where padding goes wrong."""
    backend = open_evm(tmp_path, evm(service).table)
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


def test_whole_transactions(service: Service, tmp_path: Path) -> None:
    """Of both kinds, as a node would take them: read by another library, from the pinned address."""
    backend = open_evm(tmp_path, evm(service).table)
    signer, source = EvmSigner(backend, Anything()), random.Random(7)
    workshop = Workshop(backend.address, 0)
    workshop.call("grant", OTHER)
    (action,) = workshop.plan(31337, "0x" + "00" * 32, 0)[0].actions
    for number in range(10):
        fees = Fees(source.randrange(1, 10**11), None if number % 2 else 1)
        data = source.randbytes(source.randrange(200))
        unsigned = UnsignedTransaction(31337, number, OTHER, source.randrange(10**18), data, 90_000 + number, fees)
        assert Account.recover_transaction(signer.sign(unsigned, action).raw) == backend.address


class Anything:
    """A policy for keys that own nothing."""

    def allow(self, unsigned: UnsignedTransaction, action: Action) -> None: ...


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
        open_evm(tmp_path, evm(service).table, OTHER)
    assert caught.value.exit_code == 2


def test_what_befalls_a_key_before_it_is_opened(service: Service, tmp_path: Path) -> None:
    for event in evm(service).events:
        case = evm(service)
        address = open_evm(tmp_path, case.table).address
        cause, error = case.events[event]
        cause()
        # The signature too: ministack gives a disabled key's public part, which AWS does not.
        with pytest.raises(error) as caught:
            checked_signature(open_evm(tmp_path, case.table, address), b"\x01" * 32)
        shows_no_secret(caught.value)


def test_what_befalls_a_key_in_the_middle_of_a_run(service: Service, tmp_path: Path) -> None:
    for event in evm(service).events:
        case = evm(service)
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
    for length in range(1, 1233):
        message = source.randbytes(length)
        verifier.verify(backend.sign_message(message), message)


@pytest.mark.parametrize("service", MESSAGE_SIGNERS, indirect=True)
def test_another_pinned_public_key_is_refused(service: Service, tmp_path: Path) -> None:
    assert service.ed25519
    with pytest.raises(SignerUnavailable, match="the target pins"):
        open_message(tmp_path, service.ed25519().table, str(Pubkey(b"\x07" * 32)))


def public_key_of(folder: Path, table: dict[str, str]) -> str:
    """As a person learns it: the backend's word where it gives one, else by the refusal to open what is not pinned."""
    if table["backend"] != "vault":
        return signer_public_key(target(folder, table), folder)
    with pytest.raises(SignerUnavailable, match="needs its public key pinned") as caught:
        open_message_backend(target(folder, table), folder, PasswordOptions())
    return caught.value.remedy.split('"')[1]


@pytest.mark.parametrize("service", MESSAGE_SIGNERS, indirect=True)
def test_what_befalls_an_ed25519_key_in_the_middle_of_a_run(service: Service, tmp_path: Path) -> None:
    assert service.ed25519
    for event in service.ed25519().events:
        case = service.ed25519()
        backend = open_message(tmp_path, case.table, public_key_of(tmp_path, case.table))
        assert backend.sign_message(b"before")
        cause, error = case.events[event]
        cause()
        with pytest.raises(error) as caught:
            backend.sign_message(b"after")
        shows_no_secret(caught.value)


@pytest.mark.parametrize("service", sorted({*EVM_SIGNERS} & {*MESSAGE_SIGNERS}), indirect=True)
def test_a_key_of_the_wrong_kind_is_refused(service: Service, tmp_path: Path) -> None:
    assert service.ed25519
    wanted = r"ECC_SECG_P256K1|EC_SIGN_SECP256K1_SHA256|secp256k1|an Ethereum one is needed|no private EC key"
    with pytest.raises(Refused, match=wanted):
        open_evm(tmp_path, service.ed25519().table, OTHER)
    wanted = r"ECC_NIST_EDWARDS25519|EC_SIGN_ED25519|[Ee]d25519|a Solana one is needed|no private Edwards key"
    with pytest.raises(Refused, match=wanted):
        open_message(tmp_path, evm(service).table, str(Pubkey(b"\x07" * 32)))
