"""Contracts small enough to assemble by hand, and plans made of them, for tests that need no compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from chains.canonical import digest
from chains.evm.actions import Action, EvmPlan
from chains.evm.address import CREATE2_FACTORY, create2_address, create_address
from chains.evm.artifacts import Artifact

COUNTER = bytes.fromhex("5f54600101 5f5500".replace(" ", ""))
"""Runtime code: every call adds one to slot 0 (SLOAD 0, ADD 1, SSTORE 0, STOP)."""
REVERTER = bytes.fromhex("5f5ffd")
"""Runtime code: every call reverts without a reason."""
SENTRY = bytes.fromhex("5f54600a57 600160005500 5b5f5ffd".replace(" ", ""))
"""Runtime code: the first call sets slot 0, later ones revert."""


def tagged(runtime: bytes, tag: int) -> bytes:
    """``runtime`` with two bytes behind it, so that each contract has code of its own."""
    return runtime + b"\xfe" + tag.to_bytes(2, "big")


def init_code(runtime: bytes) -> bytes:
    """PUSH1 size, DUP1, PUSH1 offset, PUSH0, CODECOPY, PUSH0, RETURN."""
    assert len(runtime) < 256
    return bytes([0x60, len(runtime), 0x80, 0x60, 9, 0x5F, 0x39, 0x5F, 0xF3]) + runtime


def artifact(
    name: str, runtime: bytes, abi: Sequence[Mapping[str, Any]] = (), creation: bytes | None = None
) -> Artifact:
    return Artifact(
        source=f"src/{name}.sol:{name}",
        kind="contract",
        abi=tuple(abi),
        creation_code=init_code(runtime) if creation is None else creation,
        runtime_code=runtime,
        creation_links={},
        runtime_links={},
        immutables={},
        storage_layout=None,
        compiler="0.8.37+commit.f401782d",
        settings={},
        input_sha256="0" * 64,
    )


class Workshop:
    """Collects actions for one deployer from a first nonce on; ``plan`` makes the EVM plan."""

    def __init__(self, deployer: str, nonce: int) -> None:
        self.deployer = deployer
        self.first = nonce
        self.actions: list[Action] = []
        self.artifacts: dict[str, Artifact] = {}

    @property
    def nonce(self) -> int:
        return self.first + len(self.actions)

    def create(self, name: str, runtime: bytes, salt: bytes | None = None) -> str:
        made = artifact(name, runtime)
        self.artifacts[made.source] = made
        code = made.creation_code
        address = create2_address(CREATE2_FACTORY, salt, code) if salt else create_address(self.deployer, self.nonce)
        self.actions.append(
            Action(
                id=name,
                unit=name,
                kind="create2" if salt else "create",
                title=f"deploy {name}",
                nonce=self.nonce,
                to=CREATE2_FACTORY if salt else None,
                value_wei=0,
                data=salt + code if salt else code,
                gas_limit=200_000,
                gas_estimate=100_000,
                address=address,
                source=made.source,
                effect={"address": address},
                needs_code=(CREATE2_FACTORY,) if salt else (),
            )
        )
        return address

    def call(self, name: str, to: str, data: bytes = b"", **fields: Any) -> None:
        action = Action(
            id=name,
            unit=name,
            kind="call",
            title=f"call {name}",
            nonce=self.nonce,
            to=to,
            value_wei=0,
            data=data,
            gas_limit=100_000,
            gas_estimate=50_000,
            needs_code=(to,),
        )
        self.actions.append(replace(action, **fields))

    def source(self, name: str) -> Artifact:
        return self.artifacts[name]

    def plan(self, chain_id: int, genesis_hash: str, block_number: int) -> tuple[EvmPlan, str]:
        plan = EvmPlan(
            chain={"name": "test", "id": chain_id, "genesis_hash": genesis_hash},
            deployer=self.deployer,
            actions=tuple(self.actions),
            units=(),
            checks=(),
            limits={},
            estimate={},
            observed={"block_number": block_number, "nonce": self.first},
        )
        return plan, digest(plan.to_json())
