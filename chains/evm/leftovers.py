"""What an action leaves behind, as far as that can be proven by running it once more under state overrides.

``leaves_code_alone``: the init code is laid at the new contract's address as if it were code and run by STATICCALL from
its maker. In a static call every write, event, creation and destruction fails (EIP-214), so that a run which succeeds
and returns the same code shows that nothing but this code comes to be; that none of it was caught on the way shows the gas,
of which a failure in a static call leaves nothing. The one difference a constructor could see, that its own address
already has code, is ruled out by refusing code that asks for it.

``stays_at_home``: code without an opcode that reaches other accounts can write only where it runs. Only what lies on an
instruction boundary, counted from the start, can ever be executed (yellow paper, 9.4.3), so that the scan misses nothing;
data among the code can only make it refuse more.
"""

from __future__ import annotations

from chains.evm.actions import Action
from chains.evm.measuring import Overrides
from chains.evm.node import data_or_nothing
from chains.evm.verify.bytecode import init_code
from chains.rpc import Rpc, RpcFault

__all__ = ["code_after", "leaves_code_alone", "opcodes", "stays_at_home"]

_REACHING = {0xF0, 0xF1, 0xF2, 0xF4, 0xF5, 0xFF}  # CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, SELFDESTRUCT
_ASKS_FOR_CODE = {0x3B, 0x3C, 0x3F}  # EXTCODESIZE, EXTCODECOPY, EXTCODEHASH
_DELEGATION = bytes.fromhex("ef0100")  # EIP-7702

_STATIC_CALLER = "0x5a600060006000600060003560601c5afa5a8203600052601f5760006000fd5b3d600060203e3d6020016000f3"
"""STATICCALLs the address in the first 20 bytes of its input; returns the gas used and what came back, or reverts."""
_CODE_AFTER = (
    "0x60283603806028600037600060008260003460143560601c5af16027573d600060003e3d6000fd"
    "5b60003560601c803b8060006000843c6000f3"
)
"""Input: an address, a recipient, calldata. Calls the recipient, then returns the code at the address; reverts as it does."""


def opcodes(code: bytes) -> set[int]:
    """Every opcode that can be executed in ``code``, and perhaps some that are data."""
    found, at = set(), 0
    while at < len(code):
        opcode = code[at]
        found.add(opcode)
        at += opcode - 0x5E if 0x60 <= opcode <= 0x7F else 1  # PUSH1 to PUSH32 hold their operand behind them
    return found


def stays_at_home(code: bytes) -> bool:
    """Whether running ``code`` changes nothing but the account it runs in."""
    return bool(code) and not code.startswith(_DELEGATION) and not opcodes(code) & _REACHING


def leaves_code_alone(
    rpc: Rpc, block: str, action: Action, sender: str, made: bytes, taken: int, overrides: Overrides
) -> bool:
    """Whether the creation ``action``, which makes the code ``made`` with ``taken`` gas, leaves nothing else behind."""
    if action.address is None or not made or opcodes(init_code(action)) & _ASKS_FOR_CODE:
        return False
    maker, home = (action.made_by or action.to or sender).lower(), action.address.lower()
    laid = {**overrides, maker: {"code": _STATIC_CALLER}, home: {"code": "0x" + init_code(action).hex()}}
    call = {"from": maker, "to": maker, "input": home}
    answer = rpc.read_all([("eth_call", [call, block, laid])])[0]
    found = b"" if isinstance(answer, RpcFault) else data_or_nothing(answer)
    return found[32:] == made and int.from_bytes(found[:32], "big") <= taken


def code_after(rpc: Rpc, block: str, action: Action, sender: str, overrides: Overrides) -> bytes:
    """The code a factory called by ``action`` leaves at its address; nothing where it does not."""
    laid = {**overrides, sender.lower(): {**overrides.get(sender.lower(), {}), "code": _CODE_AFTER}}
    given = str(action.address)[2:] + str(action.to)[2:] + action.data.hex()
    call = {"from": sender, "to": sender, "value": hex(action.value_wei), "input": "0x" + given}
    answer = rpc.read_all([("eth_call", [call, block, laid])])[0]
    return b"" if isinstance(answer, RpcFault) else data_or_nothing(answer)
