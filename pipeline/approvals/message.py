"""What an approver signs: EIP-712 typed data that names one plan, where it may be used, and until when.

A plan for Solana names its deployer in base58, as text; there is no chain id, the domain's is 0, and the genesis hash tells clusters
apart.

Source: EIP-712. The domain holds the chain id, so that a wallet can show for which chain it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.evm.hashing import checksum, keccak256
from pipeline.plan import Envelope

__all__ = ["ApprovalMessage"]

_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId)"
_MEMBERS = (
    ("plan", "bytes32"), ("target", "string"), ("genesis", "bytes32"), ("version", "string"), ("bundle", "bytes32"),
    ("deployer", "address"), ("expires", "uint256"),
)  # fmt: skip
_NAME, _VERSION = "ship", "1"


@dataclass(frozen=True)
class ApprovalMessage:
    """``plan``, ``genesis`` and ``bundle`` are 0x hex of 32 bytes; ``expires`` is in seconds since 1970."""

    plan: str
    target: str
    chain_id: int
    genesis: str
    version: str
    bundle: str
    deployer: str
    expires: int

    @classmethod
    def of(cls, plan: Envelope, expires: int) -> ApprovalMessage:
        chain = plan.body.chain
        return cls(
            plan="0x" + plan.digest,
            target=plan.target,
            chain_id=int(chain["id"] or 0),
            genesis=str(chain["genesis_hash"]) if plan.family == "evm" else _hex_of(chain["genesis_hash"]),
            version=plan.version,
            bundle="0x" + plan.bundle,
            deployer=checksum(plan.body.deployer) if plan.family == "evm" else plan.body.deployer,
            expires=expires,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "target": self.target,
            "chainId": self.chain_id,
            "genesis": self.genesis,
            "version": self.version,
            "bundle": self.bundle,
            "deployer": self.deployer,
            "expires": self.expires,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ApprovalMessage:
        """Raises ``ValueError`` unless these are the members, each of its type."""
        texts = ("plan", "target", "genesis", "version", "bundle", "deployer")
        whole = ("chainId", "expires")
        if set(data) != {*texts, *whole}:
            raise ValueError("other members than an approval has")
        if not all(isinstance(data[t], str) for t in texts) or not all(type(data[n]) is int for n in whole):
            raise ValueError("a member of the wrong type")
        return cls(
            data["plan"], data["target"], data["chainId"], data["genesis"], data["version"], data["bundle"],
            data["deployer"], data["expires"],
        )  # fmt: skip

    @property
    def members(self) -> tuple[tuple[str, str], ...]:
        """The type's members: a deployer that is no EVM address is text."""
        text = not self.deployer.startswith("0x")
        return tuple((name, "string" if text and name == "deployer" else kind) for name, kind in _MEMBERS)

    def typed_data(self) -> dict[str, Any]:
        """The form of ``eth_signTypedData_v4``, for wallets and for checking with other tools."""
        message = self.to_json()
        del message["chainId"]
        return {
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                ],
                "ShipApproval": [{"name": name, "type": kind} for name, kind in self.members],
            },
            "primaryType": "ShipApproval",
            "domain": {"name": _NAME, "version": _VERSION, "chainId": self.chain_id},
            "message": message,
        }

    def digest(self) -> bytes:
        """keccak256(0x1901 ‖ domain separator ‖ struct hash)."""
        domain = _words(_DOMAIN, _NAME.encode(), _VERSION.encode(), self.chain_id)
        kind = f"ShipApproval({','.join(f'{kind} {name}' for name, kind in self.members)})"
        deployer = int(self.deployer, 16) if self.deployer.startswith("0x") else self.deployer.encode()
        struct = _words(
            kind, _word(self.plan), self.target.encode(), _word(self.genesis), self.version.encode(),
            _word(self.bundle), deployer, self.expires,
        )  # fmt: skip
        return keccak256(b"\x19\x01" + domain + struct)


def _hex_of(base58: str) -> str:
    from solders.hash import Hash

    return "0x" + bytes(Hash.from_string(base58)).hex()


@dataclass(frozen=True)
class _Word:
    raw: bytes


def _word(text: str) -> _Word:
    raw = bytes.fromhex(text.removeprefix("0x"))
    if len(raw) != 32:
        raise ValueError("not 32 bytes")
    return _Word(raw)


def _words(kind: str, *members: bytes | int | _Word) -> bytes:
    """``hashStruct``: text by its hash, 32 bytes as they are, integers as words."""
    words = [keccak256(kind.encode())]
    for member in members:
        if isinstance(member, _Word):
            words.append(member.raw)
        else:
            words.append(member.to_bytes(32, "big") if isinstance(member, int) else keccak256(member))
    return keccak256(b"".join(words))
