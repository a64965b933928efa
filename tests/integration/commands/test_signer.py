"""``ship signer``: new keys are encrypted, private to their owner, and never overwrite another."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.signing.keystore import open_keystore


def password_file(tmp_path, text):
    path = tmp_path / "password"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return str(path)


def test_a_new_key_opens_with_its_password(keystore):
    path, password = keystore
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    stated = "0x" + json.loads(path.read_text())["address"].removeprefix("0x")
    assert open_keystore(path, password).address.lower() == stated.lower()


def test_an_existing_file_is_never_overwritten(keystore, tmp_path, ship):
    before = keystore[0].read_bytes()
    result = ship("signer", "new", "--out", str(keystore[0]), "--password-file", password_file(tmp_path, "long enough"))
    assert (result.exit_code, keystore[0].read_bytes()) == (2, before)
    assert "SHIP-S14" in result.stderr


@pytest.mark.parametrize("password", ["", "short", "1234567"])
def test_a_short_password_is_refused_and_not_shown(tmp_path, ship, password):
    result = ship(
        "signer", "new", "--out", str(tmp_path / "k.json"), "--password-file", password_file(tmp_path, password)
    )
    assert result.exit_code == 2
    assert "SHIP-S13" in result.stderr
    assert not (tmp_path / "k.json").exists()
    assert not password or password not in result.output


def test_a_password_file_others_may_read_is_refused(tmp_path, ship):
    path = password_file(tmp_path, "long enough")
    Path(path).chmod(0o644)
    result = ship("signer", "new", "--out", str(tmp_path / "k.json"), "--password-file", path)
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)


def test_without_a_terminal_a_password_must_be_given(tmp_path, ship):
    result = ship("signer", "new", "--out", str(tmp_path / "k.json"))
    assert (result.exit_code, "--password-fd" in result.stderr) == (2, True)


def test_a_folder_that_is_not_there_or_not_writable(tmp_path, ship):
    (tmp_path / "file").write_text("")
    result = ship(
        "signer",
        "new",
        "--out",
        str(tmp_path / "file/k.json"),
        "--password-file",
        password_file(tmp_path, "long enough"),
    )
    assert (result.exit_code, "SHIP-S14" in result.stderr) == (2, True)


def test_on_a_terminal_the_password_is_asked_for_twice(tmp_path):
    """And is not echoed; two that differ are asked for again."""
    out = tmp_path / "k.json"
    master, slave = pty.openpty()
    code = "from pipeline.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "signer", "new", "--out", str(out)],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    seen = b""

    def until(text):
        nonlocal seen
        while text not in seen:
            ready, _, _ = select.select([master], [], [], 60)
            assert ready, seen
            try:
                seen += os.read(master, 4096)
            except OSError:
                break
        seen = seen.partition(text)[2]

    until(b"Password")
    os.write(master, b"first password\n")
    until(b"Repeat")
    os.write(master, b"other password\n")
    until(b"do not match")
    until(b"Password")
    os.write(master, b"first password\n")
    until(b"Repeat")
    os.write(master, b"first password\n")
    shown = seen
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    assert process.wait(60) == 0
    assert b"[signer]" in shown
    assert b"first password" not in shown
    assert out.exists()


@pytest.mark.parametrize(
    ("place", "file"), [("project", "keys/k.json"), ("home", "~/keys/k.json"), ("else", "env:SHIP_KEYSTORE")]
)
def test_the_lines_to_paste_name_the_file_as_a_manifest_may(tmp_path, monkeypatch, place, file):
    from pipeline.signing.making import _file_key

    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = tmp_path / "project"
    assert _file_key(tmp_path / place / "keys/k.json", project)[0] == file


def test_the_address_is_printed_without_opening_the_key(released, copy, keystore):
    assert (
        released.ship("signer", "address", "--chain", "local").stdout == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n"
    )
    (copy.root / "k.json").write_bytes(keystore[0].read_bytes())
    manifest = copy.root / "manifests/local.toml"
    manifest.write_text(manifest.read_text() + '\n[signer]\nbackend = "keystore"\nfile = "k.json"\n')
    stated = json.loads(keystore[0].read_text())["address"].removeprefix("0x")
    assert copy.ship("signer", "address", "--chain", "local").stdout.strip().lower() == f"0x{stated}".lower()
