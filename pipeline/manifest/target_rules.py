"""What a target must satisfy beyond the shape of its file: hosts, parameters, policy."""

from __future__ import annotations

from collections.abc import Iterator

from chains.chain_data import ChainFacts
from pipeline.manifest.errors import BadUrl, Contradiction, ForbiddenHost, ManifestInvalid
from pipeline.manifest.overrides import Overridden
from pipeline.manifest.policy_rules import policy_problems
from pipeline.manifest.positions import Path
from pipeline.manifest.references import Scope, resolve
from pipeline.manifest.secret_names import SCHEMES
from pipeline.manifest.signer_spec import signer_problems
from pipeline.manifest.target_spec import TargetSpec
from pipeline.manifest.urls import forbidden_host, parse_url
from pipeline.manifest.validation import Locate

__all__ = ["full_scope", "target_problems"]


def target_problems(
    spec: TargetSpec, chain: ChainFacts, units: Overridden, locate: Locate
) -> Iterator[ManifestInvalid]:
    """Every problem of the target by itself; whether it gives all parameters is seen when units are made."""
    yield from _hosts(spec, locate)
    yield from policy_problems(spec.policy, frozenset(units.spec.contracts), locate, chain.kind)
    yield from _services(spec, chain, locate)
    if spec.signer is not None:
        yield from signer_problems(spec.signer, locate)
    if spec.signer is not None and spec.signer.backend == "squads" and spec.payer is None:
        yield Contradiction(
            "A vault signs nothing by itself: a member of the multisig proposes, and pays.",
            remedy="Give that member's key under [payer].",
            where=locate(("signer", "backend")),
        )
    for table in ("payer", "next-authority"):
        signer = getattr(spec, table.replace("-", "_"))
        if signer is None:
            continue
        yield from signer_problems(signer, locate, table)
        if chain.kind != "solana":
            yield Contradiction(
                f"[{table}] is for Solana targets: on {chain.title} the signer pays.",
                remedy="Remove it.",
                where=locate((table,), at_key=True),
            )
    scope = full_scope(spec, chain, units, "", locate)
    for name, value in spec.params.items():
        try:
            resolve(value, scope, ("params", name), locate)
        except ManifestInvalid as problem:
            yield problem


def _services(spec: TargetSpec, chain: ChainFacts, locate: Locate) -> Iterator[ManifestInvalid]:
    """Explorers of the other family of chains would never be asked."""
    wrong = ("etherscan", "sourcify", "blockscout") if chain.kind == "solana" else ("osec",)
    for name in wrong:
        if getattr(spec.verify, name) is not None:
            yield Contradiction(
                f"[verify] {name} is for {'EVM chains' if chain.kind == 'solana' else 'Solana'}.",
                remedy="Remove it.",
                where=locate(("verify", name)),
            )


def full_scope(spec: TargetSpec, chain: ChainFacts, units: Overridden, version: str, locate: Locate) -> Scope:
    """Everything a reference can refer to on this target."""
    return Scope(
        contracts={name: unit.proxy for name, unit in units.spec.contracts.items()},
        project_name=units.spec.project.name,
        project_version=version,
        params=spec.params,
        params_file=locate(("schema",)).file,
        chain_id=chain.chain_id,
        chain_name=chain.name,
        programs=frozenset(units.spec.programs),
        param_where=locate,
    )


def _hosts(spec: TargetSpec, locate: Locate) -> Iterator[ManifestInvalid]:
    urls: list[tuple[Path, str]] = [
        *((("rpc", "endpoints", n), url) for n, url in enumerate(spec.rpc.endpoints)),
        *((("rpc", "submit", n), url) for n, url in enumerate(spec.rpc.submit)),
    ]
    if spec.signer is not None and spec.signer.url:
        urls.append((("signer", "url"), spec.signer.url))
    for name in ("etherscan", "sourcify", "blockscout", "osec"):
        explorer = getattr(spec.verify, name)
        if explorer is not None and explorer.url:
            urls.append((("verify", name, "url"), explorer.url))
    urls += [(("verify", "services", name, "url"), service.url) for name, service in spec.verify.services.items()]
    for path, url in urls:
        host = None if url.startswith(SCHEMES) else forbidden_host(url, spec.network.allow_hosts)
        if host:
            yield ForbiddenHost(
                f"{host} is a link-local or cloud metadata address; nothing is sent there.",
                remedy=f'Use another host. If you mean it: [network] allow-hosts = ["{host}"].',
                where=locate(path),
            )
        elif path[0] == "verify" and url.startswith("http://") and not _on_this_machine(url):
            yield BadUrl(
                "An explorer is asked over https:// (or http:// on this machine): a key and a verdict travel there.",
                remedy="Write https://host/path.",
                where=locate(path),
            )


def _on_this_machine(url: str) -> bool:
    host = parse_url(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
