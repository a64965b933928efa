"""An endpoint's URL and a keystore's password, kept in each of the stores: the release works, and neither is seen anywhere.

The stores' libraries log at debug level meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from tests.e2e.conftest import ROOT, Ship
from tests.support import fault_proxy as fp
from tests.support import secret_stores as stores
from tests.support.anvil import DEPLOYER, KEY, Anvil, anvil
from tests.support.ministack import Ministack, ministack
from tests.support.openbao import OpenBao, openbao

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("secret-stores")]

CHAIN_ID = 42_107
URL_KEY, PASSWORD = "canaryUrlKey0fAproviderNobodySees", "canary-password-of-the-keystore"
MAIN = (
    "import logging; logging.basicConfig(level=logging.DEBUG); logging.getLogger('urllib3').setLevel(logging.INFO); "
    "from pipeline.cli import main; main()"
)
"""urllib3 names each request's path at debug level, which ``ship`` turns on nowhere: an endpoint's path is its key."""
STORES = ("vault", "aws-sm", "aws-ssm", "sops", "age", "keyring")
SetEnv = Callable[[str, str], None]


@pytest.fixture(scope="module")
def bao() -> Iterator[OpenBao]:
    with openbao() as server:
        yield server


@pytest.fixture(scope="module")
def stack() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture(scope="module")
def node() -> Iterator[Anvil]:
    with anvil("--chain-id", str(CHAIN_ID)) as running:
        yield running


@dataclass
class Watched:
    """Runs ``ship`` and holds what it printed and wrote against the secrets."""

    ship: Ship
    secrets: tuple[str, ...]

    def __call__(self, *arguments: str, exit_code: int = 0) -> str:
        root = self.ship.root
        (root / ".tmp").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", MAIN, *arguments, "--chain", "kept", "-C", str(root)],
            cwd=ROOT,
            env={**self.ship.environment(), "TMPDIR": str(root / ".tmp")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == exit_code, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        for secret in self.secrets:
            assert secret not in done.stdout + done.stderr, (arguments, secret)
            written = [path for path in root.rglob("*") if path.is_file()]
            assert [str(path) for path in written if secret.encode() in path.read_bytes()] == []
        return done.stdout


def _shelved(
    store: str,
    folder: Path,
    root: Path,
    setenv: SetEnv,
    services: Callable[[], tuple[OpenBao, Ministack]],
    **values: str,
) -> dict[str, str]:
    """A reference for each of ``values``, put into ``store``."""
    if store in {"sops", "age"}:
        recipient = stores.age_identity(folder, setenv)
        if store == "age":
            return {name: stores.age_put(root, recipient, value, name) for name, value in values.items()}
        setenv("PATH", f"{Path(stores.sops_program()).parent}:{os.environ['PATH']}")
        document = stores.sops_put(root, recipient, {"ship": values}, "secrets.yaml")
        return {name: f"{document}ship.{name}" for name in values}
    if store == "keyring":
        return {name: stores.keyring_put(folder, setenv, value, name) for name, value in values.items()}
    bao, stack = services()
    if store == "vault":
        return {name: stores.vault_put(bao, setenv, value, name) for name, value in values.items()}
    parameter = store == "aws-ssm"
    return {name: stores.aws_put(stack, setenv, value, name, parameter=parameter) for name, value in values.items()}


SOAKED = ("aws-ssm", "sops", "keyring")


@pytest.mark.parametrize(
    "store", [pytest.param(store, marks=[pytest.mark.soak] if store in SOAKED else []) for store in STORES]
)
def test_a_release_whose_secrets_are_in(
    store: str,
    project: Callable[[str], Ship],
    node: Anvil,
    tmp_path: Path,
    request: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ship = project("counter")
    root, outside = ship.root, tmp_path / "outside"
    outside.mkdir()
    key = create_keyfile_json(KEY, PASSWORD.encode(), kdf="pbkdf2", iterations=1000)  # cheap: no production key
    (root / "key.json").write_text(json.dumps(key))
    run = Watched(ship, (URL_KEY, PASSWORD, "canary-other-field", "canary-secret-access-key", "AGE-SECRET-KEY-1"))
    with fp.fault_proxy(node.url) as proxy:
        url = f"{proxy.url}/v2/{URL_KEY}"
        kept = _shelved(
            store,
            outside,
            root,
            monkeypatch.setenv,
            lambda: (request.getfixturevalue("bao"), request.getfixturevalue("stack")),
            url=url,
            password=PASSWORD,
        )

        def target(password: str) -> None:
            (root / "manifests/kept.toml").write_text(
                f'schema = 1\nchain = {{ name = "test", id = {CHAIN_ID}, block-time-ms = 200 }}\n'
                f'[rpc]\nendpoints = ["{kept["url"]}"]\n[policy]\nfinality = 1\n'
                f'[signer]\nbackend = "keystore"\nfile = "key.json"\naddress = "{DEPLOYER}"\npassword = "{password}"\n'
            )

        target(kept["password"])
        before = node.nonce()
        doctor = json.loads(run("doctor", "--json"))
        assert "canary" not in json.dumps(doctor)
        run("plan", "--out", str(root / "plan.json"))
        assert node.nonce() == before

        target(kept["url"])  # a secret, and not this key's
        run("deploy", "--yes", "--json", exit_code=2)
        assert node.nonce() == before
        target(kept["password"])
        assert json.loads(run("deploy", "--yes", "--json"))["outcome"] == "done"
        sent = node.nonce()
        assert sent > before
        assert json.loads(run("deploy", "--yes", "--json"))["sent"] == 0
        assert node.nonce() == sent

    # The provider is gone: that is said without its URL.
    run("doctor", "--json", exit_code=2)
    journal = (root / "deployments/kept/journal.jsonl").read_text()
    assert '"tx.final"' in journal


@pytest.mark.parametrize("store", ["vault", pytest.param("aws-sm", marks=pytest.mark.soak)])
def test_a_store_that_is_down_stops_the_run_before_anything(
    store: str, project: Callable[[str], Ship], monkeypatch: pytest.MonkeyPatch
) -> None:
    ship = project("counter")
    reference = {"vault": "vault:secret/ship#url", "aws-sm": "aws-sm:ship#url"}[store]
    for name, value in {
        "VAULT_ADDR": "http://127.0.0.1:9",
        "VAULT_TOKEN": "canary-token-of-the-vault",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "canary-secret-access-key",
    }.items():
        monkeypatch.setenv(name, value)
    (ship.root / "manifests/kept.toml").write_text(
        f'schema = 1\nchain = {{ name = "test", id = {CHAIN_ID}, block-time-ms = 200 }}\n'
        f'[rpc]\nendpoints = ["{reference}"]\n[signer]\nbackend = "keystore"\nfile = "key.json"\naddress = "{DEPLOYER}"\n'
    )
    run = Watched(ship, ("canary-token-of-the-vault", "canary-secret-access-key"))
    document = json.loads(run("deploy", "--yes", "--json", exit_code=3))
    assert "SHIP-M42" in json.dumps(document)
    assert reference in json.dumps(document)
