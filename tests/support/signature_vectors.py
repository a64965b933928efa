"""Fixed signatures by the first development account's key (RFC 6979 nonces, made with libsecp256k1), as DER."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BAD_SPELLINGS", "VECTORS", "Vector"]


@dataclass(frozen=True)
class Vector:
    digest: bytes
    der: bytes


def _vector(digest: str, der: str) -> Vector:
    return Vector(bytes.fromhex(digest), bytes.fromhex(der))


VECTORS = {
    "padded r": _vector(
        "6c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f",
        "3045022100ee637a92b43109f1713df7efdcf95efc514991a173a07eceb96019cedfe7e7d5022027d08dde3ed897688af52aca973ed8726c7bf5cea"
        "de63f329a76d39efe6c9515",
    ),
    "high s": _vector(
        "6c31fc15422ebad28aaf9089c306702f67540b53c7eea8b7d2941044b027100f",
        "3046022100ee637a92b43109f1713df7efdcf95efc514991a173a07eceb96019cedfe7e7d5022100d82f7221c1276897750ad53568c1278c4e32e71"
        "801626109255b8aedd1c9ac2c",
    ),
    "r of 31 bytes": _vector(
        "f3073e2c0da0b972385d2c4b1cd317dfd17e83c8648d19f42095b5bcbb790d33",
        "3044022000ee144341cfb531c8b8508cf42a1d813c8b9354384661e78eea1a2f375c58620220642ec4f7bafdd12a188ec1e16784ff427a85c22e02d"
        "ef53f888b8dabb1a315b7",
    ),
    "s of 31 bytes": _vector(
        "24d58bf734de10f8f404bd04f1c38bf25e5b2cecf81cf2b08b45f67074b03a1a",
        "3044022006dec61035a92ba1a40c975b3e9c954b3d53bd3082b4c76cfc59ba44c84fca6d022000fa8ba0d4b748b576a4648f8093c5e31e64c88662f"
        "d084217642fcfa11c1039",
    ),
    "r of 30 bytes": _vector(
        "1eaa342892157d3f7694370aaeb77ecc698bdf5c399c31be34a8edd656445208",
        "3043021f00edfecd8c5ceab117304e979d07f6640ddbdadedfdfb0f91d00732257638d0220587c69e989d8d93e935a4f4f2c30a80621c9255a026a2"
        "d13e09596ebfb62d0e6",
    ),
    "s of 30 bytes": _vector(
        "99343ad1ef5b5cca782c7879aa73d6c7c4c6427f57b5e36fba6d124e62b00b72",
        "304302201dd4cf389c4e6d97585bfbbed21d95a46392f726d2764bed95e743cf1d555f04021f009369e14c45742fcf8939b434f985151170b7e33ca"
        "5cfd154504d52725e42",
    ),
}

BAD_SPELLINGS = [
    ("", "sequence"),
    ("30", "sequence"),
    ("3100", "sequence"),
    ("3006020101020101ff", "length"),  # trailing, outside
    ("3007020101020101ff", "follow"),  # trailing, inside
    ("300702010102010103", "follow"),
    ("3005020101020101", "length"),
    ("308106020101020101", "length"),  # a longer form of the length
    ("3080020101020101" + "0000", "length"),  # BER's indefinite length
    ("3003020101", "missing"),
    ("3006030101020101", "missing"),
    ("30050200020101", "empty"),
    ("3006020181020101", "negative"),
    ("3006020101020181", "negative"),
    ("300702020001020101", "padded"),
    ("3007020101" + "02020001", "padded"),
    ("300702020000020101", "padded"),
    ("3006020501020101", "cut off"),
    ("3006020101020501", "cut off"),
    ("3026" + "0221" + "01" + "00" * 32 + "020101", "longer than 256"),
    ("3027" + "0222" + "00" + "ff" * 33 + "020101", "longer than 256"),
    ("3008" + "028101" + "01" + "028101" + "01", "longer than 256"),
]
"""Hexadecimal, and what the refusal names."""
