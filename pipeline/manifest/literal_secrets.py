"""Finding secrets that stand in a manifest themselves (design law 7). What is found is named, never shown.

A 32-byte value written ``0x…`` is a legal ABI argument, so it is taken for a private key only where no argument can
stand, or under a key whose name says what it is; without ``0x`` it is taken for one anywhere. The words of a mnemonic
cannot be told from a sentence of twelve short lower-case words: such a sentence is refused too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from chains.errors import Where
from pipeline.manifest.errors import LiteralSecret
from pipeline.manifest.positions import Path
from pipeline.manifest.secret_names import SCHEMES, is_secret_name

__all__ = ["literal_secret", "secret_in_text", "secret_in_url"]

_HEX_KEY = re.compile(r"(?<![0-9A-Za-z])(0[xX])?[0-9a-fA-F]{64}(?![0-9A-Za-z])")
_BASE58_KEY = re.compile(r"(?<![0-9A-Za-z])[1-9A-HJ-NP-Za-km-z]{87,88}(?![0-9A-Za-z])")
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_WORDS = re.compile(r"\s*[a-z]{3,8}(?:\s+[a-z]{3,8})*\s*")
_PREFIXED = re.compile(
    r"(?<![0-9A-Za-z])(?:gh[pousr]_[0-9A-Za-z]{20,}|github_pat_\w{20,}|AKIA[0-9A-Z]{16}|xox[abps]-[\w-]{10,}"
    r"|hv[sb]\.[\w-]{20,}|sk_live_\w{10,}|AGE-SECRET-KEY-1\w+)|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_TOKEN_SEGMENT = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[0-9A-Za-z_-]{20,}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>]+")
_ON_CHAIN = re.compile(r"0x(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64})")
_SHOWS = frozenset({"address", "tx", "account", "block", "token", "contract", "program", "commit", "blob", "tree"})
_PROVIDER = re.compile(
    r"alchemy|infura|quiknode|quicknode|ankr|chainstack|p2pify|blastapi|drpc|getblock|helius|tenderly|nodereal|moralis"
)
_QUERY_KEY = re.compile(r"(?i)key|token|auth|secret|pass|sig")
_ABI_PLACES = frozenset({"args", "equals", "params", "create2", "create3", "allow-slots"})
# sha256 of the private keys of the mnemonic "test … junk" that anvil and Hardhat give out, accounts 0 to 9.
_KNOWN_KEYS_SHA256 = frozenset(
    {
        "bc1a50966c9e6486bc4ebf880b51611a2a97fcb8e7a6976e9b81a9e3e8ca0e3c",
        "8335c55334821eefd4334369ff9c04a8594f161013cf9d87f58802d87297837e",
        "b26ab6529d20ebebb4192256f202984754f785481c64b1a1aed58cac93b3617e",
        "64034b44c579b335ab5e85debbfe72789e970138cc8d296799c3833a2a8525fb",
        "4d3e46eec8244d1d106f866ee48994f6176705298aee1b8426b2ad2529eb454b",
        "0aedba9d586f34f95cf1f0d54926f62e8a078ce2ca593be73ab27a87d3ff9c5d",
        "28e543d3753fc9d14c658ebef20b76a3b5f8e7d78667baf27832ceb3bea01bdf",
        "f070994a8599478580678f2b9482c5f02bb3de0647281e8efae183669425808a",
        "38e69fdd19aefeb4adf56312f10e62c30274997835173c7006308323ad7db506",
        "967f21586cdf1248a862f2cfb330099701c942c2c7a7537c54f7ec48f8556505",
    }
)

REMEDY = (
    'Move the value out of the file and refer to it: "env:NAME" for an environment variable, "file:PATH" for a file. '
    "If it was ever committed or shared, replace it: it is no longer a secret."
)


def literal_secret(path: Path, value: Any) -> Callable[[Where], LiteralSecret] | None:
    """What makes the problem, if ``value`` at ``path`` is a secret itself."""
    what = _what(path, value)
    if what is None:
        return None

    def problem(where: Where) -> LiteralSecret:
        return LiteralSecret(f"{what} stands in the file itself (not shown here).", remedy=REMEDY, where=where)

    return problem


def _what(path: Path, value: Any) -> str | None:
    abi = any(part in _ABI_PLACES for part in path)
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    if isinstance(value, tuple):
        if not abi and len(value) == 64 and all(type(item) is int and 0 <= item < 256 for item in value):
            return "A Solana keypair (64 bytes)"
        return None
    if not isinstance(value, str):
        return None
    if value.startswith(SCHEMES) and "://" not in value:
        # A reference; but "env:<64 hex>" is a secret behind a prefix, and so is "age:AGE-SECRET-KEY-1…".
        if _HEX_KEY.search(value):
            return "A private key (64 hex digits)"
        return "An access token or private key" if _PREFIXED.search(value) else None
    if is_secret_name(name, public=abi):
        public = value.startswith("${") or _ADDRESS.fullmatch(value)
        if value and not public:
            return f'A secret ("{name}")'
    # A program's pinned digest has the form of a key; the keys that everyone knows are refused there too.
    pinned = len(path) == 3 and (path[0], path[2]) == ("programs", "sha256") and re.fullmatch(r"[0-9a-f]{64}", value)
    return secret_in_text(f"0x{value}", abi=True) if pinned else secret_in_text(value, abi=abi)


def secret_in_text(text: str, *, abi: bool = False) -> str | None:
    """What kind of secret ``text`` is or holds, judged by its form. ``abi``: 0x-prefixed 32-byte values are legal."""
    for match in _HEX_KEY.finditer(text):
        digest = hashlib.sha256(match.group()[-64:].lower().encode()).hexdigest()
        if not abi or not match[1] or digest in _KNOWN_KEYS_SHA256:
            return "A private key (64 hex digits)"
    if _BASE58_KEY.search(text):
        return "A Solana private key (64 bytes in base58)"
    if _PREFIXED.search(text):
        return "An access token or private key"
    if _WORDS.fullmatch(text) and len(text.split()) in {12, 15, 18, 21, 24}:
        return "A seed phrase (12 to 24 lower-case words)"
    return next((found for url in _URL.findall(text) if (found := secret_in_url(url))), None)


def secret_in_url(url: str, *, sure: bool = False) -> str | None:
    """What kind of secret ``url`` holds. ``sure``: only where a path is known to hold keys, for text from anywhere."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if "@" in parts.netloc:
            return "A URL with a user name or password"
        if any(value and _QUERY_KEY.search(key) for key, value in parse_qsl(parts.query)):
            return "A URL with a key in its query"
    except ValueError:
        return None
    if re.fullmatch(r"[0-9a-f]{32,}", host.split(".")[0]):
        return "A URL with what looks like an API key in its host"
    segments = parts.path.split("/")
    for before, segment in zip(["", *segments], segments, strict=False):
        if not _TOKEN_SEGMENT.fullmatch(segment) or _ON_CHAIN.fullmatch(segment) or before in _SHOWS:
            continue
        if not sure or re.fullmatch(r"v\d", before) or _PROVIDER.search(host):
            return "A URL with what looks like an API key in its path"
    return None
