"""What commands with ``--json`` share: one document on stdout, also when they fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

__all__ = ["json_document", "json_errors"]


def json_document(document: Mapping[str, Any]) -> None:
    """Print ``document`` on stdout, without secrets."""
    from chains.canonical import pretty
    from pipeline.manifest.redaction import redact

    click.echo(redact(pretty(dict(document)).decode()), nl=False)


@contextmanager
def json_errors(*, as_json: bool) -> Iterator[None]:
    """Inside, an error is a document too (``contract-ship/error``); it is raised on, to be shown and to set the exit code."""
    from chains.errors import ShipError

    try:
        yield
    except ShipError as error:
        if as_json:
            json_document(
                {"schema": 1, "kind": "contract-ship/error", "outcome": error.outcome, "error": error.to_json()}
            )
        raise
