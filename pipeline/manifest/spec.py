"""The shape of ``ship.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from pipeline.manifest.fields import (
    Amount,
    Argument,
    CallSignature,
    Name,
    Names,
    ReadSignature,
    Reason,
    RelativePath,
    Salt,
    Schema1,
    Source,
    Spec,
    refuse,
)
from pipeline.manifest.gates_spec import GatesSpec
from pipeline.manifest.program_spec import ProgramCallSpec, ProgramCheckSpec, ProgramSpec, SolanaSpec, of_program
from pipeline.manifest.promote_spec import PromoteSpec
from pipeline.manifest.release_spec import GithubSpec, ReleaseSpec
from pipeline.manifest.review_spec import ReviewSpec
from pipeline.manifest.state_spec import StateSpec

__all__ = [
    "AnyCall",
    "AnyCheck",
    "CallSpec",
    "CheckSpec",
    "ContractSpec",
    "EvmSpec",
    "FunctionSpec",
    "HandoverSpec",
    "ProgramSpec",
    "ProjectSpec",
    "ProjectTable",
    "RedirectSpec",
    "RollbackSpec",
    "ScriptSpec",
    "SolanaSpec",
    "UnlessSpec",
    "contract_checks",
    "program_checks",
]


class ProjectTable(Spec):
    """``[project]``: what is released."""

    name: Name = Field(description="The project's name.")
    version: str | None = Field(default=None, description='SemVer 2.0, without "v". This or version-from.')
    version_from: RelativePath | None = Field(
        default=None,
        description="A file the version is read from: package.json, Cargo.toml, pyproject.toml, or a text file.",
    )
    version_files: tuple[RelativePath, ...] = Field(
        default=(),
        description="Files that say the same version: package.json, Cargo.toml, Anchor.toml, pyproject.toml, foundry.toml "
        "([package] or [soldeer]), or text files. `ship check` holds them equal, `ship version --write` writes them.",
    )
    changelog: RelativePath | None = Field(default=None, description="The changelog, in Keep a Changelog form.")

    @model_validator(mode="after")
    def _one_version(self) -> Self:
        if self.version is not None and self.version_from is not None:
            refuse("Contradiction", "version and version-from exclude each other.", "Keep one.", key="version-from")
        if self.version is None and self.version_from is None:
            refuse(
                "MissingKey",
                "The project has no version.",
                'Add version = "0.1.0", or version-from = "package.json".',
                key="version",
            )
        return self


class EvmSpec(Spec):
    """``[evm]``: where the Foundry project lies."""

    root: RelativePath = Field(default=".", description="The folder of foundry.toml.")
    profile: Name | None = Field(
        default=None, description="The Foundry profile to build with; Foundry's own default otherwise."
    )


class FunctionSpec(Spec):
    """A function call made together with a deployment or an upgrade."""

    call: CallSignature = Field(description="The signature, without return types.")
    args: tuple[Argument, ...] = Field(default=(), description="The arguments, one for each type.")
    value: Amount = Field(default=0, description="What is sent along, in the native currency.")


class ContractSpec(Spec):
    """``[contracts.NAME]``: a contract to have on chain."""

    source: Source = Field(description='"path:Contract", as the compiler names it.')
    args: tuple[Argument, ...] = Field(default=(), description="The constructor's arguments.")
    value: Amount = Field(default=0, description="What the constructor is sent, in the native currency.")
    proxy: Literal["none", "uups", "transparent", "beacon"] = Field(
        default="none", description="The proxy the contract stands behind."
    )
    initialize: FunctionSpec | None = Field(
        default=None, description="The call that initializes the proxy, in the transaction that deploys it."
    )
    upgrade: FunctionSpec | None = Field(
        default=None, description="The call made through the proxy in the transaction that upgrades it."
    )
    proxy_owner: Argument | None = Field(
        default=None, description="Who may upgrade a transparent or beacon proxy; the deployer otherwise."
    )
    authority: Argument | None = Field(
        None,
        description="The Safe or timelock an upgrade goes through, or the path [timelock, safe]; found by itself where that owns the proxy.",
    )
    create2: Salt | None = Field(
        default=None,
        description="Deploy with CREATE2: the salt as text (its keccak256 is used), or 0x and 64 hex digits.",
    )
    create3: Salt | None = Field(
        default=None,
        description="Deploy through CreateX, at the same address on every chain: the salt as text (bound to the signer), "
        "or 0x and 64 hex digits, taken as they are.",
    )
    sender_guard: bool = Field(
        default=False,
        description="With create2: deploy through CreateX with the salt bound to the signer, so that nobody else can take "
        "the address.",
    )
    libraries: Mapping[str, Argument] = Field(
        default_factory=dict, description='Libraries to link: "path:Library" = address or "${contracts.NAME}".'
    )
    after: Names = Field(default=(), description="Units that must be on chain before this one.")
    replace: bool = Field(
        default=False, description="Deploy anew when code or immutables changed and no proxy can be upgraded."
    )
    unsafe_allow: Mapping[Literal["layout", "initializer", "no-way-back"], Reason] = Field(
        default_factory=dict,
        description="Findings of the upgrade check that are accepted, each with its reason: "
        '{ layout = "the array was never written" }.',
    )


class UnlessSpec(Spec):
    """A read that makes a call unnecessary."""

    call: ReadSignature = Field(description="The signature with its return type.")
    args: tuple[Argument, ...] = Field(default=(), description="The arguments.")
    equals: Argument = Field(description="The answer that makes the call unnecessary.")


class CallSpec(Spec):
    """``[calls.NAME]``: a transaction that changes state."""

    to: Argument = Field(description='The contract called: "${contracts.NAME}" or an address.')
    call: CallSignature = Field(description="The signature, without return types.")
    args: tuple[Argument, ...] = Field(default=(), description="The arguments.")
    value: Amount = Field(default=0, description="What is sent along, in the native currency.")
    unless: UnlessSpec | None = Field(default=None, description="A read that makes the call unnecessary.")
    authority: Argument | None = Field(
        None,
        description="The Safe or timelock the call goes through, or the path [timelock, safe]; none where the deployer has the right.",
    )
    after: Names = Field(default=(), description="Units that must be on chain before this call.")


class ScriptSpec(Spec):
    """``[scripts.NAME]``: a Foundry script whose dry run becomes plan actions."""

    source: Source = Field(description='"path:Script", as the compiler names it.')
    after: Names = Field(default=(), description="Units that must be on chain before this script.")
    rerun: bool = Field(
        default=False, description="Run it again when its code has changed. A script runs once otherwise."
    )


class CheckSpec(Spec):
    """``[checks.NAME]``: a read after deploying; a failed one stops the release."""

    on: Argument = Field(description='The contract read: "${contracts.NAME}" or an address.')
    call: ReadSignature = Field(description="The signature with its return type.")
    args: tuple[Argument, ...] = Field(default=(), description="The arguments.")
    equals: Argument = Field(description="The answer expected.")


AnyCall = Annotated[
    Annotated[CallSpec, Tag("contract")] | Annotated[ProgramCallSpec, Tag("program")], Discriminator(of_program)
]
AnyCheck = Annotated[
    Annotated[CheckSpec, Tag("contract")] | Annotated[ProgramCheckSpec, Tag("program")], Discriminator(of_program)
]


class HandoverSpec(Spec):
    """``[handover]``: who has the deployer's rights when the release is complete."""

    to: Argument = Field(description="The address every right of the deployer moves to.")


class RolloutSpec(Spec):
    """``[rollout]``: the order in which ``ship deploy --all`` goes through the targets."""

    waves: tuple[Names, ...] = Field(
        (), description="Targets released together; the next wave begins when all came through."
    )
    approve_between: bool = Field(default=False, description="Ask before each wave but the first.")


class RedirectSpec(Spec):
    """``[rollback.redirect.NAME]``: a call made by a rollback where a contract cannot change: a registry, a pause, a setting."""

    to: Argument = Field(description='The contract called: "${contracts.NAME}" or an address.')
    call: CallSignature = Field(description="The signature, without return types.")
    args: tuple[Argument, ...] = Field(
        default=(),
        description='The arguments; "${contracts.NAME}" is the contract that is returned to.',
    )
    value: Amount = Field(default=0, description="What is sent along, in the native currency.")
    unless: UnlessSpec | None = Field(default=None, description="A read that makes the call unnecessary.")
    authority: Argument | None = Field(
        None,
        description="The Safe or timelock the call goes through, or the path [timelock, safe]; found by itself where that owns the contract.",
    )
    restores: Name | None = Field(
        default=None, description="The replaced contract whose earlier instance is in use again after the call."
    )


class RollbackSpec(Spec):
    """``[rollback]``: what ``ship rollback`` may do by itself, and what it does where no proxy can be moved back."""

    automatic: bool = Field(default=False, description="Roll a target back by itself when its post-deploy checks fail.")
    redirect: Mapping[Name, RedirectSpec] = Field(
        default_factory=dict, description="Calls that stand in for going back, in their order."
    )


class ProjectSpec(Spec):
    """``ship.toml``, whole."""

    schema_: Schema1 = Field(alias="schema")
    project: ProjectTable = Field(description="What is released.")
    evm: EvmSpec = Field(default_factory=EvmSpec, description="Where the Foundry project lies.")
    solana: SolanaSpec | None = Field(default=None, description="Where the Anchor workspace lies.")
    contracts: Mapping[Name, ContractSpec] = Field(default_factory=dict, description="Contracts to have on chain.")
    all_calls: Mapping[Name, AnyCall] = Field(
        default_factory=dict, alias="calls", description="Transactions that change state."
    )
    scripts: Mapping[Name, ScriptSpec] = Field(default_factory=dict, description="Foundry scripts to run.")
    programs: Mapping[Name, ProgramSpec] = Field(default_factory=dict, description="Anchor programs.")
    handover: HandoverSpec | None = Field(default=None, description="Who has the deployer's rights in the end.")
    gates: GatesSpec = Field(default_factory=GatesSpec, description="What must pass before anything is planned.")
    all_checks: Mapping[Name, AnyCheck] = Field(
        default_factory=dict, alias="checks", description="Reads after deploying."
    )
    rollout: RolloutSpec = Field(default_factory=RolloutSpec, description="The order of targets for deploy --all.")
    rollback: RollbackSpec = Field(default_factory=RollbackSpec, description="How a release is taken back.")
    review: ReviewSpec = Field(default_factory=ReviewSpec, description="What a review pack may leave unexplained.")
    github: GithubSpec = Field(default_factory=GithubSpec, description="Where releases are published, and as whom.")
    promote: PromoteSpec = Field(
        default_factory=PromoteSpec, description="What a release candidate has to have behind it."
    )
    release: ReleaseSpec = Field(default_factory=ReleaseSpec, description="What a release asks for and publishes.")
    state: StateSpec = Field(default_factory=StateSpec, description="Where journals, plans and records are kept.")

    @property
    def calls(self) -> dict[str, CallSpec]:
        """Those of contracts."""
        return {name: call for name, call in self.all_calls.items() if isinstance(call, CallSpec)}

    @property
    def program_calls(self) -> dict[str, ProgramCallSpec]:
        return {name: call for name, call in self.all_calls.items() if isinstance(call, ProgramCallSpec)}

    @property
    def checks(self) -> dict[str, CheckSpec]:
        """Those of contracts."""
        return contract_checks(self.all_checks)

    @property
    def program_checks(self) -> dict[str, ProgramCheckSpec]:
        return program_checks(self.all_checks)


def contract_checks(checks: Mapping[str, CheckSpec | ProgramCheckSpec]) -> dict[str, CheckSpec]:
    return {name: check for name, check in checks.items() if isinstance(check, CheckSpec)}


def program_checks(checks: Mapping[str, CheckSpec | ProgramCheckSpec]) -> dict[str, ProgramCheckSpec]:
    return {name: check for name, check in checks.items() if isinstance(check, ProgramCheckSpec)}
