"""The release's text: what changed, and tables of what is where and what proves it, from the records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.release.explorers import address_url, chain_of
from pipeline.release.markdown import code, link, rows, text
from pipeline.release.materials import Materials, Recorded

__all__ = ["MARK", "is_ours", "release_notes"]

MARK = "<!-- contract-ship:"
_MOST_CHARACTERS = 120_000
"""GitHub takes 125,000."""
_PARTS = ("implementation", "beacon", "admin")


def marker(materials: Materials) -> str:
    """What tells our draft from anybody else's: an invisible comment naming project, tag and commit."""
    named = {"commit": materials.commit, "project": materials.project.name, "tag": materials.tag}
    return f"{MARK}{json.dumps(named, sort_keys=True, separators=(',', ':'))} -->"


def is_ours(body: str, materials: Materials) -> bool:
    """Whether a release's text carries the mark of this project and tag; the commit may be an earlier attempt's."""
    line = body.rstrip().rpartition("\n")[2]
    if not line.startswith(MARK) or not line.endswith(" -->"):
        return False
    try:
        named = json.loads(line[len(MARK) : -len(" -->")])
    except ValueError:
        return False
    return isinstance(named, dict) and (named.get("project"), named.get("tag")) == (
        materials.project.name,
        materials.tag,
    )


def release_notes(materials: Materials) -> str:
    """Markdown, the same for the same records."""
    parts = [[materials.changes, ""]] if materials.changes else []
    parts += [_target(recorded) for recorded in materials.records]
    end = [f"Built from commit {code(materials.commit)}. `checksums.txt` has the sha256 of every file here.", ""]
    lines: list[str] = []
    left = 0
    for part in parts:
        if sum(map(len, lines + part)) + len(lines + part) > _MOST_CHARACTERS:
            left += 1
        else:
            lines += part
    if left:
        lines += [f"{left} part(s) of these notes are too long for GitHub: the records hold everything.", ""]
    return "\n".join([*lines, *end, marker(materials)])


def _target(recorded: Recorded) -> list[str]:
    record = recorded.record
    chain = record["chain"]
    lines = [f"## {text(recorded.target)}", ""]
    head = [f"{text(chain['name'])}, chain {code(chain['id'])}", f"bundle {code(record['bundle'][:12])}"]
    head += [f"plan {code(record['plan'][:12])}", f"record sha256 {code(recorded.sha256[:12])}"]
    lines += [" · ".join(head), ""]
    lines += rows(("unit", "address", "change"), _units(record))
    lines += _section("Upgrades", rows(("unit", "", "from", "to"), _upgrades(recorded)))
    lines += _section("Verification", rows(("what", "proven", "explorers"), _verification(record)))
    gates = ((text(g["name"]), text(g["status"]), text(g["summary"])) for g in record["gates"])
    lines += _section("Gates", rows(("gate", "", "what it found"), gates))
    return [*lines, _cost(record), ""]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"### {title}", "", *lines] if lines else []


def _units(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, unit in sorted(record["units"].items()):
        address = unit.get("address")
        if not address:
            continue
        yield text(name), link(code(address), address_url(record, address)), text(unit.get("change", ""))
        for part in _PARTS:
            if unit.get(part):
                yield f"{text(name)} {part}", link(code(unit[part]), address_url(record, unit[part])), ""


def _upgrades(recorded: Recorded) -> Iterator[tuple[str, str, str, str]]:
    """What lies elsewhere now than in the record before."""
    earlier = recorded.before["units"] if recorded.before else {}
    for name, unit in sorted(recorded.record["units"].items()):
        for part in ("address", *_PARTS):
            was, now = earlier.get(name, {}).get(part), unit.get(part)
            if was and now and was != now:
                yield text(name), part, code(was), code(now)


def _verification(record: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    shown: dict[str, list[str]] = {}
    for source in record.get("sources", ()):
        words = f"{text(source['service'])}: {text(source['verdict'])}"
        shown.setdefault(str(source["address"]).lower(), []).append(link(words, source.get("url")))
    for proof in record.get("proofs", ()):
        readings = [f"{key} {text(proof[key])}" for key in ("runtime", "creation", "reexecution") if key in proof]
        explorers = ", ".join(shown.get(str(proof.get("address", "")).lower(), ()))
        yield (
            text(proof.get("action", "")),
            text("; ".join(proof.get("problems", ()))) or ", ".join(readings),
            explorers,
        )


def _cost(record: Mapping[str, Any]) -> str:
    """The chain's smallest unit, and gas where the chain has it."""
    facts = chain_of(record)
    cost = record["cost"]
    smallest = next((key for key in ("wei", "lamports") if key in cost), None)
    if smallest is None:
        return ""
    decimals = facts.decimals if facts else 18
    amount = str(cost[smallest]).rjust(decimals + 1, "0")
    shown = f"{amount[:-decimals]}.{amount[-decimals:]}".rstrip("0").rstrip(".")
    gas = f" for {cost['gas']:,} gas" if "gas" in cost else ""
    return f"Cost: {text(shown)} {text(facts.currency if facts else '')}{gas}."
