"""Where the candidate is live, for how long, and on which rungs of the ladder: by records and chain, never by a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chains.base import Clock
from chains.errors import ShipError
from pipeline.bundle import Bundle
from pipeline.manifest.project import Project
from pipeline.manifest.target import Target, load_target
from pipeline.promotion.errors import NotPromotable
from pipeline.promotion.ladder import rung_of, skipped
from pipeline.records.endpoints import target_urls
from pipeline.records.files import gather
from pipeline.records.finding import RecordFile
from pipeline.records.findings import Finding
from pipeline.release.explorers import chain_of
from pipeline.released.chain import chain_findings
from pipeline.released.contents import Contents, Released
from pipeline.state.local import ProjectState
from pipeline.ui.base import Ui

__all__ = ["Soaking", "utc_now"]

Reasons = list[tuple[str, str]]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Soaking:
    """Raises ``NotPromotable`` with every reason found."""

    project: Project
    contents: Contents
    destinations: Sequence[str]
    ui: Ui
    clock: Clock
    now: Callable[[], datetime] = utc_now
    title: str = "proving the candidate where it is live"

    def run(self) -> dict[str, str | None]:
        spec = self.project.spec.promote
        reasons: Reasons = []
        records = {released.target: released for released in self.contents.records}
        required = self._required(records, reasons)
        problems = {name: self._problems(records[name]) for name in records}
        for name in required:
            for problem in problems[name]:
                reasons.append((f"{name}: {problem}", "The candidate has to be live there, and proven."))
        self._age([records[name] for name in required], reasons)
        proven = {name: rung_of(spec, name, chain_of(records[name].record)) for name in records if not problems[name]}
        going = {name: rung_of(spec, name, load_target(self.project, name).chain) for name in self.destinations}
        reasons += skipped(spec.ladder, going, proven)
        if reasons:
            raise NotPromotable(reasons)
        return proven

    def _required(self, records: dict[str, Released], reasons: Reasons) -> list[str]:
        named = self.project.spec.promote.require_targets
        for name in named:
            if name not in records:
                reasons.append(
                    (
                        f"the candidate was never released to {name}",
                        f"`ship deploy --chain {name}` first, then soak it.",
                    )
                )
        if named:
            return [name for name in named if name in records]
        facts = {name: chain_of(released.record) for name, released in records.items()}
        return [name for name, chain in facts.items() if chain is None or not chain.local]

    def _age(self, required: Sequence[Released], reasons: Reasons) -> None:
        wanted_s = self.project.spec.promote.min_age
        if wanted_s is None:
            return
        # Of a candidate that has to be nowhere, the age is that of its newest record.
        dated = {
            r.target: datetime.fromisoformat(str(r.record["proven_at"])) for r in required or self.contents.records
        }
        now = self.now()
        for target, at in dated.items():
            age_s = int((now - at).total_seconds())
            if age_s < wanted_s:
                shown = f"{_words(age_s)} old" if age_s >= 0 else f"from {_words(-age_s)} in the future, by this clock"
                reasons.append(
                    (f"the candidate is {shown} on {target}, and has to be {_words(wanted_s)}", "Wait until then.")
                )

    def _problems(self, released: Released) -> list[str]:
        """What keeps it from counting as proven on its target: files kept here, then the chain."""
        self.ui.item(released.target, "asking", str(released.record["chain"]["name"]))
        try:
            target: Target = load_target(self.project, released.target)
            found = [*self._kept(released), *self._on_chain(released, target)]
        except ShipError as error:
            return [error.cause]
        return [f"{f.what}: {f.detail}" for f in found if f.state not in {"ok", "note"}]

    def _kept(self, released: Released) -> list[Finding]:
        """The record as it lies here, with journal and plans, if this project has it."""
        state = ProjectState(self.project.root)
        path = state.releases / str(released.record["tag"]) / released.name
        if not path.is_file():
            return []
        stem = released.name.removesuffix(".json").removeprefix(released.target).removeprefix(".")
        file = RecordFile(path, str(released.record["tag"]), released.target, int(stem or 1))
        return gather(file, state.target(released.target)).findings

    def _on_chain(self, released: Released, target: Target) -> list[Finding]:
        bundle: Bundle = self.contents.bundles[str(released.record["bundle"])]
        with target_urls(self.project, target, "ship promote") as urls:
            timeout_s = float(target.spec.rpc.timeout_s)
            return list(chain_findings(released.record, bundle, urls, self.clock, still=True, timeout_s=timeout_s))

    def summary(self, result: dict[str, str | None]) -> str:
        return (
            ", ".join(f"{name} ({rung})" if rung else name for name, rung in result.items()) or "nowhere it has to be"
        )


def _words(seconds: int) -> str:
    for name, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            rest = f"{seconds / size:.1f}".rstrip("0").rstrip(".")
            return f"{rest} {name}"
    return f"{seconds} s"
