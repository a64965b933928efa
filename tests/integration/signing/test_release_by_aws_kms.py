"""A whole release signed by AWS KMS through an assumed role, and its secrets nowhere, with every library at debug level."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.anvil import ROOT, anvil
from tests.support.ministack import CREDENTIALS, REGION, Ministack
from tests.support.service_proxy import Answer, ServiceProxy

ASSUMED, SESSION = "canary-assumed-secret-0123456789", "canary-session-token-0123456789"
SECRETS = (CREDENTIALS["aws_secret_access_key"], ASSUMED, SESSION)
ROLE = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>{ASSUMED}</SecretAccessKey>
<SessionToken>{SESSION}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""
MAIN = "import logging; logging.basicConfig(level=logging.DEBUG); from pipeline.cli import main; main()"


def ship(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with a folder for its temporary files."""
    (root / ".tmp").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MAIN, *arguments, "--chain", "local", "-C", str(root)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(root / ".tmp")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def expired() -> Answer:
    body = json.dumps({"__type": "ExpiredTokenException", "message": f"planted {SESSION}"}).encode()
    return Answer(400, body, {"Content-Type": "application/x-amz-json-1.1"})


def test_a_release_signed_by_aws_kms(stack: Ministack, proxy: ServiceProxy, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", proxy.url)
    root = tmp_path / "counter"
    shutil.copytree(ROOT / "tests/projects/counter", root)
    stack.key(alias="alias/release")
    signed = 0

    def answers(operation: str, body: bytes) -> Answer | None:
        return Answer(200, ROLE.encode(), {"Content-Type": "text/xml"}) if operation == "/" else None

    def runs_out(operation: str, body: bytes) -> Answer | None:
        nonlocal signed
        signed += operation == "Sign"
        return expired() if operation == "Sign" and signed > 1 else answers(operation, body)

    with anvil("--chain-id", "31337") as node:

        def target(*more: str) -> None:
            lines = [
                'schema = 1\nchain = "local"',
                f'[rpc]\nendpoints = ["{node.url}"]',
                f'[policy]\nfinality = 1\napprovals = 0\n[params]\n[signer]\nbackend = "aws-kms"\nregion = "{REGION}"',
                f'key = "alias/release"\nurl = "{proxy.url}"\nrole = "arn:aws:iam::000000000000:role/deployer"',
            ]
            (root / "manifests/local.toml").write_text("\n".join([*lines, *more]) + "\n")

        proxy.meddle = answers
        target()
        address = ship(root, "signer", "address").stdout.strip()
        node.call("anvil_setBalance", address, hex(10**19))
        unpinned = ship(root, "deploy", "--yes", "--json")
        assert (unpinned.returncode, "needs its address pinned" in unpinned.stdout) == (2, True), unpinned.stderr
        target(f'address = "{address}"')

        proxy.meddle = runs_out
        stopped = ship(root, "deploy", "--yes", "--json")
        assert (stopped.returncode, "ExpiredTokenException" in stopped.stdout) == (3, True), stopped.stderr[-3000:]
        proxy.meddle = answers
        done = ship(root, "deploy", "--yes", "--json")
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout
        sent = node.nonce(address)
        assert sent > 1
        asked = proxy.requests
        again = ship(root, "deploy", "--yes", "--json")
        assert (again.returncode, node.nonce(address), proxy.requests) == (0, sent, asked)

    rows = [json.loads(line) for line in (root / "deployments/local/journal.jsonl").read_text().splitlines()]
    assert sum(row["kind"] == "tx.signed" for row in rows) == sent
    for secret in SECRETS:
        for result in (unpinned, stopped, done, again):
            assert secret not in result.stdout + result.stderr
        assert [str(f) for f in root.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()] == []
