"""What is handed in with a form of the Etherscan dialect, read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.explorers.compiling import Worker
from tests.support.explorers.desk import Held, Job
from tests.support.explorers.matching import Source, judge
from tests.support.explorers.serving import Reply, Request, json_reply

__all__ = ["FormError", "address_in", "answer", "judge_as_etherscan", "read_source"]

STANDARD_JSON = "solidity-standard-json-input"


class FormError(Exception):
    """A form that cannot be taken; the text is the answer's."""


def answer(result: Any, *, status: str = "1", message: str | None = None) -> Reply:
    """Always with HTTP 200: the dialect has its own status, which is not to be believed either."""
    return json_reply({"status": status, "message": message or ("OK" if status == "1" else "NOTOK"), "result": result})


def address_in(fields: Mapping[str, str]) -> str | None:
    for name in ("contractaddress", "addressHash", "address", "contractaddresses"):
        if fields.get(name):
            return fields[name].split(",")[0]
    return None


def read_source(request: Request, *spellings: str) -> Source:
    """The source in a form, its arguments under the first of ``spellings`` that is there. Raises ``FormError``."""
    fields = request.fields
    for name in ("contractaddress", "sourceCode", "contractname", "compilerversion", "codeformat"):
        if not fields.get(name):
            raise FormError(f"Error! Missing {name}")
    if fields["codeformat"] != STANDARD_JSON:
        raise FormError(f"Error! Unsupported codeformat {fields['codeformat']}")
    try:
        standard_json = json.loads(fields["sourceCode"])
        arguments = next((bytes.fromhex(fields[s].removeprefix("0x")) for s in spellings if fields.get(s)), b"")
    except ValueError:
        raise FormError("Error! Invalid source code or constructor arguments") from None
    if not isinstance(standard_json, dict) or not isinstance(standard_json.get("sources"), dict):
        raise FormError("Error! Invalid source code: no sources")
    return Source(fields["contractname"], fields["compilerversion"], standard_json, arguments)


def judge_as_etherscan(worker: Worker, job: Job) -> Held:
    found = judge(worker, job.chain, job.address, job.source)
    return Held(job.source, found.kind, found.arguments, found.abi)
