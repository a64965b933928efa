"""A project's life: two candidates, a promotion, the next release, the way back; contracts on two chains and a program on a cluster.

Every release is proven again from an empty folder by ``ship verify-release``, from what was published and the chains alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from eth_abi.abi import decode
from eth_keyfile.keyfile import create_keyfile_json
from solders.keypair import Keypair

from pipeline.signing.development import _DEVELOPMENT_SEED
from tests.integration.commands.conftest import run_ship
from tests.integration.release.conftest import git
from tests.support.anvil import KEY, Anvil, anvil
from tests.support.github.fake import REPOSITORY, TOKEN, FakeGithub, fake_github
from tests.support.schemas import hold
from tests.support.solana_node import COUNTER, SolanaNode, solana_node

VAULT = Path(__file__).parents[2] / "examples" / "vault"
UPGRADE = """source = "src/VaultV2.sol:VaultV2"
upgrade = { call = "initializeV2(address)", args = ["${params.treasury}"] }"""
PROGRAM = """
[solana]
root = "anchor"
build = "prebuilt"

[programs.counter]
warm-rollback = true
idl = false

[calls.open]
program = "counter"
instruction = "initialize"
unless = { account = "pda:counter/counter,key:${deployer}" }

[checks.counterAuthority]
program = "counter"
account = "pda:counter/counter,key:${deployer}"
type = "Counter"
field = "authority"
equals = "${deployer}"

[promote]
require-targets = ["stage"]
ladder = ["testnet", "mainnet"]
rungs = { testnet = ["stage"], mainnet = ["prod", "sol"] }
"""
PARAMS = """
[params]
owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
treasury = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
delay = 172800
"""


@dataclass
class Life:
    root: Path
    bare: Path
    github: FakeGithub
    prod: Anvil
    sol: SolanaNode

    def ship(self, *arguments: str, code: int = 0) -> Result:
        result = run_ship(*arguments, "-C", str(self.root))
        assert result.exit_code == code, (arguments, result.output)
        return result

    def commit(self, message: str) -> str:
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", message)
        git(self.root, "push", "-q", "origin", "HEAD:main")
        return git(self.root, "rev-parse", "HEAD")

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert old in text, old
        path.write_text(text.replace(old, new))

    def version(self, old: str, new: str) -> None:
        """The next version: in ship.toml, and an entry in the changelog."""
        self.edit("ship.toml", f'version = "{old}"', f'version = "{new}"')
        self.edit("package.json", f'"version": "{old}"', f'"version": "{new}"')
        self.edit(
            "CHANGELOG.md",
            "# Changelog\n",
            f"# Changelog\n\n## [{new}] - 2026-11-24\n\n### Added\n- What is new in {new}.\n",
        )

    def release(self, tag: str, *version: str) -> None:
        """Commit the records, release on GitHub, and have a stranger prove it."""
        self.commit(f"Records of {tag}")
        done = json.loads(self.ship("release", *version, "--json").stdout)
        assert (done["tag"], done["state"]) == (tag, "published"), done
        self.prove(tag)

    def prove(self, tag: str) -> None:
        arguments = ["verify-release", tag, "--repository", REPOSITORY, "--json"]
        for target, url in self.urls.items():
            arguments += ["--rpc", f"{target}={url}"]
        result = run_ship(*arguments)
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        hold(document)
        journals = [f for f in document["release"] if f["what"].endswith("journal.jsonl entry")]
        assert journals
        assert {finding["state"] for finding in journals} == {"ok"}

    urls: dict[str, str] = None  # type: ignore[assignment]


@pytest.fixture
def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    root, bare = tmp_path / "project", tmp_path / "bare"
    shutil.copytree(VAULT, root, ignore=shutil.ignore_patterns(".ship", "deployments", "releases", "out", "cache"))
    shutil.copytree(COUNTER, root / "anchor", ignore=shutil.ignore_patterns("ship.toml", ".ship"))
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "GH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with (
        anvil("--chain-id", "42101") as stage,
        anvil("--chain-id", "42102") as prod,
        solana_node(tmp_path / "node", slot_ms=20, finalized_lag=8) as sol,
    ):
        urls = {"stage": stage.url, "prod": prod.url, "sol": sol.url}
        sol.call("requestAirdrop", str(Keypair.from_seed(_DEVELOPMENT_SEED).pubkey()), 100 * 10**9)
        _manifests(root, urls)
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
        git(root, "init", "-q", "-b", "main")
        for key, value in {
            "user.name": "Tester",
            "user.email": "tester@example.com",
            "commit.gpgSign": "false",
        }.items():
            git(root, "config", key, value)
        git(root, "remote", "add", "origin", str(bare))
        git(root, "add", "-A")
        git(root, "commit", "-qm", "A vault and a counter")
        git(root, "push", "-q", "origin", "HEAD:main")
        with fake_github(bare) as github:
            monkeypatch.setenv("GITHUB_API_URL", github.url)
            one = Life(root, bare, github, prod, sol)
            one.urls = urls
            yield one


def _manifests(root: Path, urls: dict[str, str]) -> None:
    text = (root / "ship.toml").read_text()
    gates = 'slither = { fail-on = "medium", baseline = "slither.baseline.json" }\n'
    assert gates in text
    release = f'\n[github]\nrepository = "{REPOSITORY}"\n\n[release]\ntargets = ["prod", "sol"]\n'
    (root / "ship.toml").write_text(text.replace(gates, "") + PROGRAM + release)
    (root / ".gitignore").write_text(".ship/\nout/\ncache/\nnode_modules/\nkey.json\npassword\n")
    (root / "key.json").write_text(json.dumps(create_keyfile_json(KEY, b"password", kdf="pbkdf2", iterations=1000)))
    (root / "password").write_text("password\n")
    (root / "password").chmod(0o600)
    (root / "manifests" / "local.toml").unlink()
    for name, id_ in (("stage", 42101), ("prod", 42102)):
        (root / "manifests" / f"{name}.toml").write_text(
            f'schema = 1\nchain = {{ name = "{name}", id = {id_}, block-time-ms = 200 }}\n'
            f'[rpc]\nendpoints = ["{urls[name]}"]\n'
            '[signer]\nbackend = "keystore"\nfile = "key.json"\npassword = "file:password"\n'
            f"[policy]\nfinality = 1\nwait-s = 60\n{PARAMS}"
        )
    (root / "manifests" / "sol.toml").write_text(
        f'schema = 1\nextends = "builtin:solana-local"\n\n[rpc]\nendpoints = ["{urls["sol"]}"]\n'
    )


def _record(life: Life, tag: str, target: str, revision: str = "") -> dict[str, Any]:
    return dict(json.loads((life.root / "releases" / tag / f"{target}{revision}.json").read_text()))


def test_two_candidates_a_promotion_the_next_release_and_the_way_back(life: Life) -> None:
    # The first candidate.
    life.ship("deploy", "--chain", "stage", "--yes")
    life.release("v1.2.0-rc.1")

    # The second: the program's description is enough to make another bundle; the contracts are as they were.
    life.version("1.2.0-rc.1", "1.2.0-rc.2")
    life.edit("anchor/target/idl/counter.json", "A counter with one authority", "A counter, one for each authority")
    commit = life.commit("The second candidate")
    life.ship("deploy", "--chain", "stage", "--yes")
    life.release("v1.2.0-rc.2")

    # Its very bytes to production, contracts and program, under the final version and on the same commit.
    life.ship("promote", "v1.2.0-rc.2", "--chain", "prod,sol", "--yes")
    for target in ("prod", "sol"):
        promoted = _record(life, "v1.2.0", target)
        assert (promoted["commit"], promoted["promoted_from"]) == (commit, "v1.2.0-rc.2")
        assert promoted["bundle"] == _record(life, "v1.2.0-rc.2", "stage")["bundle"]
    again = json.loads(life.ship("promote", "v1.2.0-rc.2", "--chain", "prod,sol", "--yes", "--json").stdout)
    assert again["sent"] == 0
    life.release("v1.2.0", "1.2.0")

    # The next release: another vault behind the same proxy, a program that can add.
    life.version("1.2.0-rc.2", "1.3.0")
    life.edit("ship.toml", 'source = "src/Vault.sol:Vault"', UPGRADE)
    life.edit("ship.toml", 'call = "version()(string)"\nequals = "1"', 'call = "version()(string)"\nequals = "2"')
    shutil.copytree(COUNTER / "next", life.root / "anchor" / "target", dirs_exist_ok=True)
    life.commit("A vault that can do more, a counter that adds")
    life.ship("deploy", "--chain", "prod,sol", "--yes")
    vault = _record(life, "v1.3.0", "prod")["units"]["Vault"]["address"]
    assert _version(life.prod, vault) == "2"
    life.release("v1.3.0")

    # And back, on both.
    for target in ("prod", "sol"):
        life.ship("rollback", "--chain", target, "--execute", "--yes")
        back = _record(life, "v1.2.0", target, ".2")
        assert (back["way"], back["rolls_back"], back["returns_to"]) == ("rollback", "v1.3.0", "v1.2.0")
    assert _version(life.prod, vault) == "1"
    program = _record(life, "v1.2.0", "sol")["units"]["counter"]
    assert _record(life, "v1.2.0", "sol", ".2")["units"]["counter"]["sha256"] == program["sha256"]
    life.ship("record", "verify")
    history = json.loads(life.ship("history", "--json").stdout)
    hold(history)


def _version(chain: Anvil, vault: str) -> str:
    found = chain.call("eth_call", {"to": vault, "data": "0x54fd4d50"}, "latest")
    return str(decode(["string"], bytes.fromhex(found[2:]))[0])
