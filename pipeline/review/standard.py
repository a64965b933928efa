"""Functions of contracts a bundle need not hold: CreateX, proxies, Safes, timelocks; with the names their sources give.

Sources: CreateX v1.0.0, OpenZeppelin Contracts 5, safe-smart-account 1.4.1.
"""

from __future__ import annotations

__all__ = ["STANDARD"]

STANDARD: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("deployCreate2", (("salt", "bytes32"), ("initCode", "bytes"))),
    ("deployCreate3", (("salt", "bytes32"), ("initCode", "bytes"))),
    ("upgradeAndCall", (("proxy", "address"), ("implementation", "address"), ("data", "bytes"))),
    ("upgradeToAndCall", (("newImplementation", "address"), ("data", "bytes"))),
    ("upgradeTo", (("newImplementation", "address"),)),
    ("multiSend", (("transactions", "bytes"),)),
    ("approveHash", (("hashToApprove", "bytes32"),)),
    (
        "execTransaction",
        (("to", "address"), ("value", "uint256"), ("data", "bytes"), ("operation", "uint8"), ("safeTxGas", "uint256"),
         ("baseGas", "uint256"), ("gasPrice", "uint256"), ("gasToken", "address"), ("refundReceiver", "address"),
         ("signatures", "bytes")),
    ),
    (
        "schedule",
        (("target", "address"), ("value", "uint256"), ("data", "bytes"), ("predecessor", "bytes32"), ("salt", "bytes32"),
         ("delay", "uint256")),
    ),
    (
        "execute",
        (("target", "address"), ("value", "uint256"), ("payload", "bytes"), ("predecessor", "bytes32"), ("salt", "bytes32")),
    ),
)  # fmt: skip
