"""The shape of ``[verify]``: where sources are published, and how patient that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from pipeline.manifest.fields import Name, SecretReference, Spec, Url

__all__ = ["LICENSES", "EtherscanSpec", "ExplorerSpec", "ServiceSpec", "VerifySpec"]

LICENSES = {
    "Unlicense": 2,
    "MIT": 3,
    "GPL-2.0": 4,
    "GPL-3.0": 5,
    "LGPL-2.1": 6,
    "LGPL-3.0": 7,
    "BSD-2-Clause": 8,
    "BSD-3-Clause": 9,
    "MPL-2.0": 10,
    "OSL-3.0": 11,
    "Apache-2.0": 12,
    "AGPL-3.0": 13,
    "BUSL-1.1": 14,
}
"""SPDX identifier → Etherscan's number (docs.etherscan.io, Verify Source Code, ``licenseType``); 1 is none."""

Rate = Annotated[int, Field(ge=1, le=1_000)]


class EtherscanSpec(Spec):
    """``etherscan``: Etherscan's V2 API, one key for all its chains."""

    api_key: SecretReference = Field(description="The API key, as a reference.")
    url: Url | None = Field(default=None, description="Another address of the API.")
    rate_per_s: Rate = Field(default=3, description="Requests a second the key allows, over all its chains.")


class ExplorerSpec(Spec):
    """``sourcify`` or ``blockscout``: ``true``, ``false``, or ``{ url = … }``."""

    enabled: bool = Field(default=True, description="Whether to verify there.")
    url: Url | None = Field(default=None, description="Another address of the API.")
    rate_per_s: Rate = Field(default=5, description="Requests a second.")


class ServiceSpec(Spec):
    """``[verify.services.NAME]``: one more service that speaks one of the protocols."""

    kind: Literal["etherscan", "blockscout", "sourcify"] = Field(
        description="Its protocol: Etherscan's V2 API, the Etherscan dialect of one chain's explorer, or Sourcify's API."
    )
    url: Url = Field(description="The address of its API.")
    api_key: SecretReference | None = Field(default=None, description="Its API key, as a reference.")
    rate_per_s: Rate = Field(default=3, description="Requests a second.")


def _switch(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else value


Explorer = Annotated[ExplorerSpec, BeforeValidator(_switch, json_schema_input_type=bool | ExplorerSpec)]


class VerifySpec(Spec):
    """``[verify]``: where sources are published."""

    etherscan: EtherscanSpec | None = Field(default=None, description="Etherscan, with its API key.")
    sourcify: Explorer | None = Field(default=None, description="Sourcify: true, false, or a table.")
    blockscout: Explorer | None = Field(default=None, description="Blockscout: true, false, or a table.")
    osec: Explorer | None = Field(
        default=None,
        description="On Solana: have programs with `verified-build` built again by verify.osec.io (true), or another service of its "
        "protocol ({ url = … }).",
    )
    services: Mapping[Name, ServiceSpec] = Field(default_factory=dict, description="Further services, by name.")
    license: (
        Literal[
            "Unlicense",
            "MIT",
            "GPL-2.0",
            "GPL-3.0",
            "LGPL-2.1",
            "LGPL-3.0",
            "BSD-2-Clause",
            "BSD-3-Clause",
            "MPL-2.0",
            "OSL-3.0",
            "Apache-2.0",
            "AGPL-3.0",
            "BUSL-1.1",
        ]
        | None
    ) = Field(default=None, description="The sources' license, shown by explorers (SPDX).")
    wait_s: int = Field(default=180, ge=1, le=86_400, description="How long a run waits for verdicts, in seconds.")
    required: bool = Field(
        default=False, description="Whether a release counts as done only when every service shows every source."
    )
