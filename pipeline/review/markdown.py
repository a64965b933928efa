"""The pack for people: one markdown page, every address and amount in full, nothing from outside unescaped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chains.evm.fees import ether
from pipeline.plan import Plan

if TYPE_CHECKING:
    from pipeline.review.documents import Documents

__all__ = ["plan_markdown"]


def _clean(value: Any) -> str:
    """One line without control, bidirectional or unassigned characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def _code(value: Any) -> str:
    """``value`` as code, in a table too: nothing in it is markup."""
    text = "nothing" if value is None else _clean(value)
    if text == "":
        return "(empty)"
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if len(fence) > 1 or text.startswith(" ") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def _named(address: str, name: str) -> str:
    return f"{_code(address)} ({_code(name)})" if name else _code(address)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{' --- |' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def plan_markdown(plan: Plan, documents: Documents) -> str:
    """The page. The same documents give the same bytes."""
    lines = [
        *_head(plan),
        *_verdict(documents),
        *_units(plan),
        *_transactions(documents.transactions),
        *_signing(documents.signing),
        *_state(documents.state),
        *_rights(documents.events),
        *_balances(documents.events),
        *_events(documents.events),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _head(plan: Plan) -> Iterator[str]:
    body = plan.body
    yield f"# {_code(plan.project)} {_code(plan.version)} to {_code(plan.target)}"
    yield ""
    yield f"- plan digest: {_code(plan.digest)}"
    yield f"- bundle: {_code(plan.bundle)}"
    yield f"- commit: {_code(plan.commit or 'none')}{', with uncommitted changes' if plan.dirty else ''}"
    yield f"- chain: {_code(body.chain['name'])}, id {_code(body.chain['id'])}, genesis {_code(body.chain['genesis_hash'])}"
    yield f"- made at block {_code(body.observed['block_number'])}, {_code(body.observed['block_hash'])}"
    yield f"- signer: {_code(body.deployer)}, next nonce {_code(body.observed['nonce'])}"
    for key, what in (("cost_wei", "expected cost"), ("worst_cost_wei", "worst cost")):
        if key in body.estimate:
            wei = int(body.estimate[key])
            yield f"- {what}: {_code(wei)} wei ({_clean(ether(wei))})"
    for warning in plan.warnings:
        yield f"- warning: {_code(warning)}"
    yield ""


def _verdict(documents: Documents) -> Iterator[str]:
    yield "## What needs attention"
    yield ""
    allowed = [
        f"{account['name'] or account['address']}:{slot['slot']}"
        for account in documents.state["accounts"]
        for slot in account["slots"]
        if slot["known"] == "allowed"
    ]
    found = [
        *(f"- **unexplained slot** {_code(slot)}" for slot in documents.unexplained),
        *(f"- **the plan and its bytes disagree**: {_code(text)}" for text in documents.disagree),
        *(f"- **a check of the plan does not hold**: {_code(name)}" for name in documents.failing),
        *(f"- unexplained, allowed by name in ship.toml: {_code(slot)}" for slot in allowed),
        *(
            f"- not every known key was tried on {_named(account['address'], account['name'])}: there are too many"
            for account in documents.state["accounts"]
            if not account["searched"]
        ),
        *(
            f"- not decoded: the bytes of {_code(t.get('action') or t.get('proposal'))}"
            for t in (*documents.transactions["transactions"], *documents.transactions["proposals"])
            if not t["recognized"]
        ),
    ]
    yield from found or ["Nothing: every slot is explained, every transaction decoded, both renderers agree."]
    yield ""


def _units(plan: Plan) -> Iterator[str]:
    yield "## Units"
    yield ""
    rows = [
        (_code(u.name), _clean(u.change), _code(u.after.get("address") or "none"), _code(u.reason))
        for u in plan.body.units
    ]
    yield from _table(("unit", "change", "address", "why"), rows)


def _transactions(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## Transactions, decoded from their bytes"
    yield ""
    yield f"Signed by {_code(document['sender'])} for chain {_code(document['chain_id'])}."
    yield ""
    for shown in document["transactions"]:
        yield f"### nonce {shown['nonce']}: {_code(shown['action'])}"
        yield ""
        yield f"- {shown['kind']} {_deed(shown)}"
        yield f"- to {_code(shown['to'] or 'nobody: it creates a contract')}, value {_code(shown['value_wei'])} wei"
        yield f"- gas limit {_code(shown['gas_limit'])}, {shown['data_bytes']} bytes, payload sha256 {_code(shown['payload_sha256'])}"
        yield from _arguments(shown["arguments"], 0)
        yield ""
    for shown in document["proposals"]:
        yield f"### {_code(shown['proposal'])} of the Safe {_code(shown['safe'])}, nonce {_code(shown['nonce'])}"
        yield ""
        yield f"- {shown['operation']} of {_code(shown['to'])}, value {_code(shown['value_wei'])} wei: {_deed(shown)}"
        yield from _arguments(shown["arguments"], 0)
        yield ""


def _deed(shown: Mapping[str, Any]) -> str:
    if "address" in shown:
        return f"{_code(shown['contract'] or 'unknown code')} at {_code(shown['address'])}"
    if not shown["recognized"]:
        return f"**not decoded**: {_code(shown['data'])}"
    return _code(shown["function"] or "no data")


def _arguments(arguments: Sequence[Mapping[str, Any]], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for argument in arguments:
        yield f"{pad}- {_code(argument['name'] or '-')} {_code(argument['type'])} = {_code(argument['value'])}"
        for call in argument.get("calls", ()):
            to = f" of {_code(call['to'])}, value {_code(call['value_wei'])} wei" if "to" in call else ""
            yield f"{pad}  - calls {_code(call['function'] or call.get('data'))}{to}"
            yield from _arguments(call["arguments"], depth + 2)


def _signing(document: Mapping[str, Any]) -> Iterator[str]:
    if not document["safe"] and not document["timelock"]:
        return
    yield "## Hashes to compare with the signing device"
    yield ""
    for shown in document["safe"]:
        yield f"- {_code(shown['proposal'])}, Safe {_code(shown['domain']['verifyingContract'])}"
        for key, what in (("domain_hash", "domain"), ("message_hash", "message"), ("safe_tx_hash", "safeTxHash")):
            yield (
                f"  - {what} hash: {_code(shown[key])}" if key != "safe_tx_hash" else f"  - {what}: {_code(shown[key])}"
            )
    for shown in document["timelock"]:
        delay = "" if shown["delay_s"] is None else f", delay {_code(shown['delay_s'])} s"
        yield f"- {_code(shown['action'])}: {shown['does']} operation {_code(shown['operation'])} of {_code(shown['timelock'])}{delay}"
    yield ""


def _state(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## State that changes"
    yield ""
    for account in document["accounts"]:
        yield f"### {_named(account['address'], account['name'])}"
        yield ""
        if account["contracts"]:
            yield f"- read as {', '.join(_code(source) for source in account['contracts'])}"
        if account["code"]:
            yield f"- code {_code(account['code']['before'])} → {_code(account['code']['after'])}"
        yield ""
        rows = [row for slot in account["slots"] for row in _slot(slot)]
        if rows:
            yield from _table(("variable", "type", "before", "after"), rows)


def _slot(slot: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for piece in slot["variables"]:
        between = ", another in between" if piece["before"] == piece["after"] else ""
        yield _code(piece["path"]), _code(piece["type"]), _code(piece["before"]), _code(piece["after"]) + between
    if slot["known"] != "explained":
        yield f"**{slot['known']}** {_code(slot['slot'])}", "slot", _code(slot["before"]), _code(slot["after"])


def _rights(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## Roles, owners, code"
    yield ""
    if not document["rights"]:
        yield "None changes."
        yield ""
    for right in document["rights"]:
        rest = {k: v for k, v in right.items() if k not in {"action", "address", "name", "change"} and v is not None}
        told = ", ".join(f"{_clean(k)} {_code(v)}" for k, v in rest.items())
        yield f"- {_code(right['change'])} on {_named(right['address'], right['name'])}: {told}"
    yield ""


def _balances(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## Balances, gas aside"
    yield ""
    native, tokens = document["balances"]["native"], document["balances"]["tokens"]
    if not native and not tokens:
        yield "None changes."
    for row in native:
        yield f"- {_named(row['address'], row['name'])}: {_code(row['before_wei'])} → {_code(row['after_wei'])} wei"
    for row in tokens:
        token = _named(row["token"], row["token_name"])
        yield f"- {_named(row['address'], row['name'])}: {_code(row['change'])} of the token {token}, in its smallest unit"
    yield ""


def _events(document: Mapping[str, Any]) -> Iterator[str]:
    yield "## Events"
    yield ""
    for event in document["events"]:
        told = ", ".join(f"{_clean(a['name'] or a['type'])} {_code(a['value'])}" for a in event["arguments"])
        raw = "" if event["event"] else f" topics {_code(event['topics'])}, data {_code(event['data'])}"
        yield f"- {_named(event['address'], event['name'])} {_code(event['event'] or 'unknown')}: {told}{raw}"
    yield ""
