"""The bill of materials: every source in the bundle with its sha256, by the package it came from (CycloneDX 1.6).

https://cyclonedx.org/docs/1.6/json/. Without time and tool version of this machine: the same bundle gives the same bytes.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chains.canonical import pretty, sha256_hex
from chains.jsontext import read_json
from pipeline.bundle import Bundle
from pipeline.release.materials import Materials

__all__ = ["bill_of_materials"]

_NAMESPACE = uuid.UUID("6e1b6c0e-5f0e-5b8a-9d0c-3b1f6a2c7d44")
_NPM = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/]+)/")
_SOLDEER = re.compile(r"(?:.*/)?dependencies/([^/]+)-(\d[^/]*)/")
_LIB = re.compile(r"((?:.*/)?lib/([^/]+))/")

Package = tuple[str, str, str]
"""Kind (npm, soldeer, git; empty for the project's own), name, version (empty where nothing tracked says it)."""


def bill_of_materials(materials: Materials, bundles: Sequence[Bundle], submodule: Callable[[str], str | None]) -> bytes:
    """``submodule`` gives the commit of the git submodule at a path of the Foundry project."""
    versions = _locked(materials.project.evm_root / "package-lock.json")
    sources: dict[Package, dict[str, str]] = defaultdict(dict)
    for path, sha256 in _sources(bundles).items():
        sources[_package(path, versions, submodule)][path] = sha256
    components = [_compiler(version) for version in sorted({v for b in bundles for v in b.toolchain.get("solc", ())})]
    components += [_component(package, files) for package, files in sorted(sources.items()) if package[0]]
    own = [_file(path, sha256) for path, sha256 in sorted(sources.get(("", "", ""), {}).items())]
    digests = sorted(bundle.digest for bundle in bundles)
    return pretty(
        {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, ' '.join([materials.tag, *digests]))}",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "application",
                    "bom-ref": "project",
                    "name": materials.project.name,
                    "version": materials.version,
                    "components": own,
                    "properties": [{"name": "contract-ship:bundle", "value": digest} for digest in digests],
                }
            },
            "components": components,
            "dependencies": [{"ref": "project", "dependsOn": [component["bom-ref"] for component in components]}],
        }
    )


def _sources(bundles: Sequence[Bundle]) -> dict[str, str]:
    """Path and sha256 of every source of every compiler input."""
    found: dict[str, str] = {}
    for bundle in bundles:
        for name in bundle.manifest["files"]:
            if name.startswith("inputs/"):
                for path, source in json.loads(bundle.read(name))["sources"].items():
                    found[path] = sha256_hex(source["content"].encode())
    return found


def _package(path: str, versions: Mapping[str, str], submodule: Callable[[str], str | None]) -> Package:
    if match := _NPM.match(path):
        return "npm", match[1], versions.get(match[1], "")
    if match := _SOLDEER.match(path):
        return "soldeer", match[1], match[2]
    if match := _LIB.match(path):
        return "git", match[2], submodule(match[1]) or ""
    return "", "", ""


def _locked(path: Path) -> dict[str, str]:
    """npm's versions from its lock file, which is in version control where node_modules is not."""
    try:
        packages = read_json(path.read_bytes())["packages"]
        return {
            name.removeprefix("node_modules/"): str(entry["version"])
            for name, entry in packages.items()
            if name.startswith("node_modules/") and "version" in entry
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _compiler(version: str) -> dict[str, Any]:
    return {"type": "application", "bom-ref": f"solc@{version}", "name": "solc", "version": version}


def _component(package: Package, files: Mapping[str, str]) -> dict[str, Any]:
    kind, name, version = package
    ref = f"{kind}:{name}@{version}" if version else f"{kind}:{name}"
    purl = {"purl": f"pkg:npm/{name.replace('@', '%40')}@{version}"} if kind == "npm" and version else {}
    return {
        "type": "library",
        "bom-ref": ref,
        "name": name,
        **({"version": version} if version else {}),
        **purl,
        "components": [_file(path, sha256) for path, sha256 in sorted(files.items())],
    }


def _file(path: str, sha256: str) -> dict[str, Any]:
    return {"type": "file", "name": path, "hashes": [{"alg": "SHA-256", "content": sha256}]}
