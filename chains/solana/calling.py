"""One instruction, sent once: signed, on disk, sent; the same bytes until it is final, and new ones only when two providers prove that
the old can never land. What an instruction did cannot be read from an account in general, so that the signature alone decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from solders.instruction import Instruction

from chains.solana.sending import Sending
from chains.solana.settings import NotFinal, StepFailed
from chains.solana.transactions import Signed

__all__ = ["call_once"]

STEP = "call"


def call_once(sending: Sending, made: Instruction, keys: Sequence[str]) -> None:
    """Until ``made`` is final. ``keys`` are the accounts it writes, for its price.

    Raises ``SimulationFailed`` before anything is signed, ``StepFailed`` when it landed and failed, ``NotFinal``.
    """
    clock, settings = sending.clock, sending.settings
    if sending.state.final is None and sending.state.planned is None:
        sending.write("sol.planned", {"step": STEP})
    until_s = clock.monotonic_s() + settings.wait_s
    while sending.state.final is None:
        attempt = sending.state.open_attempt(STEP)
        moved = _watch(sending, attempt) if attempt else False
        if sending.state.final is not None:
            return
        if not moved and sending.drive(STEP, keys, lambda: [[made]], _always, once=True):
            moved = True
        if moved:
            until_s = clock.monotonic_s() + settings.wait_s
        elif clock.monotonic_s() > until_s:
            raise NotFinal(
                f"{sending.unit} is not final after {settings.wait_s:g} s ({sending.hint or 'no word'})",
                remedy="Run the same command again: it goes on with the same bytes.",
            )
        clock.sleep_s(settings.poll_s)


def _always(_accounts: Any) -> bool:
    return True


def _watch(sending: Sending, attempt: Signed) -> bool:
    """Write down what became of the signature, asked of every provider with its whole history; whether anything changed."""
    words = [found for _, _, _, (found, *_) in sending.cluster.each([sending.payer], [attempt.signature])]
    known = [word for word in words if word is not None]
    if len(known) < len(words) or len(known) < (1 if sending.cluster.rpc.alone else 2):
        return False
    if any(word.commitment != "finalized" for word in known):
        confirmed = STEP in sending.state.confirmed
        if confirmed or any(word.error is not None or word.commitment == "processed" for word in known):
            return False
        sending.write("sol.confirmed", {"step": STEP, "signature": attempt.signature, "slot": known[0].slot})
        return True
    errors = [word.error for word in known if word.error is not None]
    if errors:
        sending.write("sol.failed", {"step": STEP, "signature": attempt.signature, "error": str(errors[0])})
        raise StepFailed(
            f"{sending.unit} landed and failed: {errors[0]} (signature {attempt.signature})",
            remedy="Correct the cause, then `ship deploy --replan` plans the rest from what is on chain.",
        )
    sending.write("sol.final", {"step": STEP, "slot": known[0].slot, "signature": attempt.signature})
    return True
