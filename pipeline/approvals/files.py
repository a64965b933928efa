"""``PLAN.approvals.json``: the approvals of one plan, each with what was signed and the signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.canonical import pretty
from chains.errors import Refused, Where
from chains.files import write_atomic
from chains.jsontext import read_json
from pipeline.approvals.message import ApprovalMessage

__all__ = ["Approval", "ApprovalsInvalid", "approvals_path", "load_approvals", "save_approvals"]

SCHEMA = 1
KIND = "contract-ship/approvals"
_MAX_BYTES = 1024 * 1024
_MAX_APPROVALS = 200


class ApprovalsInvalid(Refused):
    """SHIP-A02: the file is no file of approvals."""

    code = "SHIP-A02"


@dataclass(frozen=True)
class Approval:
    """``approver`` is the name it was given under; who really signed is in ``signature`` (65 bytes, ``r ‖ s ‖ v``)."""

    approver: str
    address: str
    message: ApprovalMessage
    signature: bytes

    def to_json(self) -> dict[str, Any]:
        return {
            "approver": self.approver,
            "address": self.address,
            "message": self.message.to_json(),
            "signature": "0x" + self.signature.hex(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Approval:
        """Raises ``ValueError``, ``KeyError``, ``TypeError`` or ``AttributeError`` on anything else."""
        if set(data) != {"approver", "address", "message", "signature"}:
            raise ValueError("an approval with other members")
        signature = bytes.fromhex(data["signature"].removeprefix("0x"))
        if not (isinstance(data["approver"], str) and isinstance(data["address"], str)):
            raise TypeError("a name or an address that is no text")
        return cls(data["approver"], data["address"], ApprovalMessage.from_json(data["message"]), signature)


def approvals_path(plan: Path) -> Path:
    """Where ``ship approve`` keeps the approvals of the plan in this file, and ``ship deploy --plan`` looks for them."""
    return plan.with_name(f"{plan.name.removesuffix('.json')}.approvals.json")


def load_approvals(path: Path) -> list[Approval]:
    """Read a file of approvals; nothing in it is believed yet. Raises ``ApprovalsInvalid``."""
    try:
        raw = path.read_bytes()
        if len(raw) > _MAX_BYTES:
            raise ValueError("more than 1 MiB")
        data = read_json(raw)
        if data["schema"] != SCHEMA or data["kind"] != KIND or set(data) != {"schema", "kind", "approvals"}:
            raise ValueError("another kind of file, or a newer one")
        if len(data["approvals"]) > _MAX_APPROVALS:
            raise ValueError(f"more than {_MAX_APPROVALS} approvals")
        return [Approval.from_json(entry) for entry in data["approvals"]]
    except OSError as error:
        raise _invalid(path, f"it cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _invalid(path, str(error)) from error


def save_approvals(path: Path, approvals: Sequence[Approval]) -> None:
    write_atomic(path, pretty({"schema": SCHEMA, "kind": KIND, "approvals": [a.to_json() for a in approvals]}))


def _invalid(path: Path, why: str) -> ApprovalsInvalid:
    return ApprovalsInvalid(
        f"not a file of approvals: {why}", where=Where(str(path)), remedy="Make it with `ship approve PLAN`."
    )
