"""The programs ``ship`` runs (forge, anvil, cast, Slither): where they are, whether they fit, and their environment."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chains.errors import Refused, Where
from chains.processes import run_tool

__all__ = [
    "Tool",
    "ToolMissing",
    "ToolUnsuitable",
    "base_environment",
    "find_tool",
    "forge_environment",
    "require_tool",
]

_FOUNDRY = ("forge", "anvil", "cast")
_NEEDED = {
    "forge": ((1, 7), (2, 0)),
    "anvil": ((1, 7), (2, 0)),
    "cast": ((1, 7), (2, 0)),
    "slither": ((0, 11, 3), (0, 12)),
}
_HOW = {
    "foundry": "In a checkout of ship run `scripts/bootstrap`; elsewhere install Foundry (https://getfoundry.sh) so that "
    "{name} is on PATH, or set SHIP_TOOLS to the folder that holds it.",
    "slither": "Install it beside ship: `pip install 'slither-analyzer>=0.11.3,<0.12'` (with pipx: `pipx inject contract-ship "
    "slither-analyzer`).",
}
# What programs need to find their files and reach the network. Keys, tokens and passwords are not among it.
_PASSED = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TERM",
        "TMPDIR",
        "TEMP",
        "TMP",
        "NO_COLOR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "NIX_SSL_CERT_FILE",
        "NIX_LD",
        "NIX_LD_LIBRARY_PATH",
    ]
)
_PASSED_PREFIXES = ("LC_", "XDG_", "FOUNDRY_", "DAPP_")
# Settings of forge's own that hold keys.
_WITHHELD = re.compile(r"(KEY|PASSWORD|SECRET|TOKEN|MNEMONIC|JWT)", re.IGNORECASE)


class ToolMissing(Refused):
    """SHIP-B01: a program is not on this machine."""

    code = "SHIP-B01"


class ToolUnsuitable(Refused):
    """SHIP-B02: a program is there in a version that was never tried."""

    code = "SHIP-B02"


@dataclass(frozen=True)
class Tool:
    """A program and its version, ``1.7.1``."""

    name: str
    path: Path
    version: str


def _upwards(folder: Path) -> Iterator[Path]:
    yield folder
    yield from folder.parents


def tools_folders(root: Path) -> list[Path]:
    """Toolchain folders in the order they are looked at: ``$SHIP_TOOLS``, then every ``.tools`` above the project, the
    working folder and ship's own checkout."""
    found = [Path(given).expanduser().resolve()] if (given := os.environ.get("SHIP_TOOLS")) else []
    for start in (root, Path.cwd(), Path(__file__).parent):
        for folder in _upwards(start.resolve()):
            tools = folder / ".tools"
            if tools not in found and tools.is_dir():
                found.append(tools)
    return found


def _candidates(name: str, root: Path) -> Iterator[Path]:
    if name == "slither":
        yield Path(sys.executable).parent / name
    for folder in tools_folders(root):
        yield folder / "bin" / name
        yield folder / name
    if on_path := shutil.which(name):
        yield Path(on_path)


def _is_script(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def find_tool(name: str, root: Path) -> Path:
    """The program ``name`` for the project at ``root``. Raises ``ToolMissing``, which says how to get it.

    A Foundry program that is a script is passed over: npm's wrappers lose the exit code, and a failing build looks good.
    """
    passed_over = []
    for path in _candidates(name, root):
        if not (path.is_file() and os.access(path, os.X_OK)):
            continue
        if name in _FOUNDRY and _is_script(path):
            passed_over.append(str(path))
            continue
        return path.absolute()
    cause = f"{name} was not found"
    if passed_over:
        cause += f"; {passed_over[0]} is a wrapper script that can lose the exit code, and was passed over"
    raise ToolMissing(cause, remedy=_HOW.get(name, _HOW["foundry"]).format(name=name))


def _version(name: str, path: Path, root: Path) -> str:
    if name == "slither" and path.parent == Path(sys.executable).parent:
        from importlib.metadata import PackageNotFoundError, version  # starting Slither to ask takes a second

        try:
            return version("slither-analyzer")
        except PackageNotFoundError:
            pass
    finished = run_tool([path, "--version"], cwd=root, timeout_s=60, env=base_environment())
    match = re.search(r"\d+\.\d+\.\d+", finished.stdout.decode(errors="replace"))
    return match[0] if match and finished.exit_code == 0 else ""


def require_tool(name: str, root: Path) -> Tool:
    """``find_tool``, and its version held against what ship works with. Raises ``ToolUnsuitable``."""
    path = find_tool(name, root)
    version = _version(name, path, root)
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    low, high = _NEEDED[name]
    if not (low <= numbers < high):
        wanted = f"{'.'.join(map(str, low))} or newer, below {'.'.join(map(str, high))}"
        raise ToolUnsuitable(
            f"{name} is {f'version {version}' if version else 'of an unknown version'}; ship works with {wanted}",
            where=Where(str(path)),
            remedy=_HOW.get(name, _HOW["foundry"]).format(name=name),
        )
    return Tool(name, path, version)


def base_environment() -> dict[str, str]:
    """What of our own environment other programs may see: no keys, no tokens."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _PASSED or (name.startswith(_PASSED_PREFIXES) and not _WITHHELD.search(name))
    }


def compiler_store(root: Path) -> Path | None:
    """The ``HOME`` under which forge finds the compilers ``scripts/bootstrap`` laid out, if there are any."""
    for folder in tools_folders(root):
        store = folder / "home" / ".svm"
        if store.is_dir() and any(store.iterdir()):
            return folder / "home"
    return None


def forge_environment(
    root: Path, *, own_compilers: bool = True, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The environment to run forge (and Slither, which calls it) with.

    When our toolchain folder holds compilers, HOME points to them and forge stays off the network: forge's compiler
    store is ``$HOME/.svm``, and there is no other variable for it (see scripts/toolchain/README.md). ``own_compilers=False``
    leaves HOME and the network to the user. ``extra`` wins over all.
    """
    env = base_environment()
    try:
        first = str(find_tool("forge", root).parent)
        env["PATH"] = os.pathsep.join([first, *(p for p in env.get("PATH", "").split(os.pathsep) if p and p != first)])
    except ToolMissing:
        pass
    home = compiler_store(root) if own_compilers else None
    if home is not None:
        env["HOME"] = str(home)
        env.setdefault("FOUNDRY_OFFLINE", "true")
    env.update(extra or {})
    return env
