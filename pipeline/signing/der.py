"""The three DER values a key service answers with, read strictly: what is not the one right encoding is refused.

Signatures: ``ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }`` (RFC 3279 §2.2.3). Whether the numbers are a
signature at all (range, low-s, whose) is for ``pipeline.signing.base``. Public keys: ``SubjectPublicKeyInfo`` of
secp256k1 (RFC 5480, SEC 2) and Ed25519 (RFC 8410), each of which has exactly one encoding of exactly one length.
"""

from __future__ import annotations

__all__ = ["BadEncoding", "ecdsa_signature", "ed25519_key", "secp256k1_key", "secp256k1_point"]

_SECP256K1_HEADER = bytes.fromhex("3056301006072a8648ce3d020106052b8104000a03420004")
_SECP256K1_P = 2**256 - 2**32 - 977
_ED25519_HEADER = bytes.fromhex("302a300506032b6570032100")
_ED25519_P = 2**255 - 19
_ED25519_D = -121665 * pow(121666, -1, _ED25519_P) % _ED25519_P


class BadEncoding(ValueError):
    """Why bytes are not the strict encoding of what they should be. Holds none of them."""


def ecdsa_signature(der: bytes) -> tuple[int, int]:
    """``(r, s)``, each from 0 to 2**256 - 1. Raises ``BadEncoding``."""
    if len(der) < 2 or der[0] != 0x30:
        raise BadEncoding("it is not a DER sequence")
    if der[1] != len(der) - 2 or der[1] >= 0x80:  # 70 bytes at most, so the length always is a single byte
        raise BadEncoding("the sequence's length is not that of the bytes given")
    r, rest = _integer(der[2:])
    s, rest = _integer(rest)
    if rest:
        raise BadEncoding("bytes follow its two integers")
    return r, s


def _integer(data: bytes) -> tuple[int, bytes]:
    if len(data) < 3 or data[0] != 0x02:
        raise BadEncoding("an integer is missing")
    length = data[1]
    if not 1 <= length <= 33:
        raise BadEncoding("an integer is empty or longer than 256 bits")
    body, rest = data[2 : 2 + length], data[2 + length :]
    if len(body) != length:
        raise BadEncoding("an integer is cut off")
    if body[0] & 0x80:
        raise BadEncoding("an integer is negative")
    if length > 1 and body[0] == 0 and not body[1] & 0x80:
        raise BadEncoding("an integer is padded")
    if length == 33 and body[0] != 0:
        raise BadEncoding("an integer is empty or longer than 256 bits")
    return int.from_bytes(body, "big"), rest


def secp256k1_key(spki: bytes) -> bytes:
    """The 64 bytes ``x ‖ y`` of a public key; the point is on the curve. Raises ``BadEncoding``."""
    point = spki[len(_SECP256K1_HEADER) :]
    if not spki.startswith(_SECP256K1_HEADER) or len(point) != 64:
        raise BadEncoding("it is not an uncompressed secp256k1 public key")
    return secp256k1_point(point)


def secp256k1_point(point: bytes) -> bytes:
    """``x ‖ y``, 64 bytes, as it was given, if that is a point of the curve. Raises ``BadEncoding``."""
    x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
    if len(point) != 64 or x >= _SECP256K1_P or y >= _SECP256K1_P or (y * y - x**3 - 7) % _SECP256K1_P:
        raise BadEncoding("its point is not on secp256k1")
    return point


def ed25519_key(spki: bytes) -> bytes:
    """The 32 bytes of a public key; they decode to a point (RFC 8032 §5.1.3). Raises ``BadEncoding``."""
    key = spki[len(_ED25519_HEADER) :]
    if not spki.startswith(_ED25519_HEADER) or len(key) != 32:
        raise BadEncoding("it is not an Ed25519 public key")
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _ED25519_P:
        raise BadEncoding("its point is not on edwards25519")
    square = (y * y - 1) * pow(_ED25519_D * y * y + 1, -1, _ED25519_P) % _ED25519_P
    if (square == 0 and sign) or (square != 0 and pow(square, (_ED25519_P - 1) // 2, _ED25519_P) != 1):
        raise BadEncoding("its point is not on edwards25519")
    return key
