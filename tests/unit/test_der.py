"""DER from key services: the one right encoding of each value, and nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from pipeline.signing.base import checked_signature
from pipeline.signing.der import BadEncoding, ecdsa_signature, ed25519_key, secp256k1_key
from tests.support.anvil import DEPLOYER
from tests.support.signature_checks import N, check_signature
from tests.support.signature_vectors import BAD_SPELLINGS, VECTORS

NUMBERS = st.one_of(
    st.integers(0, 2**256 - 1), st.integers(0, 2**16), st.integers(1, 32).map(lambda n: 2 ** (8 * n) - 1)
)


class Replay:
    name, assurance, address = "replay", "software", DEPLOYER

    def __init__(self, der: bytes) -> None:
        self._signature = ecdsa_signature(der)

    def sign_digest(self, digest: bytes) -> tuple[int, int]:
        return self._signature


@pytest.mark.parametrize("name", VECTORS)
def test_fixed_signatures_go_the_whole_way(name: str) -> None:
    vector = VECTORS[name]
    assert ecdsa_signature(vector.der) == decode_dss_signature(vector.der)
    check_signature(DEPLOYER, vector.digest, checked_signature(Replay(vector.der), vector.digest))


@given(NUMBERS, NUMBERS)
def test_what_another_library_encodes_is_read(r: int, s: int) -> None:
    assert ecdsa_signature(encode_dss_signature(r, s)) == (r, s)


@given(st.binary(max_size=80))
def test_whatever_is_read_has_exactly_this_encoding(data: bytes) -> None:
    try:
        r, s = ecdsa_signature(data)
    except BadEncoding:
        return
    assert encode_dss_signature(r, s) == data


@given(NUMBERS, NUMBERS, st.data())
def test_one_changed_byte_is_another_signature_or_none(r: int, s: int, data: st.DataObject) -> None:
    der = bytearray(encode_dss_signature(r, s))
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] ^= data.draw(st.integers(1, 255))
    try:
        found = ecdsa_signature(bytes(der))
    except BadEncoding:
        return
    assert found != (r, s)
    assert encode_dss_signature(*found) == bytes(der)


@pytest.mark.parametrize(("der", "why"), BAD_SPELLINGS)
def test_other_spellings_are_refused(der: str, why: str) -> None:
    with pytest.raises(BadEncoding, match=why):
        ecdsa_signature(bytes.fromhex(der))


def spki(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, compressed: bool = False) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


@given(st.integers(1, N - 1))
def test_public_keys_of_secp256k1_are_read(number: int) -> None:
    key = ec.derive_private_key(number, ec.SECP256K1())
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    assert secp256k1_key(spki(key)) == point[1:]


@given(st.binary(min_size=32, max_size=32))
def test_public_keys_of_ed25519_are_read(seed: bytes) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    assert ed25519_key(spki(key)) == raw


@given(st.data())
def test_a_public_key_with_one_changed_byte_is_refused(data: st.DataObject) -> None:
    """Every byte before the point is fixed, and a change of the point leaves the curve (but for y's mirror)."""
    der = bytearray(spki(ec.derive_private_key(7, ec.SECP256K1())))
    place = data.draw(st.integers(0, len(der) - 1))
    der[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadEncoding):
        secp256k1_key(bytes(der))


def test_other_curves_and_lengths_are_refused() -> None:
    good, edwards = spki(ec.derive_private_key(7, ec.SECP256K1())), spki(ed25519.Ed25519PrivateKey.generate())
    for wrong in (
        b"",
        good + b"\0",
        good[:-1],
        edwards,
        spki(ec.generate_private_key(ec.SECP256R1())),
        good[:-64] + bytes(64),
    ):
        with pytest.raises(BadEncoding):
            secp256k1_key(wrong)
    for wrong in (b"", edwards + b"\0", edwards[:-1], good, edwards[:-32] + b"\xff" * 32):
        with pytest.raises(BadEncoding):
            ed25519_key(wrong)


@pytest.mark.parametrize("number", [2, 7, 8, 11])
def test_bytes_that_are_no_point_of_edwards25519_are_refused(number: int) -> None:
    with pytest.raises(BadEncoding, match="not on edwards25519"):
        ed25519_key(bytes.fromhex("302a300506032b6570032100") + number.to_bytes(32, "little"))
