"""From a target's ``[verify]`` to the explorers it names, their keys resolved late and their allowances shared."""

from __future__ import annotations

from collections.abc import Iterator

from chains.evm.explorers.base import Explorer
from chains.evm.explorers.bucket import TokenBucket
from chains.evm.explorers.etherscan import Etherscan
from chains.evm.explorers.sourcify import Sourcify
from pipeline.manifest.project import Project
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_secret
from pipeline.manifest.target import Target
from pipeline.publishing.buckets import Buckets

__all__ = ["explorers_of"]

_ETHERSCAN = "https://api.etherscan.io/v2/api"
_SOURCIFY = "https://sourcify.dev/server"
_SOURCIFY_PAGE = "https://repo.sourcify.dev/{chain}/{{address}}"


def explorers_of(project: Project, target: Target, buckets: Buckets) -> list[Explorer]:
    """In the order people read them. Raises ``SecretUnavailable`` for a key that is not there."""
    return list(_explorers(project, target, buckets))


def _explorers(project: Project, target: Target, buckets: Buckets) -> Iterator[Explorer]:
    verify, facts = target.spec.verify, target.chain
    chain_id = facts.chain_id or 0
    pages = f"{facts.explorers.browser_url}/address/{{address}}" if facts.explorers.browser_url else None

    def key(reference: str | None, *path: str) -> str | None:
        if reference is None:
            return None
        ref = SecretRef(reference, target.layers.where(("verify", *path, "api-key")))
        return resolve_secret(ref, default_stores(project.root)).reveal()

    if verify.etherscan is not None:
        url, secret = verify.etherscan.url or _ETHERSCAN, key(verify.etherscan.api_key, "etherscan")
        bucket = buckets.of(url, secret, verify.etherscan.rate_per_s)
        yield Etherscan("etherscan", url, chain_id, bucket, secret, page=pages)
    if verify.blockscout is not None and verify.blockscout.enabled:
        blockscout = verify.blockscout.url or facts.explorers.blockscout_api_url
        if blockscout:
            bucket = buckets.of(blockscout, None, verify.blockscout.rate_per_s)
            yield _blockscout("blockscout", blockscout, chain_id, bucket)
    if verify.sourcify is not None and verify.sourcify.enabled:
        url = verify.sourcify.url or _SOURCIFY
        page = None if verify.sourcify.url else _SOURCIFY_PAGE.format(chain=chain_id)
        yield Sourcify("sourcify", url, chain_id, buckets.of(url, None, verify.sourcify.rate_per_s), page)
    for name, service in verify.services.items():
        secret = key(service.api_key, "services", name)
        bucket = buckets.of(service.url, secret, service.rate_per_s)
        if service.kind == "sourcify":
            yield Sourcify(name, service.url, chain_id, bucket)
        elif service.kind == "blockscout":
            yield _blockscout(name, service.url, chain_id, bucket, secret)
        else:
            yield Etherscan(name, service.url, chain_id, bucket, secret)


def _blockscout(name: str, url: str, chain_id: int, bucket: TokenBucket, key: str | None = None) -> Etherscan:
    page = f"{url.removesuffix('/api')}/address/{{address}}"
    return Etherscan(name, url, chain_id, bucket, key, chain_in_query=False, links_proxies=False, page=page)
