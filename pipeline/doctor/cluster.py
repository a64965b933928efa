"""A Solana target: its endpoints, the embedded cluster's node, who signs and pays, and the programs' files."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from chains.errors import Refused, ShipError, printable
from chains.jsontext import read_json
from chains.rpc import Endpoint, RpcFault, RpcUnknown
from chains.solana.layouts import elf_sha256
from chains.solana.localnet import running
from chains.solana.node_environment import found_python
from chains.solana.workspace import agreed_id, read_program
from pipeline.doctor.findings import Finding
from pipeline.manifest.program_units import program_paths
from pipeline.manifest.project import Project
from pipeline.manifest.secrets import SecretRef, default_stores, resolve_endpoint, resolve_secret
from pipeline.manifest.target import Target
from pipeline.programs.keys import deployer_and_payer
from pipeline.programs.text import sol
from pipeline.reaching import is_embedded
from pipeline.signing.opening import signer_notes, signer_public_key
from pipeline.state.local import ProjectState

__all__ = ["look_at_cluster"]

_TIMEOUT_S = 10.0
_VALIDATORS = ("solana-test-validator", "surfpool")


def look_at_cluster(project: Project, target: Target) -> Iterator[Finding]:
    """Asks the endpoints; opens no key and starts no node."""
    return _Look(project, target).findings()


def _of_error(item: str, error: ShipError) -> Finding:
    place = f"{error.where}: " if error.where else ""
    return Finding(item, "missing", f"{place}{error.cause}", error.remedy, {"code": error.code})


class _Look:
    def __init__(self, project: Project, target: Target) -> None:
        self.project, self.target = project, target
        self.endpoints: list[Endpoint] = []
        """Those that serve the right cluster, in the target's order."""
        self.idle = False

    def findings(self) -> Iterator[Finding]:
        if is_embedded(self.target):
            yield from self._embedded()
        else:
            yield from self._probed(*self._resolved())
        yield from self._signers()
        yield from self._programs()

    # -- endpoints -----------------------------------------------------------------------------------------------

    def _embedded(self) -> Iterator[Finding]:
        on_path = next((name for name in _VALIDATORS if shutil.which(name)), None)
        python = found_python(self.project.root)
        if on_path is not None:
            yield Finding("node", "ok", f"{on_path}, from PATH", facts={"node": on_path})
        elif python is not None:
            yield Finding("node", "ok", f"ship's own, on LiteSVM  {python}", facts={"node": "own", "path": str(python)})
        else:
            found = (
                "ship's own, on LiteSVM: its environment is made when it is first needed, from the Python package index"
            )
            yield Finding("node", "ok", found, facts={"node": "own"})
        net = running(ProjectState(self.project.root).target(self.target.name).localnet)
        if net is None:
            self.idle = True
            yield Finding("rpc", "ok", "embedded: starts when needed, stops afterwards", facts={"running": False})
            return
        yield from self._probed([Endpoint(net.url, timeout_s=_TIMEOUT_S)], [])

    def _resolved(self) -> tuple[list[Endpoint], list[Finding]]:
        written = list(self.target.spec.rpc.endpoints)
        if not written and self.target.chain.rpc_url:
            written = [self.target.chain.rpc_url]
        endpoints, findings = [], []
        for position, text in enumerate(written):
            where = self.target.layers.where(("rpc", "endpoints", position))
            try:
                url = resolve_endpoint(
                    text, self.project.root, allow_hosts=self.target.spec.network.allow_hosts, where=where
                )
            except ShipError as error:
                findings.append(Finding("rpc", "missing", error.cause, error.remedy, {"code": error.code}))
                continue
            endpoints.append(Endpoint(url, timeout_s=min(_TIMEOUT_S, float(self.target.spec.rpc.timeout_s))))
        if not written:
            findings.append(Finding("rpc", "missing", "no endpoint", 'Add `endpoints = ["env:RPC_URL"]` under [rpc].'))
        return endpoints, findings

    def _probed(self, endpoints: list[Endpoint], findings: list[Finding]) -> list[Finding]:
        """Ask all at once. While one of them is right, another that does not answer is only a warning."""
        if endpoints:
            with ThreadPoolExecutor(max_workers=len(endpoints)) as threads:
                for endpoint, found in zip(endpoints, threads.map(self._probe, endpoints), strict=True):
                    findings.append(found)
                    if found.state in {"ok", "warn"}:
                        self.endpoints.append(endpoint)
        if self.endpoints:
            findings = [
                Finding(f.item, "warn", f.found, f.remedy, f.facts) if f.state == "missing" else f for f in findings
            ]
            if len(self.endpoints) == 1 and not self.target.chain.local:
                remedy = "Add a second one, of another provider, under [rpc] endpoints."
                findings.append(Finding("rpc", "warn", "one endpoint only: no second opinion on what it says", remedy))
        return findings

    def _probe(self, endpoint: Endpoint) -> Finding:
        began_s = time.monotonic()
        try:
            genesis, version, epoch, health = endpoint.batch(
                [("getGenesisHash", []), ("getVersion", []), ("getEpochInfo", []), ("getHealth", [])]
            )
        except RpcUnknown as error:
            why = str(error) if endpoint.label in str(error) else f"{endpoint.label}: {error}"
            remedy = "See that the node runs and that the URL, with its key, is right."
            return Finding("rpc", "missing", why, remedy, {"endpoint": endpoint.label})
        latency_ms = round((time.monotonic() - began_s) * 1000)
        if not isinstance(genesis, str) or not isinstance(epoch, dict):
            remedy = "Use the endpoint of a Solana node."
            found = f"{endpoint.label}: it answers, but not as a Solana cluster"
            return Finding("rpc", "missing", found, remedy, {"endpoint": endpoint.label})
        core = printable(str(version.get("solana-core")), 40) if isinstance(version, dict) else "unknown version"
        slot = epoch.get("absoluteSlot")
        facts = {"endpoint": endpoint.label, "genesis": genesis, "latency_ms": latency_ms, "slot": slot, "client": core}
        pinned = self.target.chain.genesis
        if pinned is not None and genesis != pinned:
            found = f"{endpoint.label} serves the cluster with genesis {printable(genesis, 60)}, the target is {pinned}"
            return Finding("rpc", "wrong", found, "Point the target's [rpc] endpoints at its own cluster.", facts)
        if health != "ok":
            why = printable(str(health), 120) if isinstance(health, RpcFault) else "it does not say that it is healthy"
            return Finding("rpc", "warn", f"{endpoint.label} is behind: {why}", "Use an endpoint in step.", facts)
        shown = f"{endpoint.label}  {latency_ms or '<1'} ms  slot {slot:,}  {core}" if isinstance(slot, int) else core
        return Finding("rpc", "ok", shown, facts=facts)

    # -- keys ----------------------------------------------------------------------------------------------------

    def _signers(self) -> Iterator[Finding]:
        payer = "payer" if self.target.spec.payer else "signer"
        for table in ("signer", "payer", "next-authority"):
            spec = getattr(self.target.spec, table.replace("-", "_"))
            if spec is None and table != "signer":
                continue
            try:
                key = self._key(table)
            except ShipError as error:
                yield _of_error(table, error)
                continue
            facts = {"backend": spec.backend, "public_key": key, "pinned": spec.public_key is not None}
            if spec.public_key is not None or spec.backend in {"development", "squads"}:
                yield Finding(table, "ok", f"{key}  {spec.backend}", facts=facts)
            else:
                remedy = f'Add `public-key = "{key}"` under [{table}]: another key is then refused.'
                yield Finding(table, "warn", f"{key}  {spec.backend}, not pinned", remedy, facts)
            yield from self._secrets(table)
            if table == payer:
                yield from self._balance(key)
        if self.target.spec.signer is not None and self.target.spec.signer.backend != "squads":
            yield from (Finding("signer", "ok", note) for note in signer_notes(self.target, self.project.root))

    def _key(self, table: str) -> str:
        """Of a vault its address."""
        if table == "signer":
            return deployer_and_payer(self.target, self.project.root)[0]
        return signer_public_key(self.target, self.project.root, table)

    def _secrets(self, table: str) -> Iterator[Finding]:
        spec = getattr(self.target.spec, table.replace("-", "_"))
        for key in ("password", "pin", "token", "role-id", "secret-id"):
            text = getattr(spec, key.replace("-", "_"))
            if text is None:
                continue
            try:
                where = self.target.layers.where((table, key))
                resolve_secret(SecretRef(text, where), default_stores(self.project.root))
            except Refused as error:
                yield Finding(f"{table} {key}", "missing", error.cause, error.remedy, {"reference": text})

    def _balance(self, key: str) -> Iterator[Finding]:
        if self.idle:
            return
        lamports = self._lamports(key)
        if lamports is None:
            yield Finding("balance", "warn", "not known: no endpoint to ask", "See the endpoints above.")
            return
        facts = {"lamports": str(lamports)}
        if lamports == 0 and not is_embedded(self.target):
            remedy = f"Send SOL to {key} on {self.target.chain.title}. `ship plan` says how much it takes."
            yield Finding("balance", "warn" if self.target.chain.local else "missing", "0 SOL", remedy, facts)
        else:
            yield Finding("balance", "ok", sol(lamports), facts=facts)

    def _lamports(self, key: str) -> int | None:
        for endpoint in self.endpoints:
            try:
                answer = endpoint.batch([("getBalance", [key, {"commitment": "confirmed"}])])[0]
            except RpcUnknown:
                continue
            value = answer.get("value") if isinstance(answer, dict) else None
            if isinstance(value, int):
                return value
        return None

    # -- programs ------------------------------------------------------------------------------------------------

    def _programs(self) -> Iterator[Finding]:
        for name, unit in self.target.units.spec.programs.items():
            try:
                paths = program_paths(self.project, name, unit)
                files = read_program(paths)
                idl = read_json(files["idl.json"]) if "idl.json" in files else None
                program = agreed_id(paths, unit.program_id, self.target.chain.name, idl)
            except ShipError as error:
                yield _of_error(name, error)
                continue
            sha256 = elf_sha256(files["so"])
            with_idl, key = idl is not None, paths.keypair.is_file()
            notes = [f"{len(files['so']):,} bytes", f"sha256 {sha256[:16]}", "with IDL" if with_idl else "without IDL"]
            if not key:
                notes.append("its own keypair is not here, which a first deployment needs")
            facts = {"program": program, "sha256": sha256, "bytes": len(files["so"]), "idl": with_idl, "keypair": key}
            yield Finding(name, "ok", f"{program}  {', '.join(notes)}", facts=facts)
