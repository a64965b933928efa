"""Runtime code read instruction by instruction, as far as an explanation of a mismatch needs it."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["evm_floor", "instructions"]

# When an instruction came to the EVM (EIP-1153, 1344, 145, 1884, 3198, 3855, 4399, 4844, 5656, 7516, 7939): code that uses
# it was built for that version or a later one. PREVRANDAO (4399) is DIFFICULTY's number and tells nothing.
_SINCE = {
    0x1B: "constantinople",
    0x1C: "constantinople",
    0x1D: "constantinople",
    0x3F: "constantinople",
    0x46: "istanbul",
    0x47: "istanbul",
    0x48: "london",
    0x5F: "shanghai",
    0x49: "cancun",
    0x4A: "cancun",
    0x5C: "cancun",
    0x5D: "cancun",
    0x5E: "cancun",
    0x1E: "osaka",
}
_ORDER = ("byzantium", "constantinople", "istanbul", "london", "shanghai", "cancun", "osaka")


def instructions(code: bytes) -> Iterator[int]:
    """Every opcode, the data of PUSH instructions skipped."""
    at = 0
    while at < len(code):
        opcode = code[at]
        yield opcode
        at += 1 + (opcode - 0x5F if 0x60 <= opcode <= 0x7F else 0)


def evm_floor(code: bytes) -> str:
    """The oldest EVM version that has every instruction of ``code`` up to the first one no version knows.

    Data that lies behind the instructions reads as instructions too, so it is a guess: ``INVALID``, which solc writes
    between code and data, ends it.
    """
    newest = 0
    for opcode in instructions(code):
        if opcode == 0xFE:
            break
        if opcode in _SINCE:
            newest = max(newest, _ORDER.index(_SINCE[opcode]))
    return _ORDER[newest]
