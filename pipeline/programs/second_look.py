"""A plan's instructions read from their bytes a second time: they must say what the plan shows, or nobody may approve it."""

from __future__ import annotations

from hashlib import sha256

from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from chains.errors import Refused
from chains.solana.borsh import Reader
from chains.solana.errands import errand_instruction
from chains.solana.layouts import elf_sha256
from chains.solana.reading import read_message
from chains.solana.release import SolanaAction
from chains.solana.transactions import compile_message
from pipeline.approvals.second_look import RenderersDisagree
from pipeline.bundle import Bundle
from pipeline.programs.allowed import why_not
from pipeline.programs.plan import ProgramPlan
from pipeline.programs.session import idls_of

__all__ = ["second_look"]


def second_look(plan: ProgramPlan, bundle: Bundle) -> list[str]:
    """What the bytes say, as lines. Raises ``RenderersDisagree`` naming action and field."""
    lines = []
    for action in plan.body.actions:
        if action.kind == "call":
            lines.append(_call(action, bundle))
        elif action.kind in {"deploy", "upgrade"} and plan.rollback is None:
            lines.append(_bytes(action, bundle))
        elif action.kind in {"authority", "finalize", "close"}:
            lines.append(_errand(plan, action))
    return lines


def _errand(plan: ProgramPlan, action: SolanaAction) -> str:
    """The message that will be signed, but for its blockhash, through the guard's own reader."""
    message = compile_message(Pubkey.from_string(plan.body.payer), [errand_instruction(action, plan.body)], "1" * 32)
    said = read_message(to_bytes_versioned(message))
    why = why_not(said, plan.body, plan.digest, action, action.kind, lambda _: b"")
    if why is not None:
        raise _disagree(action.id, why)
    (one,) = said.instructions
    return f"  {action.id}: {one.name} {', '.join(f'{key} {value}' for key, value in one.fields.items())}"


def _bytes(action: SolanaAction, bundle: Bundle) -> str:
    elf = bundle.program(action.unit, "so") or b""
    shown = {"length": len(elf), "sha256": elf_sha256(elf), "file_sha256": sha256(elf).hexdigest()}
    for field, found in shown.items():
        if action.details[field] != found:
            raise _disagree(action.id, f"`{field}` is not that of the bundle's program")
    return f"  {action.id}: {len(elf):,} bytes of the bundle, sha256 {shown['file_sha256']}"


def _call(action: SolanaAction, bundle: Bundle) -> str:
    details = action.details
    idl = idls_of(bundle).get(details["program_name"])
    data = bytes.fromhex(details["instruction"]["data"])
    if idl is None or (name := idl.named(data)) is None:
        raise _disagree(action.id, "the bundle's IDL does not know the instruction")
    if name != idl.spelled(details["name"]):
        raise _disagree(action.id, f"its bytes are the instruction {name}")
    reader = Reader(data[8:], idl.types)
    read = []
    shown = {idl.spelled(key): value for key, value in details["args"].items()}
    for argument in idl.arguments(name):
        try:
            found = str(reader.read(argument["type"]))
        except Refused as error:
            raise _disagree(action.id, f"its arguments cannot be read ({error.cause})") from error
        read.append(f"{argument['name']}={found}")
        if shown.pop(idl.spelled(argument["name"]), None) != found:
            raise _disagree(action.id, f"`{argument['name']}` is {found} in its bytes")
    if shown or reader.at != len(reader.data):
        raise _disagree(action.id, "its bytes hold other arguments")
    return f"  {action.id}: {name}({', '.join(read)}) of {details['instruction']['program']}"


def _disagree(what: str, why: str) -> RenderersDisagree:
    return RenderersDisagree(
        f"{what}: {why}",
        remedy="Do not approve this plan. Have a new one made from the sources; if this comes again, report it.",
    )
