"""Whether the chain still gives what a payload was made from, asked of every endpoint (design law 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chains.evm.actions import Reading
from chains.rpc import Rpc, RpcUnknown

__all__ = ["Other", "other_answer"]


@dataclass(frozen=True)
class Other:
    """A read whose answer is not the planned one. ``unsure``: no endpoint answers, or one still gives the planned answer."""

    reading: Reading
    found: str
    unsure: bool

    def __str__(self) -> str:
        reading = self.reading
        return (
            f"`{reading.call}` of {reading.to} gave 0x{reading.answer.hex()} when the plan was approved, and gives "
            f"{self.found} now"
        )


def other_answer(rpc: Rpc, sender: str, readings: Sequence[Reading]) -> Other | None:
    """The first of ``readings`` that not every endpoint answers as planned; ``None`` when all do."""
    for reading in readings:
        request = {"from": sender, "to": reading.to, "input": "0x" + reading.data.hex()}
        expected = "0x" + reading.answer.hex()
        answers = [a for a in rpc.ask_each("eth_call", [request, "latest"]) if not isinstance(a, RpcUnknown)]
        if answers and all(answer == expected for answer in answers):
            continue
        found = answers[0] if answers and isinstance(answers[0], str) else "a revert" if answers else "nothing"
        return Other(reading, found, unsure=not answers or any(answer == expected for answer in answers))
    return None
