"""`forge verify-contract`, a client nobody here wrote, takes the explorers of the tests for real ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.explorers.conftest import SEPOLIA
from tests.support.anvil import tool
from tests.support.explorers.blockscout import blockscout
from tests.support.explorers.compiling import Worker
from tests.support.explorers.etherscan import KEY, etherscan
from tests.support.explorers.indexing import IndexedChain
from tests.support.explorers.sourcify import sourcify
from tests.support.explorers.specimens import Specimen, Specimens

Chains = dict[int, IndexedChain]


class Forge:
    """A Foundry project of a specimen's sources and settings, whose contract forge is to verify."""

    def __init__(self, root: Path, specimen: Specimen) -> None:
        self.root = root
        self.specimen = specimen
        for path, source in specimen.standard_json["sources"].items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(source["content"])
        (root / "foundry.toml").write_text(
            '[profile.default]\nsrc = "src"\nlibs = []\nauto_detect_remappings = false\nsolc = "0.8.37"\n'
            'evm_version = "cancun"\noptimizer = true\noptimizer_runs = 200\n'
        )

    def with_other_code(self) -> Forge:
        return Forge(self.root / "other", self.specimen.with_other_code())

    def verify(self, rpc_url: str, *options: str) -> subprocess.CompletedProcess[str]:
        """``forge verify-contract --watch``; what it printed.

        Not built before: with artifacts in its cache forge forgets the long version it is given, and looks it up on the
        network.
        """
        given = self.specimen
        arguments = ["--constructor-args", given.arguments.hex()] if given.arguments else []
        where = ["--chain", str(SEPOLIA), "--rpc-url", rpc_url, "--compiler-version", given.compiler, "--watch"]
        return self._run("verify-contract", given.address, given.contract, *where, *arguments, *options)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        home = tool("forge").parent.parent / "home"
        environment = {**os.environ, "FOUNDRY_OFFLINE": "true", "HOME": str(home), "NO_COLOR": "1"}
        environment |= {"ETHERSCAN_API_KEY": "", "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"}
        return subprocess.run(
            [tool("forge"), *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def forge(tmp_path: Path, specimens: Specimens) -> Forge:
    return Forge(tmp_path, specimens.make("immutables"))


def test_etherscan(forge: Forge, compiling: Worker, indexed: Chains) -> None:
    with etherscan(compiling, indexed) as (service, server):
        server.desk.at_once = True  # a poll comes only every 15 s
        where = ["--verifier", "etherscan", "--verifier-url", f"{service.url}/v2/api?chainid={SEPOLIA}"]
        options = [indexed[SEPOLIA].url, *where, "--etherscan-api-key", KEY]
        refused = forge.with_other_code().verify(*options)
        assert refused.returncode != 0
        assert "Fail - Unable to verify. Compiled contract deployment bytecode does NOT match" in refused.stdout
        accepted = forge.verify(*options)
        assert accepted.returncode == 0, accepted.stderr
        assert "Pass - Verified" in accepted.stdout
        assert server.desk.shown[SEPOLIA, forge.specimen.address.lower()].kind == "exact"
        assert "is already verified" in forge.verify(*options).stdout
        assert len(server.desk.jobs) == 2
        assert {asked.request.key for asked in service.asked} == {KEY}


def test_blockscout_whose_failure_forge_takes_for_success(forge: Forge, compiling: Worker, indexed: Chains) -> None:
    with blockscout(compiling, indexed[SEPOLIA]) as (service, server):
        server.desk.at_once = True
        options = [indexed[SEPOLIA].url, "--verifier", "blockscout", "--verifier-url", f"{service.url}/api"]
        refused = forge.with_other_code().verify(*options)
        assert (refused.returncode, "Fail - Unable to verify" in refused.stdout) == (0, True)
        assert not server.desk.shown
        accepted = forge.verify(*options)
        assert (accepted.returncode, "Pass - Verified" in accepted.stdout) == (0, True)
        assert server.desk.shown[SEPOLIA, forge.specimen.address.lower()].kind == "exact"


def test_sourcify(forge: Forge, compiling: Worker, indexed: Chains) -> None:
    with sourcify(compiling, indexed) as (service, server):
        server.desk.at_once = True
        options = [indexed[SEPOLIA].url, "--verifier", "sourcify", "--verifier-url", f"{service.url}/"]
        refused = forge.with_other_code().verify(*options)
        assert refused.returncode != 0
        assert "bytecode_length_mismatch" in refused.stdout + refused.stderr
        accepted = forge.verify(*options)
        assert accepted.returncode == 0, accepted.stderr
        assert "exact_match" in accepted.stdout
        assert "is already verified" in forge.verify(*options).stdout
        assert len(server.desk.jobs) == 2
