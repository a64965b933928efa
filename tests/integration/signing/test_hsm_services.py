"""What keystore, pkcs11 and vault promise alike: every key signs through the shared path, and what befalls one is named."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from solders.pubkey import Pubkey

from pipeline.signing.base import SECP256K1_N, checked_signature
from pipeline.signing.context import SignerContext, SignerUnavailable
from pipeline.signing.opening import open_backend, open_message_backend, signer_address, signer_public_key
from pipeline.signing.password import PasswordOptions
from tests.support.signers_hsm import Case, Service, keystore_service, pkcs11_service, signer_context, vault_service

pytestmark = [pytest.mark.xdist_group("softhsm")]

SERVICES = {"keystore": keystore_service, "pkcs11": pkcs11_service, "vault": vault_service}
EDGES = [0, 1, SECP256K1_N - 1, SECP256K1_N, SECP256K1_N + 1, 2**255, 2**256 - 1]


@pytest.fixture(scope="module", params=sorted(SERVICES))
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp(request.param)
    with SERVICES[request.param](folder) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        yield found


def opened(folder: Path, case: Case, pin: str, kind: str) -> Any:
    open_ = open_backend if kind == "secp256k1" else open_message_backend
    context = with_pin(folder, case, "address" if kind == "secp256k1" else "public-key", pin)
    return open_(context.target, context.root, PasswordOptions())


def with_pin(folder: Path, case: Case, name: str = "", pin: str = "") -> SignerContext:
    lines = [f'{key} = "{value}"' for key, value in case.table.items()]
    return signer_context(folder, "\n".join([*lines, f'{name} = "{pin}"' if pin else ""]))


def evm_pin(folder: Path, case: Case) -> str:
    context = with_pin(folder, case)
    return signer_address(context.target, context.root)


def solana_pin(folder: Path, case: Case) -> str:
    context = with_pin(folder, case)
    if case.table["backend"] != "vault":
        return signer_public_key(context.target, context.root)
    with pytest.raises(SignerUnavailable, match="needs its public key pinned") as caught:
        open_message_backend(context.target, context.root, PasswordOptions())
    return caught.value.remedy.split('"')[1]


def made(service: Service, kind: str) -> tuple[Callable[[], Case], Callable[[Path, Case], str]]:
    make = service.evm if kind == "secp256k1" else service.ed25519
    if make is None:
        pytest.skip("transit has no secp256k1; tests/integration/signing/test_vault.py shows that it is refused")
    return make, evm_pin if kind == "secp256k1" else solana_pin


def sign(backend: Any, kind: str, text: bytes = b"\x01" * 32) -> None:
    assert checked_signature(backend, text) if kind == "secp256k1" else backend.sign_message(text)


def test_edge_digests(service, tmp_path):
    make, pin = made(service, "secp256k1")
    case = make()
    backend = opened(tmp_path, case, pin(tmp_path, case), "secp256k1")
    for number in EDGES:
        sign(backend, "secp256k1", number.to_bytes(32, "big"))


def test_messages_verify_with_another_library(service, tmp_path):
    make, pin = made(service, "ed25519")
    case = make()
    backend = opened(tmp_path, case, pin(tmp_path, case), "ed25519")
    verifier, source = Ed25519PublicKey.from_public_bytes(backend.public_key), random.Random(6)
    for length in (1, 2, 31, 32, 33, 255, 256, 1231, 1232):
        message = source.randbytes(length)
        verifier.verify(backend.sign_message(message), message)


@pytest.mark.parametrize("kind", ["secp256k1", "ed25519"])
def test_another_pinned_key_is_refused(service, tmp_path, kind):
    make, _ = made(service, kind)
    pin = "0x5FbDB2315678afecb367f032d93F642f64180aa3" if kind == "secp256k1" else str(Pubkey(b"\x07" * 32))
    with pytest.raises(SignerUnavailable, match="the target pins") as caught:
        opened(tmp_path, make(), pin, kind)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("kind", ["secp256k1", "ed25519"])
def test_what_befalls_a_key_in_the_middle_of_a_run(service, tmp_path, kind):
    make, pin = made(service, kind)
    for event in make().events:
        case = make()
        backend = opened(tmp_path, case, pin(tmp_path, case), kind)
        sign(backend, kind)
        cause, error = case.events[event]
        cause()
        with pytest.raises(error) as caught:
            sign(backend, kind, b"\x02" * 32)
        assert "canary" not in f"{caught.value.cause}{caught.value.remedy}{caught.value!r}"
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None or caught.value.__suppress_context__
