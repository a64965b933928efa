"""One target: its endpoints, its signer, and what the signer has to spend."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chains.errors import ShipError
from chains.evm.fees import ether
from chains.evm.localnet import running
from chains.evm.node import quantity
from chains.rpc import Endpoint, RpcUnknown
from pipeline.doctor.endpoint import Expected, probe
from pipeline.doctor.findings import Finding, Section
from pipeline.manifest.project import Project
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_endpoint, resolve_secret
from pipeline.manifest.target import Target, load_target
from pipeline.reaching import is_embedded
from pipeline.signing.opening import signer_address, signer_notes
from pipeline.state.local import ProjectState

__all__ = ["look_at_target"]

_TIMEOUT_S = 10.0


def look_at_target(project: Project, name: str) -> Section:
    """Everything about the target called ``name``. Asks its endpoints; opens no key and starts no chain."""
    try:
        target = load_target(project, name)
    except ShipError as error:
        return Section("target", name, name, (refused(error, f"manifests/{name}.toml"),))
    facts = target.chain
    title = f"{name}: {facts.title}" + (f" (chain {facts.chain_id})" if facts.chain_id else "")
    if facts.kind == "solana":
        from pipeline.doctor.cluster import look_at_cluster  # start-up: Solana targets alone

        return Section("target", name, title, tuple(look_at_cluster(project, target)))
    return Section("target", name, title, tuple(_Look(project, target).findings()))


def refused(error: ShipError, item: str) -> Finding:
    """A finding that says what ``error`` says."""
    problems = getattr(error, "problems", (error,))
    more = f" (and {len(problems) - 1} more: `ship check`)" if len(problems) > 1 else ""
    place = f"{error.where}: " if error.where else ""
    return Finding(item, "wrong", f"{place}{error.cause}{more}", error.remedy, {"code": error.code})


class _Look:
    def __init__(self, project: Project, target: Target) -> None:
        self.project = project
        self.target = target
        self.endpoints: list[Endpoint] = []
        """Those that serve the right chain, in the target's order."""
        self.idle = False
        """The embedded chain, not running now."""

    def findings(self) -> Iterator[Finding]:
        yield from self.rpc()
        try:
            address = signer_address(self.target, self.project.root)
        except ShipError as error:
            yield self._no_signer(error)
            return
        yield from self.signer(address)
        yield from self.balance(address)

    # -- endpoints -----------------------------------------------------------------------------------------------

    def rpc(self) -> list[Finding]:
        if is_embedded(self.target):
            folder = ProjectState(self.project.root).target(self.target.name).localnet
            net = running(folder, self.target.chain.chain_id or 0)
            if net is None:
                self.idle = True
                return [
                    Finding("rpc", "ok", "embedded: starts when needed, stops afterwards", facts={"running": False})
                ]
            return self._probed([Endpoint(net.url, timeout_s=_TIMEOUT_S)], [])
        written = list(self.target.spec.rpc.endpoints)
        if not written and self.target.chain.rpc_url:
            written = [self.target.chain.rpc_url]
        if not written:
            return [Finding("rpc", "missing", "no endpoint", 'Add `endpoints = ["env:RPC_URL"]` under [rpc].')]
        endpoints, findings = [], []
        for position, text in enumerate(written):
            try:
                endpoints.append(self._endpoint(text, position))
            except ShipError as error:
                facts = {"endpoint": text, "code": error.code} if "://" not in text else {"code": error.code}
                findings.append(Finding("rpc", "missing", error.cause, error.remedy, facts))
        return self._probed(endpoints, findings)

    def _endpoint(self, text: str, position: int) -> Endpoint:
        url = resolve_endpoint(
            text,
            self.project.root,
            allow_hosts=self.target.spec.network.allow_hosts,
            where=self.target.layers.where(("rpc", "endpoints", position)),
        )
        return Endpoint(url, timeout_s=min(_TIMEOUT_S, float(self.target.spec.rpc.timeout_s)))

    def _probed(self, endpoints: list[Endpoint], findings: list[Finding]) -> list[Finding]:
        """Ask all at once. While one of them is right, another that does not answer is only a warning."""
        finality, chain = self.target.finality, self.target.chain
        tag = finality if isinstance(finality, str) else None
        expected = Expected(chain.chain_id or 0, chain.genesis, tag, chain.local)
        if endpoints:
            with ThreadPoolExecutor(max_workers=len(endpoints)) as pool:
                for endpoint, found in zip(endpoints, pool.map(lambda e: probe(e, expected), endpoints), strict=True):
                    findings += found
                    if all(f.state in {"ok", "warn"} for f in found):
                        self.endpoints.append(endpoint)
        if self.endpoints:
            findings = [
                Finding(f.item, "warn", f.found, f.remedy, f.facts) if f.state == "missing" else f for f in findings
            ]
            if len(self.endpoints) == 1 and not chain.local:
                remedy = "Add a second one, of another provider, under [rpc] endpoints."
                findings.append(Finding("rpc", "warn", "one endpoint only: no second opinion on what it says", remedy))
        return findings

    # -- signer --------------------------------------------------------------------------------------------------

    def _no_signer(self, error: ShipError) -> Finding:
        state = refused(error, "signer")
        return Finding("signer", "missing", state.found, state.remedy, state.facts)

    def signer(self, address: str) -> Iterator[Finding]:
        spec = self.target.spec.signer
        assert spec is not None
        pinned = bool(spec.address)
        facts = {"backend": spec.backend, "address": address, "pinned": pinned}
        if pinned or spec.backend == "development":
            yield Finding("signer", "ok", f"{address}  {spec.backend}", facts=facts)
        else:
            yield Finding(
                "signer",
                "warn",
                f"{address}  {spec.backend}, not pinned",
                f'Add `address = "{address}"` under [signer]: another key is then refused.',
                facts,
            )
        yield from self._kept()
        yield from self._keystore()
        for key in ("password", "pin", "token", "role-id", "secret-id"):
            text = getattr(spec, key.replace("-", "_"))
            if text is None:
                continue
            try:
                resolve_secret(
                    SecretRef(text, self.target.layers.where(("signer", key))), default_stores(self.project.root)
                )
            except ShipError as error:
                yield Finding(key, "missing", error.cause, error.remedy, {"reference": text})

    def _kept(self) -> Iterator[Finding]:
        """Where the key is kept, in the backend's words."""
        for note in signer_notes(self.target, self.project.root):
            yield Finding("signer", "ok", note)

    def _keystore(self) -> Iterator[Finding]:
        spec = self.target.spec.signer
        if spec is None or spec.backend != "keystore" or spec.file is None or spec.file.startswith("env:"):
            return
        path = Path(spec.file).expanduser()
        path = path if path.is_absolute() else self.project.root / path
        if path.is_file() and path.stat().st_mode & 0o077:
            yield Finding("keystore", "warn", f"others may read {spec.file}", f"chmod 600 {path}", {"file": spec.file})

    # -- balance -------------------------------------------------------------------------------------------------

    def balance(self, address: str) -> Iterator[Finding]:
        currency = self.target.chain.currency
        if self.idle:
            return
        answer = self._balance_wei(address)
        if answer is None:
            yield Finding("balance", "warn", "not known: no endpoint to ask", "See the endpoints above.")
            return
        facts: dict[str, Any] = {"wei": str(answer), "currency": currency}
        if answer == 0 and self.target.chain.local:
            yield Finding("balance", "warn", f"0 {currency}", f"Fund it: cast rpc anvil_setBalance {address} …", facts)
        elif answer == 0:
            remedy = f"Send {currency} to {address} on {self.target.chain.title}. `ship plan` says how much it takes."
            yield Finding("balance", "missing", f"0 {currency}", remedy, facts)
        else:
            yield Finding("balance", "ok", ether(answer, currency), facts=facts)

    def _balance_wei(self, address: str) -> int | None:
        for endpoint in self.endpoints:
            try:
                return quantity(endpoint.batch([("eth_getBalance", [address, "latest"])])[0])
            except (RpcUnknown, ValueError):
                continue
        return None
