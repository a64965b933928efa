"""A Solana record held against the cluster by another client (solana-py), which shares no code with the engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from pipeline.records.files import Evidence
from pipeline.records.findings import Finding

__all__ = ["program_chain_findings", "program_signature_findings"]

_PROGRAM_DATA_HEAD = 45


def program_signature_findings(evidence: Evidence) -> Iterator[Finding]:
    """Every transaction the journal holds in raw form: its signatures verify, and the first is its name."""
    from solders.transaction import VersionedTransaction

    assert evidence.record is not None
    rows = [r for r in evidence.seen if r.kind == "sol.signed" and r.data["plan"] == evidence.record["plan"]]
    problems = []
    for row in rows:
        transaction = VersionedTransaction.from_bytes(bytes.fromhex(row.data["raw"]))
        if str(transaction.signatures[0]) != row.data["signature"]:
            problems.append(f"{row.data['unit']} {row.data['step']}: its signature is another")
        elif not all(transaction.verify_with_results()):
            problems.append(f"{row.data['unit']} {row.data['step']}: a signature does not verify")
    if problems:
        yield Finding("signatures", "signer", "failed", "; ".join(problems))
    else:
        count = f"{len(rows)} transaction{'s' if len(rows) != 1 else ''}"
        yield Finding(
            "signatures", "signer", "ok", f"every signature of {count} verifies" if rows else "nothing was signed"
        )


class _Witness:
    def __init__(self, url: str, label: str, timeout_s: float) -> None:
        from solana.rpc.api import Client

        self.label = label
        self.client = Client(url, timeout=timeout_s)

    def close(self) -> None:
        """The client has no way of its own to give its connections back."""
        self.client._provider.session.close()  # noqa: SLF001

    def genesis(self) -> str:
        return str(self.client.get_genesis_hash().value)

    def data(self, address: str) -> bytes | None:
        from solana.rpc.commitment import Finalized
        from solders.pubkey import Pubkey

        found = self.client.get_account_info(Pubkey.from_string(address), commitment=Finalized).value
        return bytes(found.data) if found is not None else None

    def status(self, signature: str) -> tuple[int, bool] | None:
        """Slot, and whether it succeeded."""
        from solders.signature import Signature

        asked = [Signature.from_string(signature)]
        (found,) = self.client.get_signature_statuses(asked, search_transaction_history=True).value
        return (found.slot, found.err is None) if found is not None else None


def program_chain_findings(
    record: Mapping[str, Any], urls: Sequence[tuple[str, str]], timeout_s: float, *, newest: bool
) -> Iterator[Finding]:
    """One contradiction is enough to fail, one confirmation to hold. ``urls`` with their labels."""
    from solana.exceptions import SolanaRpcException
    from solana.rpc.core import RPCException

    for url, label in urls:
        witness = _Witness(url, label, timeout_s)
        try:
            findings = list(_of(witness, record, newest=newest))
        except (SolanaRpcException, RPCException) as error:
            yield Finding("chain", "endpoint", "unanswered", f"{label}: {type(error).__name__}")
            continue
        finally:
            witness.close()
        yield from findings


def _of(witness: _Witness, record: Mapping[str, Any], *, newest: bool) -> Iterator[Finding]:
    genesis, wanted = witness.genesis(), record["chain"]["genesis_hash"]
    yield _finding("genesis", genesis == wanted, genesis)
    if genesis != wanted:
        return  # another cluster: nothing it says would mean anything
    for transaction in record["transactions"]:
        found = witness.status(transaction["signature"])
        what = f"transaction {transaction['action']} {transaction['step']}"
        if found is None:
            yield Finding(
                "chain", what, "note", f"{witness.label} does not keep {transaction['signature'][:16]}… any more"
            )
        else:
            slot = transaction.get("slot", found[0])
            yield _finding(what, found == (slot, True), f"{transaction['signature'][:16]}… in slot {found[0]}")
    if not newest:
        yield Finding("chain", "programs", "note", "not asked: a later release may have changed them")
        return
    for name, unit in record["units"].items():
        if unit["kind"] == "program":
            yield _program(witness, name, unit)


def _program(witness: _Witness, name: str, unit: Mapping[str, Any]) -> Finding:
    data = witness.data(unit["program_data"])
    if data is None:
        return _finding(f"program {name}", False, f"there is nothing at {unit['program_data']}")
    # u32 3, u64 slot, option<authority>; the hash of verified builds leaves out the zeros at the end.
    hash_ = sha256(data[_PROGRAM_DATA_HEAD:].rstrip(b"\0")).hexdigest()
    from solders.pubkey import Pubkey

    authority = str(Pubkey(data[13:45])) if data[12] == 1 else "nobody"
    right = hash_ == unit["sha256"] and authority == unit["authority"]
    return _finding(f"program {name}", right, f"{unit['address']} runs {hash_[:16]}…, authority {authority}")


def _finding(what: str, right: bool, detail: str) -> Finding:
    return Finding("chain", what, "ok" if right else "failed", detail)
