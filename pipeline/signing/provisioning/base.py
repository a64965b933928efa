"""A provider's policies in three forms: named documents, Terraform, and text to read."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from chains.errors import Refused
from pipeline.signing.provisioning.hcl import Block, render

__all__ = ["ISSUER", "Document", "Policies", "PolicyInput", "Workflow", "fitting"]

ISSUER = "https://token.actions.githubusercontent.com"
"""Who vouches for a GitHub Actions job; https://docs.github.com/actions/concepts/security/openid-connect."""


class PolicyInput(Refused):
    """SHIP-S60: what was given to make policies from cannot stand in one."""

    code = "SHIP-S60"


@dataclass(frozen=True)
class Workflow:
    """The jobs that may sign: those of one repository that run in one environment. No wildcards."""

    repository: str
    environment: str

    @classmethod
    def of(cls, repository: str, environment: str) -> Workflow:
        fitting(repository, r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}", "--repo", "OWNER/REPO")
        fitting(environment, r"[A-Za-z0-9._-]{1,255}", "--environment", "the name of a GitHub environment")
        return cls(repository, environment)

    @property
    def subject(self) -> str:
        return f"repo:{self.repository}:environment:{self.environment}"


@dataclass(frozen=True)
class Document:
    """``body`` is JSON, or text in the provider's own language."""

    name: str
    use: str
    body: Any

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body, indent=2)


@dataclass(frozen=True)
class Policies:
    """``notes`` are what a person has to know before using them."""

    provider: str
    documents: tuple[Document, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": "contract-ship/signer-policy",
            "provider": self.provider,
            "documents": [{"name": d.name, "use": d.use, "body": d.body} for d in self.documents],
            "notes": list(self.notes),
        }

    def to_terraform(self) -> str:
        return "".join(f"# {note}\n" for note in self.notes) + "\n" + render(self.blocks)

    def to_text(self) -> str:
        parts = [f"{d.name}: {d.use}\n\n{d.text}\n" for d in self.documents]
        return "\n".join(parts) + "".join(f"\n{note}" for note in self.notes)


def fitting(value: str | None, pattern: str, option: str, form: str) -> str:
    """``value`` if it has this form. A wildcard never has. Raises ``PolicyInput``."""
    if value is None or not re.fullmatch(pattern, value):
        raise PolicyInput(
            f"{option} is missing" if value is None else f"{option} is not {form}",
            remedy=f"Give {option} as {form}, without wildcards.",
            done="Nothing was printed.",
        )
    return value
