"""``ship sign export``: what the other machine has to sign."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import chain_option, json_option, project_option

__all__ = ["export"]


@click.command()
@project_option
@chain_option()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Also write it here.")
@click.option(
    "--fee-factor",
    type=click.FloatRange(1.0, 100.0),
    default=2.0,
    show_default=True,
    help="Head room: the highest fee signed for, as a multiple of today's offer, within the policy's cap.",
)
@click.option(
    "--valid-hours",
    type=click.FloatRange(0.0, 8760.0, min_open=True),
    default=24.0,
    show_default=True,
    help="How long it may be signed.",
)
@click.option("--again", is_flag=True, help="Ask anew, with fees of now; what the open request asked for is given up.")
@json_option
def export(
    root: Path, chain: str, out: Path | None, fee_factor: float, valid_hours: float, again: bool, as_json: bool
) -> None:
    """Write what TARGET's unfinished plan needs signed next, for `ship sign sign` on the other machine.

    `ship deploy` does the same when it stops for signatures; this is for other fees, another place, or a new request.
    """
    from pipeline.cli.options import make_ui
    from pipeline.cli.show import json_document, json_errors
    from pipeline.signing.offline.exporting import export_request
    from pipeline.signing.offline.round import RoundOptions
    from pipeline.ui.table import say

    ui = make_ui(as_json=as_json)
    with json_errors(as_json=as_json):
        path, request = export_request(root, chain, RoundOptions(fee_factor, valid_hours, again), ui, out)
    if as_json:
        json_document({
            "schema": 1, "kind": "contract-ship/sign-export", "file": str(path), "sha256": request.sha256,
            "transactions": len(request.transactions), "expires_at": request.expires_at,
        })  # fmt: skip
        return
    say([
        f"wrote    {path}",
        f"sha256   {request.sha256}",
        f"asks for {len(request.transactions)} signatures by {request.signer}, until {request.expires_at}",
    ])  # fmt: skip
