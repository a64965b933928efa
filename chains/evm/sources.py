"""Which contracts of a build are meant, and which a bundle holds."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Collection, Iterable, Sequence

from chains.errors import Refused
from chains.evm.build_info import Contract
from chains.evm.forge_config import ForgeConfig

__all__ = ["PROXY_NAMES", "SourceAmbiguous", "SourceNotDeployable", "SourceUnknown", "choose", "select"]

_PROXY_FILES = {
    "ERC1967Proxy": "proxy/ERC1967/ERC1967Proxy.sol",
    "TransparentUpgradeableProxy": "proxy/transparent/TransparentUpgradeableProxy.sol",
    "ProxyAdmin": "proxy/transparent/ProxyAdmin.sol",
    "BeaconProxy": "proxy/beacon/BeaconProxy.sol",
    "UpgradeableBeacon": "proxy/beacon/UpgradeableBeacon.sol",
}
PROXY_NAMES = tuple(_PROXY_FILES)
"""OpenZeppelin's proxy contracts: what ship deploys in front of an implementation."""


class SourceUnknown(Refused):
    """SHIP-B08: a contract that is not in the build."""

    code = "SHIP-B08"


class SourceAmbiguous(Refused):
    """SHIP-B09: a name that several contracts have, or a contract that several compilers made."""

    code = "SHIP-B09"


class SourceNotDeployable(Refused):
    """SHIP-B10: an interface or an abstract contract."""

    code = "SHIP-B10"


def choose(wanted: str, sources: Collection[str]) -> str:
    """The one of ``sources`` (each ``path:Name``) that ``wanted`` means: ``path:Name``, ``path``, or ``Name``.

    Raises ``SourceUnknown`` with the nearest names, and ``SourceAmbiguous`` with the candidates.
    """
    path, colon, name = wanted.rpartition(":")
    if colon:
        given = f"{posixpath.normpath(path)}:{name}"
        found = [given] if given in sources else []
    elif wanted.endswith((".sol", ".vy")):
        found = [source for source in sources if source.rpartition(":")[0] == posixpath.normpath(wanted)]
    else:
        found = [source for source in sources if source.rpartition(":")[2] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceAmbiguous(
            f"{wanted} may be any of {', '.join(sorted(found))}",
            remedy=f"Write the one that is meant in full, as `{min(found)}`.",
        )
    raise SourceUnknown(f"there is no contract {wanted} in this build", remedy=_did_you_mean(wanted, sources))


def _did_you_mean(wanted: str, sources: Collection[str]) -> str:
    name = wanted.rpartition(":")[2]
    if wanted in _PROXY_FILES:
        statement = f'import {{{wanted}}} from "@openzeppelin/contracts/{_PROXY_FILES[wanted]}";'
        return f"A proxy comes from the project's own build: put `{statement}` into a file of src, such as src/Proxies.sol."
    same_name = sorted(s for s in sources if s.rpartition(":")[2] == name)
    near = same_name or difflib.get_close_matches(wanted, sources, n=3, cutoff=0.75)
    if not near:
        names = {s.rpartition(":")[2]: s for s in sorted(sources, reverse=True)}
        near = [names[n] for n in difflib.get_close_matches(name, names, n=3, cutoff=0.7)]
    if near:
        return f"Did you mean {' or '.join(near[:3])}?"
    return "Name it as path:Contract, with the path from the Foundry project's root; a library file must exist or be imported."


def _version(contract: Contract) -> tuple[int, ...]:
    return tuple(int(part) for part in contract.compiler.partition("+")[0].split("."))


def _newest(contracts: Iterable[Contract]) -> Contract:
    return max(contracts, key=_version)


class _Selection:
    def __init__(self, contracts: Sequence[Contract]) -> None:
        self.builds: dict[str, list[Contract]] = {}
        for contract in contracts:
            self.builds.setdefault(contract.source, []).append(contract)
        self.chosen: dict[str, Contract] = {}

    def add_wanted(self, wanted: str) -> None:
        able = {source for source, builds in self.builds.items() if any(b.deployable for b in builds)}
        by_bare_name = ":" not in wanted and choose_bare(wanted, able)
        source = choose(wanted, able if by_bare_name else self.builds)
        builds = self.builds[source]
        if len(builds) > 1:
            compilers = ", ".join(sorted(b.compiler for b in builds))
            raise SourceAmbiguous(
                f"{source} is compiled more than once ({compilers}, or with several settings): which code is meant is open",
                remedy="Let its pragma, or `solc` or the compilation restrictions in foundry.toml, allow one compiler only.",
            )
        if not builds[0].deployable:
            what = "an interface" if builds[0].kind == "interface" else "abstract"
            raise SourceNotDeployable(
                f"{source} is {what}: it has no code to deploy", remedy="Name the contract that implements it."
            )
        self.add(builds[0])

    def add(self, contract: Contract) -> None:
        """A contract, and the libraries its code calls."""
        before = self.chosen.get(contract.source)
        if before is not None and before is not contract:
            raise SourceAmbiguous(
                f"{contract.source} is needed as compiled by {before.compiler} and by {contract.compiler}",
                remedy="Let the contracts that use it be compiled by one compiler.",
            )
        if before is contract:
            return
        self.chosen[contract.source] = contract
        for library in sorted(contract.libraries):
            builds = [b for b in self.builds.get(library, ()) if b.compiler == contract.compiler]
            if not builds:
                raise SourceUnknown(
                    f"{contract.source} calls the library {library}, which is not in this build",
                    remedy="Build it in the same project.",
                )
            self.add(builds[0])

    def add_deployed_by(self, script: Contract) -> None:
        """Whatever a script can deploy with ``new``: its own code holds their creation code, and that theirs."""
        code = script.creation_code
        for builds in self.builds.values():
            for build in builds:
                new = build.source not in self.chosen and build.deployable and build.compiler == script.compiler
                if new and build.creation_code in code:
                    self.add(build)


def choose_bare(wanted: str, sources: Collection[str]) -> bool:
    """Whether any of ``sources`` answers to ``wanted``, a name or a file."""
    place = 0 if wanted.endswith(".sol") else 2
    return any(source.rpartition(":")[place] == wanted for source in sources)


def select(contracts: Sequence[Contract], wanted: Iterable[str], config: ForgeConfig) -> list[Contract]:
    """What a bundle holds, ordered by source: the ``wanted`` contracts, everything deployable of the project's own ``src``,
    what wanted scripts deploy, OpenZeppelin's proxies if they were compiled, and the libraries any of them call.

    Raises ``SourceUnknown``, ``SourceAmbiguous`` and ``SourceNotDeployable``, for wanted contracts only.
    """
    selection = _Selection(contracts)
    for source in wanted:
        selection.add_wanted(source)
    for chosen in list(selection.chosen.values()):
        if chosen.path.endswith(".s.sol") or config.within(chosen.path, config.script):
            selection.add_deployed_by(chosen)
    for source, builds in selection.builds.items():
        if source in selection.chosen or not any(b.deployable for b in builds):
            continue
        path = builds[0].path
        own = config.within(path, config.src) and not path.endswith((".t.sol", ".s.sol"))
        own = own and not any(config.within(path, other) for other in (config.test, config.script, *config.libs))
        if own or builds[0].name in PROXY_NAMES:
            selection.add(_newest(b for b in builds if b.deployable))
    return [selection.chosen[source] for source in sorted(selection.chosen)]
