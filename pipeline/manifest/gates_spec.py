"""``[gates]``: what must pass before anything is planned. A gate runs when its key is there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pipeline.manifest.fields import BasisPoints, RelativePath, Spec

__all__ = [
    "CoverageGate",
    "GasGate",
    "GatesSpec",
    "LayoutGate",
    "ProgramTestsGate",
    "SizeGate",
    "SlitherGate",
    "TestsGate",
]


Detector = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,99}$")]
"""A detector's name as Slither prints it; it becomes a part of its command line."""


class TestsGate(Spec):
    """``tests``: ``forge test``."""

    __test__ = False

    fuzz_seed: int | None = Field(
        default=None, ge=0, le=2**256 - 1, description="The seed of fuzz tests, to repeat a run."
    )


class ProgramTestsGate(Spec):
    """``program-tests``: the tests of Solana programs, by a command of the project's."""

    command: tuple[str, ...] = Field(
        default=("anchor", "test"),
        min_length=1,
        max_length=50,
        description="The program and its arguments, run in [solana] root without a shell. Exit code 0 is a pass.",
    )
    timeout_s: int = Field(default=1_800, ge=1, le=86_400, description="How long it may take, in seconds.")


class SlitherGate(Spec):
    """``slither``: static analysis."""

    fail_on: Literal["informational", "low", "medium", "high"] = Field(
        default="medium", description="The lowest impact that stops the release."
    )
    baseline: RelativePath | None = Field(default=None, description="Findings accepted, by id, with reason and name.")
    exclude: tuple[Detector, ...] = Field(default=(), description="Detectors not to run.")


class GasGate(Spec):
    """``gas``: gas used by the tests, against a snapshot."""

    snapshot: RelativePath = Field(default=".gas-snapshot", description="The snapshot compared with.")
    tolerance_bps: BasisPoints = Field(default=0, alias="tolerance", description="How much more gas is accepted.")


class LayoutGate(Spec):
    """``layout``: storage layout against the live implementation; when it cannot be compared, nothing is deployed."""


class SizeGate(Spec):
    """``size``: code size against the chain's limit."""


class CoverageGate(Spec):
    """``coverage``: how much of the code the tests run."""

    lines: int | None = Field(default=None, ge=0, le=100, description="Percent of lines that must be covered.")
    branches: int | None = Field(default=None, ge=0, le=100, description="Percent of branches that must be covered.")


class GatesSpec(Spec):
    """``[gates]``, whole."""

    tests: TestsGate | None = Field(default=None, description="forge test.")
    program_tests: ProgramTestsGate | None = Field(default=None, description="The tests of Solana programs.")
    slither: SlitherGate | None = Field(default=None, description="Static analysis with Slither.")
    gas: GasGate | None = Field(default=None, description="Gas used against a snapshot.")
    layout: LayoutGate | None = Field(default=None, description="Storage layout against the live implementation.")
    size: SizeGate | None = Field(default=None, description="Code size against the chain's limit.")
    coverage: CoverageGate | None = Field(default=None, description="How much of the code the tests run.")
