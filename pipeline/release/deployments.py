"""GitHub's deployments: one a target, with its outcome and where to look at it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.github.objects import Deployment, Release
from pipeline.release.ensuring import ensure
from pipeline.release.explorers import address_url, chain_of
from pipeline.release.materials import Recorded
from pipeline.release.work import Work

__all__ = ["Deploying"]


@dataclass(frozen=True)
class Deploying:
    """Says to GitHub what is live where. After publishing: a deployment of something nobody can see helps nobody."""

    work: Work
    release: Release | None
    title: str = "noting deployments"

    def run(self) -> int:
        for recorded in self.work.materials.records:
            self._one(recorded)
        return len(self.work.materials.records)

    def _one(self, recorded: Recorded) -> None:
        work, repository = self.work, self.work.repository
        what = f"deployment {recorded.target}"

        def look() -> Deployment | None:
            found = repository.deployments(work.tag, recorded.target)
            return next((d for d in found if _record_of(d.payload) == recorded.sha256), None)

        if work.dry or self.release is None:
            found = look()
            done = found is not None and "success" in repository.deployment_states(found.id)
            work.did(what, "there" if done else "would", f"record {recorded.sha256[:12]}")
            return
        url = self.release.url
        deployment, made = ensure(look, lambda: repository.make_deployment(self._body(recorded)), what, work.clock)
        _, marked = ensure(
            lambda: True if "success" in repository.deployment_states(deployment.id) else None,
            lambda: repository.make_deployment_status(deployment.id, _status(recorded, url)),
            f"the status of {what}",
            work.clock,
        )
        work.did(what, "made" if made or marked else "there", f"record {recorded.sha256[:12]}")

    def _body(self, recorded: Recorded) -> dict[str, Any]:
        facts = chain_of(recorded.record)
        return {
            "ref": self.work.tag,
            "task": "deploy",
            "auto_merge": False,
            "required_contexts": [],  # they were asked before the tag; GitHub would judge anew, and refuse for our own job
            "environment": recorded.target,
            "production_environment": facts is None or not (facts.testnet or facts.local),
            "transient_environment": False,
            "description": f"{self.work.materials.title} on {recorded.target}"[:140],
            "payload": {"record": recorded.sha256, "bundle": recorded.record["bundle"], "tag": self.work.tag},
        }

    def summary(self, result: int) -> str:
        return f"{result} target(s)"


def _record_of(payload: object) -> str | None:
    """Our mark in a deployment's payload, which GitHub gives back as it was sent, or as text."""
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError:
            return None
    return str(payload.get("record")) if isinstance(payload, Mapping) else None


def _status(recorded: Recorded, release_url: str) -> dict[str, Any]:
    units = recorded.record["units"].values()
    address = next((unit["address"] for unit in units if unit.get("address")), None)
    explorer = address_url(recorded.record, address) if address else None
    return {
        "state": "success",
        "log_url": release_url,
        "description": f"live; record {recorded.sha256[:12]}",
        "auto_inactive": True,
        **({"environment_url": explorer} if explorer else {}),
    }
