"""``ship signer test``."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, password_options, project_option
from pipeline.signing.password import PasswordOptions

__all__ = ["test_"]


@click.command(name="test")
@project_option
@chain_option()
@click.option("--count", type=click.IntRange(1, 1000), default=1, show_default=True, help="How many signatures.")
@password_options
@json_option
def test_(root: Path, chain: str, count: int, password: PasswordOptions, as_json: bool) -> None:
    """Sign something that can be no transaction with TARGET's key, check the signature, and say how long it took.

    A key that signs digests signs a typed message; a backend that signs transactions only gets one no chain can take. On
    Solana it is an off-chain message, which can be no transaction.
    """
    from pipeline.cli.show import json_document, json_errors
    from pipeline.manifest.project import load_project
    from pipeline.manifest.target import load_target
    from pipeline.signing.opening import open_backend, open_message_backend
    from pipeline.signing.probing import CannotProbe, probe, probe_message
    from pipeline.ui.table import say

    with json_errors(as_json=as_json):
        project = load_project(root)
        target = load_target(project, chain)
        if target.spec.signer is not None and target.spec.signer.backend == "squads":
            raise CannotProbe(
                f"the signer of {chain} is a vault, which has no key: members of its multisig sign",
                remedy="`ship plan` proves the vault and the member under [payer] on chain.",
            )
        if target.chain.kind == "solana":
            done = probe_message(open_message_backend(target, project.root, password), chain, count)
        else:
            done = probe(open_backend(target, project.root, password), chain, target.chain.chain_id or 0, count)
    if as_json:
        json_document({
            "schema": 1, "kind": "contract-ship/signer-test", "target": chain, "backend": done.backend,
            "address": done.address, "assurance": done.assurance, "signed": done.kind, "signatures": done.signatures,
            "microseconds": round(done.ms * 1000),
        })  # fmt: skip
        return
    say([
        f"{done.address}  {done.backend}, kept by {done.assurance}",
        f"signed {done.kind}, {done.signatures} times, {done.ms:g} ms a signature",
    ])  # fmt: skip
