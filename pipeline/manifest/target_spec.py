"""The shape of ``manifests/<target>.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipeline.manifest.fields import (
    Argument,
    Endpoint,
    HexHash,
    Name,
    Schema1,
    SecretReference,
    Spec,
    Url,
    refuse,
)
from pipeline.manifest.policy_spec import PolicySpec
from pipeline.manifest.signer_spec import SignerSpec
from pipeline.manifest.spec import AnyCheck
from pipeline.manifest.verify_spec import VerifySpec

__all__ = [
    "ChainSpec",
    "NetworkSpec",
    "OverridesSpec",
    "RpcSpec",
    "SafeSpec",
    "TargetSpec",
]

Raw = Annotated[Mapping[str, Any], Field(json_schema_extra={"type": "object"})]


class ChainSpec(Spec):
    """``chain``: the name of a known chain, or a table for one of your own."""

    name: Name = Field(description='The chain\'s name. A known one ("base") needs nothing else.')
    id: int | None = Field(default=None, ge=1, le=2**63 - 1, description="The chain id (EIP-155).")
    genesis: HexHash | None = Field(default=None, description="The hash of block 0, checked before anything is signed.")
    currency: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9.]{1,12}$", description="The native currency's symbol."
    )
    block_time_ms: int | None = Field(
        default=None, ge=1, le=3_600_000, description="The usual time between blocks, in ms."
    )
    fee_model: Literal["eip1559", "legacy", "op-stack", "arbitrum", "scroll"] | None = Field(
        default=None, description="How fees are charged."
    )


class RpcSpec(Spec):
    """``[rpc]``: how the chain is reached."""

    endpoints: tuple[Endpoint, ...] = Field(
        default=(), description="URLs or references to them. All must agree where it matters."
    )
    submit: tuple[Endpoint, ...] = Field(default=(), description="Private relays for signed transactions.")
    submit_fallback: bool = Field(
        default=False, description="Whether the public endpoints get a transaction that no relay took."
    )
    timeout_s: int = Field(default=20, ge=1, le=600, description="How long one request may take, in seconds.")


class OverridesSpec(Spec):
    """``[overrides]``: what differs from ship.toml on this target, merged key by key."""

    evm: Raw = Field(default_factory=dict, description="Keys of [evm].")
    solana: Raw = Field(default_factory=dict, description="Keys of [solana].")
    contracts: Mapping[Name, Raw] = Field(default_factory=dict, description="Keys of [contracts.NAME].")
    calls: Mapping[Name, Raw] = Field(default_factory=dict, description="Keys of [calls.NAME].")
    scripts: Mapping[Name, Raw] = Field(default_factory=dict, description="Keys of [scripts.NAME].")
    programs: Mapping[Name, Raw] = Field(default_factory=dict, description="Keys of [programs.NAME].")
    checks: Mapping[Name, Raw] = Field(default_factory=dict, description="Keys of [checks.NAME].")


class SafeSpec(Spec):
    """``[safe]``: where proposals to Safe owners are sent, beside the exported file."""

    service_url: Url | None = Field(default=None, description="A Safe Transaction Service for this chain.")
    api_key: SecretReference | None = Field(default=None, description="The service's API key, as a reference.")


class NetworkSpec(Spec):
    """``[network]``: exceptions to which hosts may be spoken to."""

    allow_hosts: tuple[str, ...] = Field(default=(), description="Link-local or metadata hosts allowed by name.")


def _chain(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class TargetSpec(Spec):
    """``manifests/<target>.toml``, whole, after ``extends`` is merged in."""

    schema_: Schema1 = Field(alias="schema")
    extends: str | None = Field(default=None, description='A built-in manifest to start from, as "builtin:base".')
    chain: Annotated[ChainSpec, BeforeValidator(_chain, json_schema_input_type=str | ChainSpec)] | None = Field(
        default=None, description="The chain: a known name, or a table."
    )
    rpc: RpcSpec = Field(default_factory=RpcSpec, description="How the chain is reached.")
    signer: SignerSpec | None = Field(default=None, description="Who signs.")
    payer: SignerSpec | None = Field(
        default=None,
        description="On Solana: the key that pays fees and rent and writes buffers; the signer itself where left out.",
    )
    next_authority: SignerSpec | None = Field(
        default=None,
        description="On Solana: the key that programs move to with `ship signer rotate`. It signs too, so that no authority is "
        "given to a key that nobody holds.",
    )
    policy: PolicySpec = Field(default_factory=PolicySpec, description="What may be spent, and when it is done.")
    params: Mapping[Name, Argument] = Field(default_factory=dict, description="Values for ${params.NAME}.")
    overrides: OverridesSpec = Field(default_factory=OverridesSpec, description="What differs from ship.toml.")
    verify: VerifySpec = Field(default_factory=VerifySpec, description="Where sources are published.")
    safe: SafeSpec = Field(default_factory=SafeSpec, description="Where proposals to Safe owners are sent.")
    network: NetworkSpec = Field(default_factory=NetworkSpec, description="Hosts allowed by name.")
    checks: Mapping[Name, AnyCheck] = Field(default_factory=dict, description="Reads after deploying, on this target.")

    @model_validator(mode="after")
    def _has_chain(self) -> Self:
        if self.chain is None:
            refuse("MissingKey", "The target names no chain.", 'Add extends = "builtin:base".', key="chain")
        return self
