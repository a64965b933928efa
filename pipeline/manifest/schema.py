"""JSON Schemas of ``ship.toml`` and of targets, for editors (Taplo, Even Better TOML).

``python -m pipeline.manifest.schema --write`` refreshes ``docs/schema`` and ``docs/reference/manifest.md``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from pipeline.manifest.spec import ProjectSpec
from pipeline.manifest.target_spec import TargetSpec

__all__ = ["project_schema", "target_schema"]


def project_schema() -> str:
    """The JSON Schema of ``ship.toml``."""
    return _schema(ProjectSpec, "ship.toml")


def target_schema() -> str:
    """The JSON Schema of ``manifests/<target>.toml``."""
    return _schema(TargetSpec, "manifests/<target>.toml")


def _schema(model: type[BaseModel], title: str) -> str:
    schema: dict[str, Any] = model.model_json_schema(by_alias=True, mode="validation")
    schema = {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": title}
    if model is TargetSpec:
        # A target need not repeat what its built-in manifest says, so nothing but the schema number is required in it.
        for table in (schema, *schema["$defs"].values()):
            if table.get("title") in {"SignerSpec", "EtherscanSpec"}:
                table.pop("required", None)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the generated files with ``--write``; else say which are out of date (exit 1)."""
    from pipeline.manifest.reference_doc import reference_text

    docs = Path(__file__).resolve().parents[2] / "docs"
    generated = {
        docs / "schema" / "ship.schema.json": project_schema(),
        docs / "schema" / "target.schema.json": target_schema(),
        docs / "reference" / "manifest.md": reference_text(),
    }
    stale = [path for path, text in generated.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if "--write" in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(generated[path], "utf-8")
        sys.stdout.write(f"{'wrote' if '--write' in arguments else 'stale'}  {path}\n")
    return 0 if not stale or "--write" in arguments else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
