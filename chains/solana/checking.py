"""Reads of accounts by IDL: what must hold after a release, and what makes a call unnecessary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chains.errors import Refused
from chains.solana.idl import Idl
from chains.solana.layouts import Account
from chains.solana.rpc import Cluster
from chains.solana.units import CheckUnit, Unless

__all__ = ["CheckResult", "planned_check", "read_checks", "stands"]


@dataclass(frozen=True)
class CheckResult:
    """``found`` is what the account says, or why nothing can be read of it."""

    name: str
    call: str
    expected: str
    found: str
    passed: bool

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def planned_check(check: CheckUnit, program: str, idl: Mapping[str, Any] | None) -> dict[str, Any]:
    """A check as a plan holds it. Raises ``IdlRefused`` unless the IDL has this field."""
    Idl(idl or {}).field(check.type, check.field)
    return {
        "name": check.name,
        "program": program,
        "program_name": check.program,
        "account": check.account,
        "type": check.type,
        "field": check.field,
        "equals": str(check.equals),
    }


def read_checks(cluster: Cluster, checks: Sequence[Mapping[str, Any]], idls: Mapping[str, Idl]) -> list[CheckResult]:
    """Every check against the final state, all accounts in one request."""
    keys = list(dict.fromkeys(check["account"] for check in checks))
    accounts = cluster.accounts(keys, "finalized") if keys else {}
    results = []
    for check in checks:
        found = _field(
            accounts[check["account"]], check["program"], idls[check["program_name"]], check["type"], check["field"]
        )
        call = f"{check['type']}.{check['field']} of {check['account']}"
        results.append(CheckResult(check["name"], call, check["equals"], found, found == check["equals"]))
    return results


def stands(cluster: Cluster, unless: Unless, idl: Idl) -> str | None:
    """Why the call is unnecessary, ``None`` if it is not."""
    account = cluster.accounts([unless.account], "confirmed")[unless.account]
    if unless.type is None or unless.field is None:
        return f"{unless.account} is there" if account is not None and account.data else None
    found = _field(account, account.owner if account else "", idl, unless.type, unless.field)
    return f"{unless.field} of {unless.account} is {found}" if found == str(unless.equals) else None


def _field(account: Account | None, owner: str, idl: Idl, kind: str, field: str) -> str:
    """As text, so that numbers of any size and addresses compare alike."""
    if account is None:
        return "no account"
    if account.owner != owner:
        return f"an account of {account.owner}"
    try:
        return str(idl.account(kind, account.data).get(field))
    except Refused as error:
        return error.cause
