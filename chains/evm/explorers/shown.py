"""Holding what a service of the Etherscan dialect shows of a contract against what was handed in.

The dialect has no word for how well a source matches. What can be compared is compared: every source file, byte for byte,
the settings that reach the metadata, name, compiler and arguments. The same files with the same settings give the same
metadata, and our own proof has shown that these give the code on chain: that is an exact match. All else is partial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.evm.explorers.base import Submission
from chains.jsontext import read_json

__all__ = ["differences", "is_verified", "similar_to"]

_IN_METADATA = ("optimizer", "evmVersion", "viaIR", "remappings", "libraries", "metadata", "debug")


def is_verified(shown: Mapping[str, Any]) -> bool:
    return bool(_text(shown, "SourceCode").strip())


def similar_to(shown: Mapping[str, Any]) -> str | None:
    """The other contract whose source is shown, because its code is the same."""
    return _text(shown, "SimilarMatch").strip() or None


def differences(shown: Mapping[str, Any], expected: Submission) -> list[str]:
    """What differs from ``expected``; empty for an exact match."""
    found = []
    name, wanted = _text(shown, "ContractName").rpartition(":")[2], expected.contract.rpartition(":")[2]
    if name and name != wanted:
        found.append(f"it shows the contract {name}, not {wanted}")
    compiler = _text(shown, "CompilerVersion")
    if compiler and _version(compiler) != _version(expected.compiler):
        found.append(f"it shows the compiler {compiler}, not {expected.compiler}")
    arguments = _text(shown, "ConstructorArguments").lower().removeprefix("0x")
    # A contract made by a contract has no creation input of its own: some services then show no arguments.
    if arguments and arguments != expected.arguments.hex():
        found.append("it shows other constructor arguments")
    if expected.linked_later:
        found.append("its libraries were linked after compiling, so its metadata is another")
    return found + _source_differences(shown, expected)


def _source_differences(shown: Mapping[str, Any], expected: Submission) -> list[str]:
    document = read_json(expected.standard_json)
    ours = _contents(document.get("sources"))
    theirs, settings = _shown_sources(shown)
    if theirs is None:
        return ["it shows its source in a form that cannot be compared file by file"]
    found = []
    common = set(ours) & set(theirs)
    # The whole build's input may be shown for the contract's own sources, or the other way round.
    if not common or not (common == set(ours) or common == set(theirs)):
        found.append("it shows other source files")
    elif changed := sorted(path for path in common if ours[path] != theirs[path]):
        found.append(f"it shows another text of {', '.join(changed[:3])}{' …' if len(changed) > 3 else ''}")
    if settings is not None:
        own = document.get("settings") or {}
        other = [k for k in _IN_METADATA if _plain(own.get(k)) != _plain(settings.get(k))]
        if other:
            found.append(f"it shows other compiler settings ({', '.join(other)})")
    return found


def _shown_sources(shown: Mapping[str, Any]) -> tuple[dict[str, str] | None, Mapping[str, Any] | None]:
    """Files by path, and settings where shown. Etherscan wraps standard JSON in a second pair of braces."""
    text = _text(shown, "SourceCode").strip()
    if text.startswith("{"):
        inner = text[1:-1] if text.startswith("{{") and text.endswith("}}") else text
        try:
            document = read_json(inner.encode())
        except ValueError:
            return None, None
        if not isinstance(document, Mapping):
            return None, None
        settings = document.get("settings")
        sources = _contents(document.get("sources") if "sources" in document else document)
        return sources or None, settings if isinstance(settings, Mapping) else None
    files = {}
    path = _text(shown, "FileName") or _text(shown, "ContractFileName")
    if not path:
        return None, None
    files[path] = _text(shown, "SourceCode")
    more = shown.get("AdditionalSources")
    for entry in more if isinstance(more, list) else ():
        if isinstance(entry, Mapping):
            files[_text(entry, "Filename") or _text(entry, "FileName")] = _text(entry, "SourceCode")
    return files, None


def _contents(sources: Any) -> dict[str, str]:
    if not isinstance(sources, Mapping):
        return {}
    return {
        path: entry["content"]
        for path, entry in sources.items()
        if isinstance(entry, Mapping) and isinstance(entry.get("content"), str)
    }


def _plain(value: Any) -> Any:
    """``value`` without what only states a default, so that leaving a setting out equals naming it empty or false."""
    if isinstance(value, Mapping):
        kept = {k: _plain(v) for k, v in value.items()}
        return {k: v for k, v in kept.items() if v not in (None, False, "", [], {})} or None
    return value or None


def _version(text: str) -> str:
    return text.strip().removeprefix("v").removesuffix(".Linux.g++")


def _text(shown: Mapping[str, Any], key: str) -> str:
    value = shown.get(key)
    return value if isinstance(value, str) else ""
