"""A plan's instructions read from their bytes a second time: they must say what the plan shows, or nobody may approve it."""

from __future__ import annotations

from hashlib import sha256

from chains.errors import Refused
from chains.solana.borsh import Reader
from chains.solana.layouts import elf_sha256
from chains.solana.release import SolanaAction
from pipeline.approvals.second_look import RenderersDisagree
from pipeline.bundle import Bundle
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import idls_of

__all__ = ["second_look"]


def second_look(plan: ProgramPlan, bundle: Bundle) -> None:
    """Raises ``RenderersDisagree`` naming action and field."""
    for action in plan.body.actions:
        if action.kind == "call":
            _call(action, bundle)
        elif action.kind in {"deploy", "upgrade"} and plan.rollback is None:
            _bytes(action, bundle)


def _bytes(action: SolanaAction, bundle: Bundle) -> None:
    elf = bundle.program(action.unit, "so") or b""
    shown = {"length": len(elf), "sha256": elf_sha256(elf), "file_sha256": sha256(elf).hexdigest()}
    for field, found in shown.items():
        if action.details[field] != found:
            raise _disagree(action.id, f"`{field}` is not that of the bundle's program")


def _call(action: SolanaAction, bundle: Bundle) -> None:
    details = action.details
    idl = idls_of(bundle).get(details["program_name"])
    data = bytes.fromhex(details["instruction"]["data"])
    if idl is None or (name := idl.named(data)) is None:
        raise _disagree(action.id, "the bundle's IDL does not know the instruction")
    if name != idl.spelled(details["name"]):
        raise _disagree(action.id, f"its bytes are the instruction {name}")
    reader = Reader(data[8:], idl.types)
    shown = {idl.spelled(key): value for key, value in details["args"].items()}
    for argument in idl.arguments(name):
        try:
            found = str(reader.read(argument["type"]))
        except Refused as error:
            raise _disagree(action.id, f"its arguments cannot be read ({error.cause})") from error
        if shown.pop(idl.spelled(argument["name"]), None) != found:
            raise _disagree(action.id, f"`{argument['name']}` is {found} in its bytes")
    if shown or reader.at != len(reader.data):
        raise _disagree(action.id, "its bytes hold other arguments")


def _disagree(what: str, why: str) -> RenderersDisagree:
    return RenderersDisagree(
        f"{what}: {why}",
        remedy="Do not approve this plan. Have a new one made from the sources; if this comes again, report it.",
    )
