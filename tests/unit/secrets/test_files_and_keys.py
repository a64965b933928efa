"""Secrets in encrypted files and in the keyring: age, sops, keyring. What cannot be opened is refused, and says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyrage
import pytest

from chains.errors import ShipError
from pipeline.manifest.secrets import SecretRef, default_stores, redact, resolve_secret
from pipeline.secrets.base import NoAnswer
from pipeline.secrets.kept import Kept
from pipeline.secrets.system_keyring import KeyringStore
from tests.support.secret_stores import (
    age_identity,
    age_put,
    keyring_put,
    sops_program,
    sops_put,
)

VALUE = "canary-value-1f0c5d"


@pytest.fixture(autouse=True)
def _no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AGE_IDENTITY_FILE", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return age_identity(tmp_path, monkeypatch.setenv)


@pytest.fixture
def with_sops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{Path(sops_program()).parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))


def read(root: Path, reference: str) -> str:
    return resolve_secret(SecretRef(reference), default_stores(root)).reveal()


def refused(root: Path, reference: str, *words: str, code: str = "SHIP-M40", exit_code: int = 2) -> ShipError:
    with pytest.raises(ShipError) as caught:
        read(root, reference)
    error = caught.value
    assert (error.code, error.exit_code) == (code, exit_code), error.cause
    assert error.__suppress_context__
    text = json.dumps(error.to_json())
    assert VALUE not in text
    assert reference in error.cause
    for word in words:
        assert word in error.cause, error.cause
    assert error.remedy
    return error


# -- age ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("armored", [False, True])
def test_a_file_encrypted_with_age(tmp_path: Path, recipient: str, armored: bool) -> None:
    reference = age_put(tmp_path, recipient, f"{VALUE}\n", armored=armored)
    assert read(tmp_path, reference) == VALUE
    assert redact(f"x{VALUE}x") == "x[redacted]x"


def test_identities_are_hidden_as_soon_as_they_are_read(tmp_path: Path, recipient: str) -> None:
    read(tmp_path, age_put(tmp_path, recipient, VALUE))
    key = (tmp_path / "identity.txt").read_text().splitlines()[-1]
    assert key.startswith("AGE-SECRET-KEY-1")
    assert key not in redact(f"the key {key} it was")


@pytest.mark.parametrize("name", ["SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY"])
def test_sops_own_variables_name_identities_too(
    tmp_path: Path, recipient: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    reference = age_put(tmp_path, recipient, VALUE)
    file = tmp_path / "identity.txt"
    monkeypatch.delenv("AGE_IDENTITY_FILE")
    monkeypatch.setenv(name, str(file) if name.endswith("FILE") else file.read_text())
    assert read(tmp_path, reference) == VALUE


def test_an_identity_is_named_from_where_the_command_was_called(
    tmp_path: Path, recipient: str, with_sops: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    references = (age_put(root, recipient, VALUE), sops_put(root, recipient, {"a": VALUE}) + "a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGE_IDENTITY_FILE", "identity.txt")
    assert [read(root, reference) for reference in references] == [VALUE, VALUE]


def test_an_ssh_key_is_an_identity_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    (tmp_path / "id").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    (tmp_path / "x.age").write_bytes(pyrage.encrypt(VALUE.encode(), [pyrage.ssh.Recipient.from_str(public)]))
    monkeypatch.setenv("AGE_IDENTITY_FILE", str(tmp_path / "id"))
    assert read(tmp_path, "age:x.age") == VALUE


def test_what_age_does_not_open_is_refused(tmp_path: Path, recipient: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = age_put(tmp_path, recipient, VALUE)
    whole = (tmp_path / "ship.age").read_bytes()
    (tmp_path / "cut.age").write_bytes(whole[:-3])
    (tmp_path / "flipped.age").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (tmp_path / "plain.age").write_text(VALUE)
    refused(tmp_path, "age:absent.age", "No such file")
    refused(tmp_path, "age:cut.age", "damaged")
    refused(tmp_path, "age:flipped.age", "damaged")
    refused(tmp_path, "age:plain.age", "not encrypted with age")
    refused(tmp_path, age_put(tmp_path, recipient, "\n", "blank"), "empty")
    refused(tmp_path, age_put(tmp_path, recipient, "x" * 70_000, "huge"), "64 KiB")
    age_identity(tmp_path, monkeypatch.setenv)
    refused(tmp_path, reference, "no identity given here opens")
    (tmp_path / "identity.txt").write_text(f"{VALUE}\n")
    refused(tmp_path, reference, "no identity of age's")
    (tmp_path / "identity.txt").write_text("# none\n")
    refused(tmp_path, reference, "holds no identity")
    (tmp_path / "identity.txt").write_bytes(whole)
    refused(tmp_path, reference, "encrypted itself")
    monkeypatch.delenv("AGE_IDENTITY_FILE")
    error = refused(tmp_path, reference, "no identity")
    assert "AGE_IDENTITY_FILE" in error.remedy


# -- sops --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "tree", "path"),
    [
        ("s.json", {"rpc": {"base": [{"url": VALUE}]}}, "rpc.base.0.url"),
        ("s.yaml", f"rpc:\n  base: {VALUE}\n", "rpc.base"),
        ("s.env", f"BASE={VALUE}\n", "BASE"),
        ("dotted.json", {"a.b": VALUE, "a": {"b": "not this"}}, "a.b"),
    ],
)
def test_one_value_of_a_sops_file(
    tmp_path: Path, recipient: str, with_sops: None, name: str, tree: object, path: str
) -> None:
    reference = sops_put(tmp_path, recipient, tree, name) + path
    assert VALUE not in (tmp_path / name).read_text()
    assert read(tmp_path, reference) == VALUE


def test_what_sops_does_not_open_is_refused(
    tmp_path: Path, recipient: str, with_sops: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = sops_put(tmp_path, recipient, {"a": {"b": VALUE, "flag": True}, "n": 4821})
    assert read(tmp_path, f"{reference}n") == "4821"
    refused(tmp_path, f"{reference}a.c", "no field a.c")
    refused(tmp_path, f"{reference}a", "neither text nor a number")
    refused(tmp_path, f"{reference}a.flag", "neither text nor a number")
    refused(tmp_path, "sops:absent.json#a", "No such file")
    (tmp_path / "plain.json").write_text(json.dumps({"a": VALUE}))
    refused(tmp_path, "sops:plain.json#a", "sops does not open")
    changed = json.loads((tmp_path / "ship.json").read_text())
    del changed["n"]
    (tmp_path / "changed.json").write_text(json.dumps(changed))
    refused(tmp_path, "sops:changed.json#a.b", "MAC")
    (tmp_path / "torn.json").write_text((tmp_path / "ship.json").read_text()[:200])
    refused(tmp_path, "sops:torn.json#a.b", "sops does not open")
    (tmp_path / "other.json").write_bytes((tmp_path / "ship.json").read_bytes())
    age_identity(tmp_path, monkeypatch.setenv)
    refused(tmp_path, "sops:other.json#a.b", "no key given here opens it")


def test_without_the_program_sops_it_is_said_how_to_get_it(
    tmp_path: Path, recipient: str, with_sops: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = sops_put(tmp_path, recipient, {"a": VALUE})
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(tmp_path, f"{reference}a", "not on PATH", code="SHIP-M41")
    assert "getsops" in error.remedy


# -- keyring -----------------------------------------------------------------------------------------------------------


def test_a_secret_of_the_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own: the library chooses its backend once."""
    reference = keyring_put(tmp_path, monkeypatch.setenv, f"{VALUE}\n")
    done = in_a_process(tmp_path, reference, "keyring:ship/absent")
    assert done == [VALUE, "SHIP-M40 The secret keyring:ship/absent is not there: the keyring has no absent of ship."]


@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("keyring.backends.fail.Keyring", "this machine has no keyring"),
        ("keyring.backends.null.Keyring", "the keyring has no rpc of ship"),
        ("tests.support.absent.Keyring", "the keyring cannot be used (ModuleNotFoundError)"),
    ],
)
def test_a_machine_without_a_keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, words: str) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    assert in_a_process(tmp_path, "keyring:ship/rpc") == [
        f"SHIP-M40 The secret keyring:ship/rpc is not there: {words}."
    ]


def test_a_keyring_that_waits_for_a_person_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    waits = threading.Event()

    class Locked(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            waits.wait()
            return None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(Locked())  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(NoAnswer, match="wait to be unlocked"):
            KeyringStore(wait_s=0.2).fetch("ship/rpc")
    finally:
        waits.set()
        keyring.set_keyring(before)


def test_without_the_extra_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    error = refused(tmp_path, "keyring:ship/rpc", "not installed", code="SHIP-M41")
    assert "contract-ship[keyring]" in error.remedy


def in_a_process(root: Path, *references: str) -> list[str]:
    code = (
        "import sys\nfrom pathlib import Path\nfrom chains.errors import ShipError\n"
        "from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret\n"
        "for text in sys.argv[1:]:\n"
        "    try: print(resolve_secret(SecretRef(text), default_stores(Path.cwd())).reveal())\n"
        "    except ShipError as error: print(error.code, error.cause)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *references],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


# -- what a run keeps --------------------------------------------------------------------------------------------------


def test_a_secret_is_fetched_once_a_run(tmp_path: Path, recipient: str) -> None:
    reference = age_put(tmp_path, recipient, VALUE)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(read(tmp_path, reference))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (tmp_path / "ship.age").unlink()
    assert [*results, read(tmp_path, reference)] == [VALUE] * 9


def test_what_was_not_given_is_asked_for_again(tmp_path: Path, recipient: str) -> None:
    refused(tmp_path, "age:ship.age", "No such file")
    age_put(tmp_path, recipient, VALUE)
    assert read(tmp_path, "age:ship.age") == VALUE


def test_what_is_kept_shows_nothing(tmp_path: Path, recipient: str) -> None:
    kept, reference = Kept(), age_put(tmp_path, recipient, VALUE)
    assert kept.read("age:", tmp_path, reference.removeprefix("age:")) == VALUE
    assert VALUE not in repr(vars(kept))


def test_no_store_is_loaded_before_it_is_read(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.manifest.secrets import default_stores\n"
        "stores = default_stores(Path.cwd())\n"
        "print(len(stores), sorted({'boto3', 'hvac', 'pyrage', 'keyring'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "8 []"
