"""Why code on chain is not what was built, in words somebody can act on.

``verify/bytecode.py`` says that it is not; here the two codes are compared part by part. What is read from the bytes is
stated; what is concluded from them (settings, EVM version) is called a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chains.evm.address import checksum
from chains.evm.artifacts import Artifact, ByteRange, link, mask, strip_metadata
from chains.evm.verify.bytecode import masks
from chains.evm.verify.metadata import CodeMetadata, read_metadata
from chains.evm.verify.opcodes import evm_floor

__all__ = ["Explanation", "explain"]

Why = Literal[
    "nothing", "same", "delegation", "clone", "metadata", "immutables", "library", "compiler", "settings", "code"
]

_CLONE_HEAD, _CLONE_TAIL = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
_DELEGATION = bytes.fromhex("ef0100")


@dataclass(frozen=True)
class Explanation:
    """``text`` is one sentence, or a few, for people."""

    why: Why
    text: str


def explain(artifact: Artifact, libraries: Mapping[str, bytes], code: bytes, rerun: bytes | None = None) -> Explanation:
    """Compare runtime ``code`` on chain with ``artifact``'s, linked with ``libraries`` (``path:Library`` to 20 bytes).

    ``rerun`` is what the init code gives when run again, where known: it has the values of the immutables.
    """
    if not code:
        return Explanation("nothing", "there is no code at this address: it was not deployed, or another chain answers")
    if special := _special(code):
        return special
    places = masks(artifact)
    complete = {name: libraries.get(name, bytes(20)) for name in artifact.runtime_links}
    ours = link(artifact.runtime_code, artifact.runtime_links, complete)
    if len(code) == len(ours):
        if mask(code, places) == mask(ours, places):
            return _same(artifact, code, rerun)
        if wrong := _libraries(artifact, complete, mask(code, places), mask(ours, places)):
            return wrong
    within = {name: tuple(p for p in found if p.stop <= len(code)) for name, found in places.items()}
    return _other_code(artifact, mask(ours, places), mask(code, within))


def _special(code: bytes) -> Explanation | None:
    if code[:3] == _DELEGATION and len(code) == 23:
        to = checksum("0x" + code[3:].hex())
        return Explanation(
            "delegation", f"it is an account that delegates to {to} (EIP-7702), and no contract of its own"
        )
    if code.startswith(_CLONE_HEAD) and code.endswith(_CLONE_TAIL) and len(code) == 45:
        to = checksum("0x" + code[10:30].hex())
        return Explanation("clone", f"it is a minimal proxy of {to} (EIP-1167): verify that contract instead")
    return None


def _same(artifact: Artifact, code: bytes, rerun: bytes | None) -> Explanation:
    if rerun is None or rerun == code or len(rerun) != len(code):
        return Explanation("same", "the runtime code is the build's")
    other = [
        name
        for name, places in masks(artifact).items()
        if any(code[p.start : p.stop] != rerun[p.start : p.stop] for p in places)
    ]
    if not other:
        return Explanation("same", "the runtime code is the build's; its init code, run again, gives other code")
    first = masks(artifact)[other[0]][0]
    return Explanation(
        "immutables",
        f"the code is the build's, but {_count(len(other), 'immutable')} of {len(artifact.immutables)} "
        f"{'has' if len(other) == 1 else 'have'} another value than the constructor's arguments give (the first holds "
        f"0x{code[first.start : first.stop].hex()}, not 0x{rerun[first.start : first.stop].hex()}): the arguments differ, or "
        "the constructor reads what has changed since",
    )


def _libraries(artifact: Artifact, expected: Mapping[str, bytes], code: bytes, ours: bytes) -> Explanation | None:
    """Whether the code differs at library addresses only, the metadata apart."""
    links = artifact.runtime_links
    if not links or strip_metadata(_without(code, links)) != strip_metadata(_without(ours, links)):
        return None
    told = []
    for name, places in sorted(links.items()):
        found = {code[p.start : p.stop] for p in places}
        if found != {expected[name]}:
            shown = " and ".join(checksum("0x" + f.hex()) for f in sorted(found))
            told.append(f"{name} is {shown}, not {checksum('0x' + expected[name].hex())}")
    if not told:
        return None
    return Explanation("library", f"the code is the build's, linked with other libraries: {'; '.join(told)}")


def _without(code: bytes, links: Mapping[str, Sequence[ByteRange]]) -> bytes:
    return mask(code, {name: tuple(places) for name, places in links.items()})


def _other_code(artifact: Artifact, ours: bytes, code: bytes) -> Explanation:
    own, found = read_metadata(ours), read_metadata(code)
    # Before metadata solc puts an INVALID, which is not there either when it writes none.
    mine, theirs = (strip_metadata(c).removesuffix(b"\xfe") for c in (ours, code))
    if mine == theirs:
        return Explanation("metadata", f"the code is the build's but for its metadata: {_metadata_only(own, found)}")
    lengths = f"{len(code)} bytes on chain, {len(ours)} built"
    if own and found and own.solc != found.solc and found.solc is not None:
        built = f"the build used {own.solc}" if own.solc else "the build does not tell its compiler"
        return Explanation("compiler", f"it was compiled with solc {found.solc}, {built} ({lengths})")
    if own and found and own.hash is not None and own.hash == found.hash:
        return Explanation(
            "settings",
            f"sources and settings are the build's by their metadata hash, the code is not ({lengths}): it was changed "
            "after compiling, or its immutables and libraries lie elsewhere",
        )
    if guesses := _guesses(artifact, mine, theirs):
        return Explanation("settings", f"the code differs ({lengths}); a guess: {'; '.join(guesses)}")
    if found is None and own is not None:
        return Explanation(
            "code", f"the code differs and has no solc metadata ({lengths}): another compiler, or stripped"
        )
    return Explanation("code", f"the code differs ({lengths}): it was built from other sources or with other settings")


def _metadata_only(own: CodeMetadata | None, found: CodeMetadata | None) -> str:
    if found is None or own is None:
        return "one of the two has none (the setting bytecode_hash or cbor_metadata)"
    if own.solc != found.solc:
        return f"it was compiled with solc {found.solc or 'unknown'}, the build used {own.solc or 'unknown'}"
    if (own.hash is None) != (found.hash is None):
        return "one of the two holds no hash (the setting bytecode_hash)"
    return "a comment, a name, a path or a setting that does not reach the code is different"


def _guesses(artifact: Artifact, mine: bytes, theirs: bytes) -> list[str]:
    found = []
    built_for, on_chain = evm_floor(mine), evm_floor(theirs)
    if built_for != on_chain:
        version = artifact.settings.get("evmVersion")
        named = f" (evmVersion is {version})" if version else ""
        found.append(f"it uses instructions up to {on_chain}, the build up to {built_for}{named}")
    ratio = len(theirs) / len(mine) if mine else 1.0
    optimizer = artifact.settings.get("optimizer")
    optimized = isinstance(optimizer, Mapping) and bool(optimizer.get("enabled"))
    if optimized and ratio > 1.25:
        found.append(f"it is {ratio:.1f} times as long: perhaps compiled without the optimizer, or for more runs")
    elif not optimized and ratio < 0.8:
        found.append(f"it is {ratio:.1f} times as long: perhaps compiled with the optimizer")
    return found


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
