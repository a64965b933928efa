"""Cuts the operations ``ship release`` uses out of GitHub's published OpenAPI description (npm ``@octokit/openapi``, MIT).

``extract.py api.github.com.json VERSION`` writes ``openapi.json`` beside this file: request bodies and responses as JSON
Schema 2020-12, without prose.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

REPO = "/repos/{owner}/{repo}"
OPERATIONS = [
    ("GET", REPO, 200),
    ("GET", f"{REPO}/git/commits/{{commit_sha}}", 200),
    ("GET", f"{REPO}/git/ref/{{ref}}", 200),
    ("GET", f"{REPO}/git/tags/{{tag_sha}}", 200),
    ("POST", f"{REPO}/git/tags", 201),
    ("POST", f"{REPO}/git/refs", 201),
    ("GET", f"{REPO}/releases", 200),
    ("POST", f"{REPO}/releases", 201),
    ("GET", f"{REPO}/releases/{{release_id}}", 200),
    ("PATCH", f"{REPO}/releases/{{release_id}}", 200),
    ("GET", f"{REPO}/releases/{{release_id}}/assets", 200),
    ("POST", f"{REPO}/releases/{{release_id}}/assets", 201),
    ("GET", f"{REPO}/commits/{{ref}}/check-runs", 200),
    ("GET", f"{REPO}/commits/{{ref}}/status", 200),
    ("GET", f"{REPO}/deployments", 200),
    ("POST", f"{REPO}/deployments", 201),
    ("GET", f"{REPO}/deployments/{{deployment_id}}/statuses", 200),
    ("POST", f"{REPO}/deployments/{{deployment_id}}/statuses", 201),
    ("POST", "/app/installations/{installation_id}/access_tokens", 201),
]
_PROSE = {"description", "example", "examples", "title", "externalDocs", "format", "x-multi-segment", "deprecated"}


def _plain(node: Any, *, names: bool = False) -> Any:
    """Without prose; OpenAPI 3.0's ``nullable`` as JSON Schema says it. ``names``: the keys are property names."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    if names:
        return {key: _plain(value) for key, value in node.items()}
    kept = {k: _plain(v, names=k == "properties") for k, v in node.items() if k not in _PROSE and k != "nullable"}
    if "$ref" in kept:
        kept["$ref"] = kept["$ref"].replace("#/components/schemas/", "#/$defs/")
    if node.get("nullable"):
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"].rpartition("/")[2]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(_references, node.values()))
    return set().union(*map(_references, node)) if isinstance(node, list) else set()


def main(source: str, version: str) -> None:
    document = json.loads(Path(source).read_text())
    operations = {}
    for method, path, status in OPERATIONS:
        operation = document["paths"][path][method.lower()]
        response = operation["responses"][str(status)]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        operations[f"{method} {path}"] = {
            "status": status,
            "request": _plain(body) if body else None,
            "response": _plain(response["content"]["application/json"]["schema"]),
        }
    definitions: dict[str, Any] = {}
    waiting = _references(operations)
    while waiting - set(definitions):
        for name in waiting - set(definitions):
            definitions[name] = _plain(document["components"]["schemas"][name])
        waiting |= _references(definitions)
    told = {"source": f"npm @octokit/openapi {version}, generated/api.github.com.json", "operations": operations}
    text = json.dumps({**told, "$defs": definitions}, sort_keys=True, separators=(",", ":"))
    (Path(__file__).parent / "openapi.json").write_text(text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
