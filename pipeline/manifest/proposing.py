"""The text of the manifests ``ship init`` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.manifest.fields import NAME_PATTERN
from pipeline.manifest.finding import FoundContract
from pipeline.manifest.solidity import Parameter

__all__ = ["Proposal", "project_text", "propose", "target_text"]

_PLACEHOLDERS = (
    (re.compile(r"address$"), '"${deployer}"', "an address"),
    (re.compile(r"u?int\d*$"), "0", "a number"),
    (re.compile(r"bool$"), "false", "true or false"),
    (re.compile(r"string$"), '"TODO"', "a text"),
    (re.compile(r"bytes$"), '"0x"', "bytes in hex"),
)


@dataclass
class Proposal:
    """Tables of ``ship.toml`` as text, and parameters: name → (placeholder, what it is)."""

    tables: list[str] = field(default_factory=list)
    params: dict[str, tuple[str, str]] = field(default_factory=dict)


def propose(contracts: tuple[FoundContract, ...]) -> Proposal:
    """A ``[contracts.*]`` table for every contract. What cannot be known becomes a parameter."""
    proposal = Proposal()
    names = _names(contracts)
    by_contract = {found.contract.name: names[found.source] for found in contracts}
    for found in contracts:
        name, contract = names[found.source], found.contract
        lines = [f"[contracts.{name}]", f"source = {json.dumps(found.source, ensure_ascii=False)}"]
        if contract.constructor:
            values = [_value(name, p, n, by_contract, proposal) for n, p in enumerate(contract.constructor)]
            lines.append(f"args = [{', '.join(values)}]")
        if any("UUPSUpgradeable" in base for base in contract.bases):
            lines.append('proxy = "uups"')
            lines += _initialize(name, contract.initialize, by_contract, proposal)
        elif contract.initialize is not None:
            lines.append('# It has an initialize function: behind a proxy? proxy = "transparent" or "beacon"')
        proposal.tables.append("\n".join(lines))
    return proposal


def _names(contracts: tuple[FoundContract, ...]) -> dict[str, str]:
    """A unit name for every source, different in more than case."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for found in contracts:
        base = re.sub(r"[^A-Za-z0-9_]", "", found.contract.name).lstrip("_0123456789")[:56] or "Contract"
        name, number = base, 2
        while name.casefold() in taken:
            name, number = f"{base}{number}", number + 1
        taken.add(name.casefold())
        names[found.source] = name
    return names


def _initialize(
    unit: str, parameters: tuple[Parameter, ...] | None, by_contract: Mapping[str, str], proposal: Proposal
) -> list[str]:
    if parameters is None:
        return ['# initialize = { call = "initialize(…)", args = [] }']
    types = [_abi_type(parameter.type, by_contract) for parameter in parameters]
    if any(kind is None for kind in types):
        return [
            "# initialize takes a type ship cannot name without compiling: write it out here.",
            '# initialize = { call = "initialize(…)", args = [] }',
        ]
    values = [_value(unit, p, n, by_contract, proposal) for n, p in enumerate(parameters)]
    call = f"initialize({','.join(str(kind) for kind in types)})"
    return [f'initialize = {{ call = "{call}", args = [{", ".join(values)}] }}']


def _abi_type(kind: str, by_contract: Mapping[str, str]) -> str | None:
    base, array = re.fullmatch(r"([^\[]*)((?:\[\d*\])*)", kind).groups()  # type: ignore[union-attr]
    if re.fullmatch(r"address|bool|string|bytes\d{0,2}|u?int\d{1,3}", base):
        return kind
    if base in {"uint", "int"}:
        return f"{base}256{array}"
    return f"address{array}" if base in by_contract or re.match(r"I[A-Z]", base) else None


def _value(unit: str, parameter: Parameter, position: int, by_contract: Mapping[str, str], proposal: Proposal) -> str:
    """A reference to a contract of the project where the type names one, else a new parameter."""
    kind = parameter.type
    for known in (kind, kind[1:] if re.match(r"I[A-Z]", kind) else ""):
        if known in by_contract and by_contract[known] != unit:
            return f'"${{contracts.{by_contract[known]}}}"'
    word = re.sub(r"[^A-Za-z0-9_]", "", parameter.name).strip("_") or f"arg{position}"
    name = f"{unit}-{word}"[:64]
    if not re.fullmatch(NAME_PATTERN.rstrip("$"), name):
        name = f"{unit[:50]}-arg{position}"
    proposal.params.setdefault(name, _placeholder(kind))
    return f'"${{params.{name}}}"'


def _placeholder(kind: str) -> tuple[str, str]:
    for pattern, value, words in _PLACEHOLDERS:
        if pattern.match(kind):
            return value, words
    sized = re.fullmatch(r"bytes(\d{1,2})", kind)
    if sized:
        return f'"0x{"00" * int(sized[1])}"', f"{sized[1]} bytes in hex"
    if re.fullmatch(r"[A-Z][\w.$]*", kind):
        if re.match(r"I[A-Z]", kind):
            return '"${deployer}"', f"the address of an {kind}"
        return "[]", f"a {kind}: an address, a number, or one value for each field"
    return "[]", f"a {kind}"


def _files(program: str) -> list[str]:
    """Where Anchor puts a program's files, for one that cannot have its own name."""
    return [
        f'artifact = "target/deploy/{program}.so"',
        f'idl-file = "target/idl/{program}.json"',
        f'keypair = "target/deploy/{program}-keypair.json"',
    ]


_CHECK_HINTS = (
    "",
    "# Reads after deploying; one that fails stops the release:",
    "# [checks.owner]",
    '# on = "${contracts.NAME}"',
    '# call = "owner()(address)"',
    '# equals = "${params.owner}"',
)
_PROGRAM_HINTS = (
    "",
    "# An instruction sent once, and a field of an account read after deploying, by the program's IDL:",
    "# [calls.open]",
    '# program = "NAME"',
    '# instruction = "initialize"',
    '# unless = { account = "pda:NAME/seed,key:${deployer}" }',
    "#",
    "# [checks.state]",
    '# program = "NAME"',
    '# account = "pda:NAME/seed,key:${deployer}"',
    '# type = "Account"',
    '# field = "authority"',
    '# equals = "${deployer}"',
)


def project_text(
    *,
    schema: str,
    name: str,
    version: str,
    changelog: bool,
    evm_root: str | None,
    units: Proposal,
    anchor_root: str | None,
    programs: Mapping[str, str],
    baseline: bool,
) -> str:
    """The text of ``ship.toml``. ``version`` is the whole line."""
    lines = [f"#:schema {schema}", "schema = 1", "", "[project]", f'name = "{name}"', version]
    if changelog:
        lines.append('changelog = "CHANGELOG.md"')
    if evm_root is not None:
        lines += ["", "[evm]", f"root = {json.dumps(evm_root)}"]
    if anchor_root is not None:
        lines += ["", "[solana]", f"root = {json.dumps(anchor_root)}"]
    for table in units.tables:
        lines += ["", table]
    contracts = {found[1].casefold() for table in units.tables if (found := re.match(r"\[contracts\.(.+)\]", table))}
    for program, address in programs.items():
        if program.casefold() in contracts:  # names of units differ in more than case
            lines += ["", f"[programs.{program}-program]", *_files(program)]
        else:
            lines += ["", f"[programs.{program}]"]
        lines.append(
            f"program-id = {json.dumps(address)}"
            if address
            else "# Its address is the one that the IDL, Anchor.toml and declare_id! agree on, for each cluster."
        )
    if programs:
        lines += _PROGRAM_HINTS
    if evm_root is not None:
        accepted = ', baseline = "slither.baseline.json"' if baseline else ""
        lines += ["", "# What must pass before anything is planned.", "[gates]", "tests = {}"]
        lines += [f'slither = {{ fail-on = "medium"{accepted} }}', *_CHECK_HINTS]
    return "\n".join(lines) + "\n"


_SOLANA_TARGET = (
    "",
    "[rpc]",
    "# Two providers beat one. A URL that holds a key stands in the environment, never here.",
    '# endpoints = ["env:RPC_URL"]',
    "",
    "# The programs' upgrade authority: it signs deployments and upgrades alone.",
    "[signer]",
    "# Make one with: ship signer new --kind ed25519",
    'backend = "keystore"',
    'file = "~/.ship/keys/authority.json"',
    '# public-key = "…" # pin it: another key is then refused',
    '# password = "env:SHIP_KEYSTORE_PASSWORD"',
    "",
    "# [payer] # pays fees and rent and writes buffers; the signer where left out",
    '# backend = "keystore"',
    '# file = "~/.ship/keys/payer.json"',
    "",
    "[policy]",
    '# max-lamports = "5 SOL"',
    "approvals = 1",
)


def target_text(
    *, schema: str, builtin: str, params: Mapping[str, tuple[str, str]], local: bool, solana: bool = False
) -> str:
    """The text of ``manifests/<target>.toml``."""
    lines = [f"#:schema {schema}", "schema = 1", f'extends = "builtin:{builtin}"']
    if solana and not local:
        lines += [line.replace("RPC_URL", builtin.upper().replace("-", "_") + "_RPC_URL") for line in _SOLANA_TARGET]
        return "\n".join(lines) + "\n"
    if not local:
        variable = builtin.upper().replace("-", "_") + "_RPC_URL"
        lines += [
            "",
            "[rpc]",
            "# Two providers beat one. A URL that holds a key stands in the environment, never here.",
            f'# endpoints = ["env:{variable}"]',
            "",
            "[signer]",
            "# Make one with: ship signer new",
            'backend = "keystore"',
            'file = "~/.ship/keys/deployer.json"',
            '# address = "0x…" # pin it: another key is then refused',
            '# password = "env:SHIP_KEYSTORE_PASSWORD"',
            "",
            "[policy]",
            '# max-fee-per-gas = "50 gwei"',
            '# max-cost = "0.5 ether"',
            "approvals = 1",
        ]
    if params:
        lines += ["", "# TODO: every value here is a placeholder.", "[params]"]
        lines += [f"{name} = {value} # TODO: {words}" for name, (value, words) in params.items()]
    if not local:
        lines += ["", "# [verify]", '# etherscan = { api-key = "env:ETHERSCAN_API_KEY" }']
    return "\n".join(lines) + "\n"
