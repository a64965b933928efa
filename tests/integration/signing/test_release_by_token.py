"""A whole release signed by a token, and its PIN nowhere: not in output, journal, record, plan, log or trace file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.anvil import ROOT, anvil
from tests.support.signers_hsm import pkcs11_table
from tests.support.softhsm import PIN, new_token

pytestmark = pytest.mark.xdist_group("softhsm")

MAIN = "import logging; logging.basicConfig(level=logging.DEBUG); from pipeline.cli import main; main()"


def ship(root: Path, *arguments: str, pin: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command, in a process of its own with a folder for its temporary files."""
    (root / ".tmp").mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(root / ".tmp")}
    with tempfile.TemporaryFile() as secret:
        secret.write((pin or "").encode() + b"\n")
        secret.seek(0)
        given = ["--password-fd", str(secret.fileno())] if pin is not None else []
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MAIN, *arguments, *given, "-C", str(root)],
            cwd=ROOT,
            env=environment,
            pass_fds=[secret.fileno()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


def files_with(root: Path, secret: str) -> list[str]:
    return [str(f) for f in root.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]


def test_a_release_signed_by_a_token(tmp_path):
    token = new_token()
    token.key("deployer")
    root = tmp_path / "counter"
    shutil.copytree(ROOT / "tests/projects/counter", root)
    manifest = root / "manifests/local.toml"
    with anvil("--chain-id", "31337") as node:

        def signed_by(*more: str) -> None:
            table = "\n".join([pkcs11_table(token, "deployer"), *more])
            manifest.write_text(
                f'schema = 1\nchain = "local"\n[rpc]\nendpoints = ["{node.url}"]\n[signer]\n{table}\n'
                "[policy]\nfinality = 1\napprovals = 0\n[params]\n"
            )

        signed_by()
        shown = ship(root, "signer", "address", "--chain", "local")
        address = shown.stdout.strip()
        assert "is software" in shown.stderr
        node.call("anvil_setBalance", address, hex(10**19))

        unpinned = ship(root, "deploy", "--chain", "local", "--yes", "--json", pin=PIN)
        assert (unpinned.returncode, "needs its address pinned" in unpinned.stdout) == (2, True), unpinned.stderr
        signed_by(f'address = "{address}"')
        doctor = ship(root, "doctor", "--chain", "local")
        assert "is software" in doctor.stdout

        wrong = ship(root, "deploy", "--chain", "local", "--yes", "--json", pin="canary-wrong-7719")
        assert (wrong.returncode, json.loads(wrong.stdout)["error"]["code"]) == (2, "SHIP-S03"), wrong.stderr
        assert node.nonce(address) == 0

        done = ship(root, "deploy", "--chain", "local", "--yes", "--json", pin=PIN)
        assert done.returncode == 0, done.stderr + done.stdout
        sent = node.nonce(address)
        assert sent > 0
        again = ship(root, "deploy", "--chain", "local", "--yes", "--json", pin=PIN)
        assert (again.returncode, node.nonce(address)) == (0, sent)

    rows = (root / "deployments/local/journal.jsonl").read_text()
    assert '"tx.signed"' in rows
    for secret in (PIN, "canary-wrong-7719"):
        for result in (unpinned, wrong, done, again, doctor, shown):
            assert secret not in result.stdout + result.stderr
        assert files_with(root, secret) == []
