"""``ship signer import`` and Solana keyfiles: the key that was given, encrypted, and nothing of it anywhere else."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair

from pipeline.signing.ed25519 import CheckedMessages
from pipeline.signing.keystore import KeystoreInvalid, KeystoreWrongPassword, open_keystore, open_solana_keystore
from pipeline.signing.opening import open_backend, open_message_backend, signer_address, signer_public_key
from pipeline.signing.password import PasswordOptions
from tests.support.signers_hsm import signer_context

PASSWORD = "correct horse battery"
JUNK = "test test test test test test test test test test test junk"
HEX = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"
SEED = bytes(range(32))
KEYGEN = json.dumps(list(bytes(Keypair.from_seed(SEED))))


def private(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def imported(ship, tmp_path, form, text, *more):
    out = tmp_path / "k.json"
    source, password = private(tmp_path, "source", text), private(tmp_path, "password", PASSWORD)
    result = ship(
        "signer",
        "import",
        "--from",
        form,
        "--source-file",
        source,
        "--out",
        str(out),
        "--password-file",
        password,
        *more,
    )
    return out, result


@pytest.mark.parametrize(
    ("form", "text", "more", "address"),
    [
        ("mnemonic", JUNK, ["--index", "1"], "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),
        ("hex", f"0x{HEX}", [], "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"),
    ],
)
def test_an_ethereum_key(ship, tmp_path, form, text, more, address):
    out, result = imported(ship, tmp_path, form, text, *more)
    assert result.exit_code == 0, result.output
    assert f'address = "{address}"' in result.stdout
    assert "in ship's memory" in result.stdout
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert open_keystore(out, PASSWORD).address == address
    assert text.removeprefix("0x") not in result.output + out.read_text()
    with pytest.raises(KeystoreInvalid, match="a Solana one is needed"):
        open_solana_keystore(out, PASSWORD)


@pytest.mark.parametrize(
    ("form", "text", "more", "key"),
    [
        ("solana-keygen", KEYGEN, [], str(Keypair.from_seed(SEED).pubkey())),
        ("hex", SEED.hex(), ["--kind", "ed25519"], str(Keypair.from_seed(SEED).pubkey())),
        ("mnemonic", "abandon " * 11 + "about", ["--kind", "ed25519"], "HAgk14JpMQLgt6rVgv7cBQFJWFto5Dqxi472uT3DKpqk"),
    ],
)
def test_a_solana_key(ship, tmp_path, form, text, more, key):
    out, result = imported(ship, tmp_path, form, text, *more)
    assert result.exit_code == 0, result.output
    assert f'public-key = "{key}"' in result.stdout
    assert json.loads(out.read_text())["publicKey"] == key
    assert "address" not in json.loads(out.read_text())
    with pytest.raises(KeystoreInvalid, match="an Ethereum one is needed"):
        open_keystore(out, PASSWORD)
    with pytest.raises(KeystoreWrongPassword):
        open_solana_keystore(out, "wrong password")
    stated = json.loads(out.read_text()) | {"publicKey": str(Keypair().pubkey())}
    out.write_text(json.dumps(stated))
    with pytest.raises(KeystoreInvalid, match="another key than it states"):
        open_solana_keystore(out, PASSWORD)


def test_a_new_solana_key_signs_for_its_target(ship, tmp_path):
    out = tmp_path / "p/k.json"
    password = private(tmp_path, "password", PASSWORD)
    result = ship("signer", "new", "--kind", "ed25519", "--out", str(out), "--password-file", password, "--json")
    document = json.loads(result.stdout)
    assert "address" not in document
    key = document["public_key"]
    context = signer_context(
        tmp_path / "p", 'backend = "keystore"\nfile = "k.json"', chain="solana-local", secret=PASSWORD
    )
    assert signer_public_key(context.target, context.root) == key
    backend = open_message_backend(context.target, context.root, PasswordOptions(tmp_path / "p/secret"))
    assert isinstance(backend, CheckedMessages)
    for length in (1, 32, 1232):
        assert len(backend.sign_message(os.urandom(length))) == 64
    shown = ship("signer", "address", "--chain", "here", "-C", str(tmp_path / "p"))
    assert shown.stdout.startswith(f"{key}\n")
    assert "in ship's memory" in shown.stderr


def test_the_development_key_of_solana_signs_on_a_local_chain_only(tmp_path):
    context = signer_context(tmp_path / "p", 'backend = "development"', chain="solana-local")
    backend = open_message_backend(context.target, context.root, lambda *_: "")
    assert len(backend.sign_message(b"x")) == 64
    with pytest.raises(Exception, match="signs only on the local chain"):
        signer_address(context.target, context.root)
    evm = signer_context(tmp_path / "e", 'backend = "development"')
    with pytest.raises(Exception, match="local Solana chain"):
        open_message_backend(evm.target, evm.root, lambda *_: "")
    with pytest.raises(Exception, match="signs only on the local chain"):
        open_backend(evm.target, evm.root, lambda *_: "")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("mnemonic", "canary canary canary"),
        ("hex", "canary" + HEX),
        ("hex", "ff" * 32),
        ("hex", "00" * 32),
        ("solana-keygen", "canary"),
        ("solana-keygen", "[1, 2, 3]"),
        ("solana-keygen", "[" * 4000),
        ("solana-keygen", json.dumps([True] * 64)),
        ("solana-keygen", json.dumps([1] * 64)),
        ("solana-keygen", json.dumps([300, *range(63)])),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(ship, tmp_path, form, text):
    out, result = imported(ship, tmp_path, form, text)
    assert result.exit_code == 2
    assert "SHIP-S15" in result.stderr
    assert not out.exists()
    assert text not in result.output
    assert "canary" not in result.output


def test_without_a_terminal_the_key_must_be_given(ship, tmp_path):
    password = private(tmp_path, "password", PASSWORD)
    result = ship("signer", "import", "--from", "hex", "--out", str(tmp_path / "k"), "--password-file", password)
    assert (result.exit_code, "SHIP-S12" in result.stderr) == (2, True)


def test_a_source_others_may_read_is_refused(ship, tmp_path):
    path = tmp_path / "source"
    path.write_text(HEX)
    path.chmod(0o644)
    result = ship("signer", "import", "--from", "hex", "--source-file", str(path), "--out", str(tmp_path / "k"))
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)


def test_the_passphrase_and_the_words_come_from_descriptors(ship, tmp_path):
    from pipeline.signing.keystore import LocalKey
    from pipeline.signing.mnemonic import ethereum_key

    with (
        Path(private(tmp_path, "words", JUNK)).open("rb") as words,
        Path(private(tmp_path, "pp", "trezor")).open("rb") as passphrase,
    ):
        result = ship(
            "signer",
            "import",
            "--from",
            "mnemonic",
            "--source-fd",
            str(words.fileno()),
            "--passphrase-fd",
            str(passphrase.fileno()),
            "--out",
            str(tmp_path / "k.json"),
            "--password-file",
            private(tmp_path, "password", PASSWORD),
        )
    assert result.exit_code == 0, result.output
    assert (
        open_keystore(tmp_path / "k.json", PASSWORD).address == LocalKey(ethereum_key(JUNK, "trezor", 0), "x").address
    )
