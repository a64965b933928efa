"""The upgrade authority in a key service or an HSM, a hot key beside it that pays: deployed, upgraded, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.transaction import VersionedTransaction

from pipeline.manifest.project import load_project
from pipeline.manifest.target import Target, load_target
from pipeline.signing.context import SignerUnavailable
from pipeline.signing.opening import open_message_backend, signer_public_key
from pipeline.signing.password import PasswordOptions
from tests.support.signers import SIGNERS
from tests.support.solana_keys import PASSWORD, keystore_table
from tests.support.solana_project import V1, V2, SolanaProject, solana_project

pytestmark = pytest.mark.e2e
HELD_BY = {"aws-kms": "service", "pkcs11": "software", "vault": "service"}
"""SoftHSM's keys live in this process, and it says so."""


def _signers(project: SolanaProject) -> dict[str, set[str]]:
    """Who signed each step, from the raw transactions."""
    found: dict[str, set[str]] = {}
    for row in project.rows("sol.signed"):
        message = VersionedTransaction.from_bytes(bytes.fromhex(row["raw"])).message
        assert to_bytes_versioned(message)
        count = message.header.num_required_signatures
        found.setdefault(row["step"], set()).update(str(key) for key in message.account_keys[:count])
    return found


def _public_key(target: Target, root: Path, backend: str) -> str:
    """As a person learns it: the backend's word where it gives one, else by the refusal to open what is not pinned."""
    if backend != "vault":
        return signer_public_key(target, root)
    with pytest.raises(SignerUnavailable) as caught:
        open_message_backend(target, root, PasswordOptions())
    return caught.value.remedy.split('"')[1]


@pytest.mark.parametrize("backend", HELD_BY)
def test_the_authority_is_held_elsewhere(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    with SIGNERS[backend](tmp_path_factory.mktemp("service")) as service, solana_project(tmp_path) as project:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        assert service.ed25519 is not None
        table, payer = service.ed25519().table, Keypair()
        project.target(signer=table, payer=keystore_table(project.root, payer, "payer"))
        authority = _public_key(load_target(load_project(project.root), "here"), project.root, backend)
        pinned = {**table, "public-key": authority}
        project.target(signer=pinned, policy={"require": "hardware"})
        for key in (authority, str(payer.pubkey())):
            project.fund(key)
        held = project.cluster.balance(authority)
        assert "require" in project.deploy(exit_code=2)["error"]["cause"]
        assert (project.sent, project.rows("sol.signed")) == ([], [])

        project.target(policy={"require": HELD_BY[backend]})
        project.deploy()
        assert project.runs(V1)
        project.next_version()
        project.deploy()
        assert project.runs(V2)
        assert project.rollback("--execute", "--yes")["sent"] == 1
        assert project.runs(V1)
        assert project.deploy()["exit"] == 0
        project.hold()

        signed, program = _signers(project), str(project.rows("sol.planned")[0]["program"])
        only_payer, both = {str(payer.pubkey())}, {str(payer.pubkey()), authority}
        assert (signed["create"], signed["handover"]) == (only_payer, only_payer)
        assert (signed["deploy"], signed["upgrade"]) == ({*both, program}, both)
        # It opens its own counter, and pays for that account alone: neither rent of programs nor fees.
        assert 0 <= held - project.cluster.balance(authority) < 5_000_000
        rows = [row for row in project.rows("policy.decision") if row["signer"] == authority]
        assert {row["backend"] for row in rows} == {backend}
        assert {row["assurance"] for row in rows} == {HELD_BY[backend]}
        assert PASSWORD not in project.journal.read_text()

        # And away from the service: the next key signs too.
        heir = Keypair()
        following = {**keystore_table(project.root, heir, "heir"), "public-key": str(heir.pubkey())}
        project.target(**{"next-authority": following})
        project.ship("signer", "rotate", "--chain", "here", "--yes")
        moved = _signers(project)["set-authority"]
        assert {authority, str(heir.pubkey())} <= moved
        assert project.authority() == str(heir.pubkey())
