"""Keys on a PKCS#11 token: a real SoftHSM, and a library in front of it that misbehaves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.signing.base import checked_signature
from pipeline.signing.context import SignerContext, SignerUnavailable
from pipeline.signing.ed25519 import CheckedMessages
from pipeline.signing.password import PasswordOptions, PasswordUnavailable
from pipeline.signing.pkcs11_backend import ed25519_public_key, evm_address, notes, open_ed25519, open_evm
from pipeline.signing.pkcs11_keys import decode_point
from tests.support.anvil import ROOT
from tests.support.missing import missing
from tests.support.signers_hsm import pkcs11_table, signer_context
from tests.support.softhsm import PIN, Token, library, new_token

pytestmark = pytest.mark.xdist_group("softhsm")  # the stock of tokens is made once a process

EDGES = [b"\x00" * 31 + b"\x01", b"\xff" * 32, b"\x00" * 32, bytes(range(32)), b"\x80" + b"\x00" * 31]


def context(tmp_path: Path, token: Token, key: str = "deployer", pin: str = PIN, more: str = "") -> SignerContext:
    return signer_context(tmp_path / "project", pkcs11_table(token, key) + more, secret=pin)


def refusal(call: Any, *words: str) -> SignerUnavailable:
    with pytest.raises(SignerUnavailable) as caught:
        call()
    assert caught.value.exit_code == 2
    for word in words:
        assert word in caught.value.cause
    assert PIN not in caught.value.cause + caught.value.remedy
    return caught.value


# -- what a good key does ----------------------------------------------------------------------------------------------


def test_an_ec_key_signs_any_digest_for_the_address_that_is_shown_without_its_pin(tmp_path):
    token = new_token()
    token.key("deployer")
    key = open_evm(context(tmp_path, token))
    unasked = replace(context(tmp_path, token), password=None)
    assert evm_address(unasked) == key.address
    for digest in [*EDGES, *(os.urandom(32) for _ in range(300))]:
        assert checked_signature(key, digest)  # raises unless it recovers to the address


def test_numbers_with_leading_zeros_are_read_right(tmp_path):
    """A token that leaves them out would be found here; missing one has a chance of 1 in 10**10."""
    token = new_token()
    token.key("deployer")
    key = open_evm(context(tmp_path, token))
    seen = set()
    for number in range(6000):
        digest = number.to_bytes(32, "big")
        r, s = key.sign_digest(digest)
        if r < 2**248 or s < 2**248:
            assert checked_signature(key, digest)
            seen |= {name for name, value in (("r", r), ("s", s)) if value < 2**248}
        if seen == {"r", "s"}:
            return
    pytest.fail(f"only these were short: {seen}")


def test_an_edwards_key_signs_messages_of_any_length(tmp_path):
    token = new_token()
    token.key("deployer", "ed25519")
    key = CheckedMessages(open_ed25519(context(tmp_path, token)))
    assert ed25519_public_key(replace(context(tmp_path, token), password=None)) == key.public_key
    for length in [*range(1, 129), *range(129, 1232, 61), 1232]:
        assert len(key.sign_message(os.urandom(length))) == 64


def test_a_key_is_found_by_its_id_and_both_kinds_may_share_a_label(tmp_path):
    token = new_token()
    first = token.key("deployer")
    token.key("deployer", "ed25519")
    by_label = open_evm(context(tmp_path, token))
    assert open_evm(context(tmp_path, token, f"id:{first.hex()}")).address == by_label.address
    assert len(open_ed25519(context(tmp_path, token)).public_key) == 32


def test_a_software_token_is_called_one(tmp_path):
    token = new_token()
    token.key("deployer")
    key = open_evm(context(tmp_path, token))
    assert (key.assurance, "is software" in key.notes[0]) == ("software", True)
    assert "is software" in notes(replace(context(tmp_path, token), password=None))[0]


def test_two_targets_on_one_token_log_in_once(tmp_path):
    """A second login would be refused by the token: it belongs to the process."""
    token = new_token()
    token.key("a")
    token.key("b")
    first = open_evm(context(tmp_path / "1", token, "a"))
    second = open_evm(replace(context(tmp_path / "2", token, "b"), password=None))  # nobody is asked
    assert first.address != second.address
    assert checked_signature(second, EDGES[0])
    assert checked_signature(first, EDGES[0])


def test_the_pin_comes_from_a_reference_too(tmp_path, monkeypatch):
    token = new_token()
    token.key("deployer")
    monkeypatch.setenv("HSM_PIN_HERE", PIN)
    asked = replace(context(tmp_path, token, more='\npin = "env:HSM_PIN_HERE"'), password=PasswordOptions())
    assert checked_signature(open_evm(asked), EDGES[1])


def test_without_a_terminal_a_pin_must_be_given(tmp_path):
    token = new_token()
    token.key("deployer")
    with pytest.raises(PasswordUnavailable, match="PIN of the token"):
        open_evm(replace(context(tmp_path, token), password=PasswordOptions()))


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_wrong_pin_is_given_to_the_token_once_a_run(tmp_path):
    token = new_token()
    token.key("deployer")
    wrong = "canary-wrong-4471"
    error = refusal(lambda: open_evm(context(tmp_path, token, pin=wrong)), "PIN", "is wrong", "counts wrong tries")
    assert wrong not in error.cause + error.remedy + repr(error)
    refusal(lambda: open_evm(context(tmp_path, token)), "not tried again")  # not even a right one


def test_two_keys_with_one_label_are_not_chosen_between(tmp_path):
    token = new_token()
    ids = [token.key("deployer"), token.key("deployer")]
    error = refusal(lambda: open_evm(context(tmp_path, token)), "2 private keys")
    assert all(f"id:{key.hex()}" in error.cause for key in ids)
    refusal(lambda: evm_address(context(tmp_path, token)), "2 public keys")
    assert open_evm(context(tmp_path, token, f"id:{ids[1].hex()}")).address


def test_a_key_that_is_not_there_of_another_curve_or_not_for_signing(tmp_path):
    token = new_token()
    token.key("deployer", "ed25519")
    token.key("nist", "secp256r1")
    token.key("wrap", SIGN=False)
    refusal(lambda: open_evm(context(tmp_path, token)), "no private EC key deployer")
    refusal(lambda: evm_address(context(tmp_path, token, "absent")), "no public EC key absent")
    refusal(lambda: open_evm(context(tmp_path, token, "nist")), "another curve than secp256k1")
    refusal(lambda: open_evm(context(tmp_path, token, "wrap")), "CKA_SIGN")
    refusal(lambda: open_evm(context(tmp_path, token, "id:xyz")), "hex digits")


def test_a_key_the_token_gives_out_is_reported_and_counts_as_software(tmp_path):
    token = new_token()
    token.key("deployer", SENSITIVE=False, EXTRACTABLE=True)
    key = open_evm(context(tmp_path, token))
    assert key.assurance == "software"
    assert any("CKA_SENSITIVE" in note for note in key.notes)
    assert any("CKA_EXTRACTABLE" in note for note in key.notes)


def test_a_key_that_is_destroyed_while_the_run_lasts(tmp_path):
    token = new_token()
    token.key("deployer")
    key = open_evm(context(tmp_path, token))
    token.destroy("deployer")
    refusal(lambda: key.sign_digest(EDGES[0]), "refuses to sign")


@pytest.mark.parametrize(
    "module", ["relative/lib.so", "env:NOT_SET_ANYWHERE", "/nowhere/lib.so", "/usr", "{text}", "{open}"]
)
def test_a_library_that_is_none(tmp_path, module):
    (tmp_path / "text").write_text("not a library")
    shutil.copy(library(), tmp_path / "open")
    (tmp_path / "open").chmod(0o777)
    path = module.format(text=tmp_path / "text", open=tmp_path / "open")
    table = f'backend = "pkcs11"\nmodule = "{path}"\ntoken-label = "x"\nkey = "deployer"'
    error = refusal(lambda: evm_address(signer_context(tmp_path / "project", table)))
    assert error.where.key == "signer.module"


def test_a_token_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    token = new_token()
    error = refusal(
        lambda: evm_address(context(tmp_path, replace(token, label="absent"))), "no tokens are labelled absent"
    )
    assert token.label in error.cause


# -- points ------------------------------------------------------------------------------------------------------------

G = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)


def test_points_bare_or_wrapped():
    assert decode_point(G, "secp256k1") == decode_point(b"\x04\x41" + G, "secp256k1") == G[1:]
    assert decode_point(G[:32], "ed25519") == decode_point(b"\x04\x20" + G[:32], "ed25519") == G[:32]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        G[:-1],
        G + b"\0",
        b"\x04\x40" + G,
        b"\x05\x41" + G,
        b"\x02" + G[1:],
        G[:-1] + b"\xb9",
        b"\x04\x41" + G + b"\0",
    ],
)
def test_points_that_are_none(value):
    with pytest.raises(ValueError, match=r"."):
        decode_point(value, "secp256k1")


# -- a library that misbehaves -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library in front of SoftHSM, compiled."""
    compiler = shutil.which("cc") or missing("a C compiler is missing")
    path = tmp_path_factory.mktemp("shim") / "shim.so"
    source = ROOT / "tests/support/pkcs11_shim.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", path, source, "-ldl"], check=True)
    return path


class Run:
    def __init__(
        self, shim: Path, tmp_path: Path, fault: str, what: str = "sign", pin: str = PIN, **flags: Any
    ) -> None:
        token = new_token()
        token.key("deployer", **flags)
        signer_context(tmp_path / "p", pkcs11_table(replace(token, library=str(shim)), "deployer"), secret=pin)
        self.log = tmp_path / "log"
        self.log.touch()
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SHIM_REAL": token.library,
            "SHIM_LOG": str(self.log),
            "SHIM_FAULT": fault,
            "HSM_CALL_S": "2",
            "HSM_RIGHT_PIN": PIN,
        }
        command = [sys.executable, "-m", "tests.support.hsm_runner", str(tmp_path / "p"), what]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert PIN not in done.stdout + done.stderr
        self.said = [json.loads(line) for line in done.stdout.splitlines()]

    def calls(self, name: str) -> list[int]:
        return [int(line.split()[1]) for line in self.log.read_text().splitlines() if line.split()[0] == name]


def test_hardware_is_called_hardware(shim, tmp_path):
    run = Run(shim, tmp_path, "hardware")
    assert (run.said[0]["assurance"], run.said[-1]) == ("hardware", {"signed": True})
    assert "Acme HSMs" in run.said[0]["notes"][0]
    assert len(run.calls("C_Login")) == 1


def test_hardware_that_gives_the_key_out_counts_as_software(shim, tmp_path):
    run = Run(shim, tmp_path, "hardware", SENSITIVE=False, EXTRACTABLE=True)
    assert run.said[0]["assurance"] == "software"
    assert ["CKA_SENSITIVE" in run.said[0]["notes"][1], "CKA_EXTRACTABLE" in run.said[0]["notes"][2]] == [True, True]


def test_a_wrong_pin_reaches_the_token_once(shim, tmp_path):
    run = Run(shim, tmp_path, "final-try-after", "open-again", pin="wrong-pin-1")
    assert [line["exit"] for line in run.said] == [2, 2]
    assert "one try may be left" in run.said[0]["cause"]
    assert len(run.calls("C_Login")) == 1


@pytest.mark.parametrize(("fault", "word"), [("final-try", "next wrong PIN"), ("locked", "locked its PIN")])
def test_a_token_about_to_lock_is_left_alone(shim, tmp_path, fault, word):
    run = Run(shim, tmp_path, fault)
    assert (run.said[0]["exit"], word in run.said[0]["cause"]) == (2, True)
    assert run.calls("C_Login") == []


@pytest.mark.parametrize(
    ("fault", "code", "exit_code", "word"),
    [
        ("hang", "SHIP-S04", 3, "within 2 s"),
        ("removed", "SHIP-S04", 3, "DeviceRemoved"),
        ("corrupt", "SHIP-S02", 2, "was not made by"),
        ("short", "SHIP-S02", 2, "63 bytes"),
    ],
)
def test_a_signature_that_does_not_come_or_is_none(shim, tmp_path, fault, code, exit_code, word):
    said = Run(shim, tmp_path, fault).said[-1]
    assert (said["code"], said["exit"], word in said["cause"]) == (code, exit_code, True)


def test_a_child_neither_signs_nor_ends_the_session(shim, tmp_path):
    run = Run(shim, tmp_path, "", "fork")
    parent = next(line["parent"] for line in run.said if "parent" in line)
    assert "another process" in run.said[1]["cause"]
    assert run.said[-1] == {"signed": True}
    assert set(run.calls("C_Finalize")) <= {parent}
