"""What the structure promises: who imports whom, and what the command's start does not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "web3",
    "eth_account",
    "boto3",
    "solders",
    "anchorpy",
    "github",
    "slither",
    "pydantic",
    "rich",
    "eth_abi",
    "urllib3",
}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_chains_never_imports_pipeline() -> None:
    files = list((ROOT / "chains").rglob("*.py"))
    assert files
    guilty = {str(f): n for f in files for n in _imports(f) if n == "pipeline" or n.startswith("pipeline.")}
    assert guilty == {}


def test_help_loads_no_heavy_package() -> None:
    code = (
        "import sys; sys.argv = ['ship', '--help']\n"
        "from pipeline.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(ast.literal_eval(done.stderr.strip().splitlines()[-1]))
    assert "click" in loaded
    assert loaded & HEAVY == set()


def test_every_command_named_in_help_exists() -> None:
    import importlib

    from pipeline.cli.group import COMMANDS

    for name, (module, text) in COMMANDS.items():
        assert importlib.import_module(module).command.name == name
        assert text.endswith(".")


def test_every_error_code_names_one_class() -> None:
    """Codes are what scripts and people look errors up by."""
    owners: dict[str, list[str]] = {}
    for package in ("chains", "pipeline"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if not isinstance(node, ast.ClassDef):
                    continue
                for item in node.body:
                    target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
                    if isinstance(target, ast.Name) and target.id == "code" and isinstance(item.value, ast.Constant):  # type: ignore[union-attr]
                        owners.setdefault(str(item.value.value), []).append(node.name)  # type: ignore[union-attr]
    assert len(owners) > 100
    assert {code: classes for code, classes in owners.items() if len(classes) > 1} == {}
