"""Keyfiles as other tools write them open here, and what is not one is refused without using the machine up."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.signing.keyfile import KeyfileMalformed, WrongPassword, decrypt_keyfile

# The two test vectors of the Web3 Secret Storage Definition.
SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
PBKDF2: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "version": 3,
}
SCRYPT: dict[str, Any] = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262144,
            "p": 8,
            "r": 1,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "version": 3,
}


@pytest.mark.parametrize("keyfile", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_the_published_vectors_open(keyfile: dict[str, Any]) -> None:
    assert decrypt_keyfile(keyfile, "testpassword") == SECRET


@pytest.mark.parametrize("keyfile", [PBKDF2, SCRYPT], ids=["pbkdf2", "scrypt"])
def test_another_password_does_not(keyfile: dict[str, Any]) -> None:
    with pytest.raises(WrongPassword):
        decrypt_keyfile(keyfile, "testpasswore")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 2**255).map(lambda n: n.to_bytes(32, "big")),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.sampled_from(["scrypt", "pbkdf2"]),
)
def test_what_the_library_writes_opens_here(key: bytes, password: str, kdf: Any) -> None:
    made = create_keyfile_json(key, password.encode(), kdf=kdf, iterations=4)
    assert decrypt_keyfile(made, password) == key


def changed(path: str, value: Any) -> dict[str, Any]:
    keyfile = copy.deepcopy(SCRYPT if path.startswith("scrypt:") else PBKDF2)
    *parents, last = path.partition(":")[2].split(".")
    table = keyfile["crypto"]
    for name in parents:
        table = table[name]
    if value is None:
        del table[last]
    else:
        table[last] = value
    return keyfile


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pbkdf2:cipher", "aes-256-gcm", "cipher is not"),
        ("pbkdf2:cipherparams", None, "`cipherparams` is missing"),
        ("pbkdf2:cipherparams.iv", "00", "16 bytes"),
        ("pbkdf2:ciphertext", "xy", "not hex"),
        ("pbkdf2:ciphertext", 7, "`ciphertext` is missing"),
        ("pbkdf2:kdf", "argon2", "neither scrypt nor pbkdf2"),
        ("pbkdf2:kdfparams.prf", "hmac-md5", "prf"),
        ("pbkdf2:kdfparams.c", True, "is missing"),
        ("pbkdf2:kdfparams.c", 10**12, "out of range"),
        ("pbkdf2:kdfparams.dklen", 16, "below 32"),
        ("scrypt:kdfparams.n", 2**26, "MiB"),
        ("scrypt:kdfparams.r", 2**25, "MiB"),
        ("scrypt:kdfparams.n", 3, "power of two"),
        ("scrypt:kdfparams.p", 0, "out of range"),
    ],
)
def test_what_is_no_keyfile_is_refused(path: str, value: Any, said: str) -> None:
    with pytest.raises(KeyfileMalformed, match=said):
        decrypt_keyfile(changed(path, value), "testpassword")


def test_opening_a_keyfile_leaves_the_recursion_limit_alone() -> None:
    script = (
        "import sys; from pipeline.signing import keystore_backend; from pipeline.signing.keyfile import decrypt_keyfile\n"
        "assert sys.getrecursionlimit() == 1000 and 'py_ecc' not in sys.modules and 'eth_keyfile' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
