"""``[state]``: where journals and what belongs to them are kept."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.manifest.fields import Spec, Url, refuse

__all__ = ["StateSpec"]

_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_PREFIX = r"^[A-Za-z0-9][A-Za-z0-9_.=-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.=-]{0,63}){0,7}$"


class StateSpec(Spec):
    """``[state]``: where journals, plans and records are kept. Local files otherwise; with ``s3`` those are its cache."""

    backend: Literal["local", "s3"] = Field(
        default="local", description="`s3`: every journal row is in the bucket before anything is sent."
    )
    bucket: str | None = Field(default=None, pattern=_BUCKET, description="The bucket.")
    prefix: str | None = Field(
        default=None, pattern=_PREFIX, description="What keys in the bucket begin with. The project's name otherwise."
    )
    region: str | None = Field(
        default=None, pattern=r"^[a-z0-9-]{1,40}$", description="The bucket's region; boto3's own search otherwise."
    )
    endpoint: Url | None = Field(
        default=None, description="An S3-compatible service, as https://host; AWS, or AWS_ENDPOINT_URL_S3, otherwise."
    )
    sse: Literal["AES256", "aws:kms"] | None = Field(
        default=None, description="The encryption asked for with every object. The bucket's own default otherwise."
    )
    kms_key: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9:/_-]{1,256}$", description='The KMS key of sse = "aws:kms".'
    )
    require_versioning: bool = Field(
        default=False, description="Refuse a bucket that does not keep earlier versions; it is warned of otherwise."
    )
    bundles: bool = Field(
        default=True, description="Keep bundles there too, so that a fresh clone finishes what another began."
    )
    lease_s: int = Field(
        default=30,
        ge=2,
        le=3600,
        description="Seconds a holder must show no sign of life, by the waiting run's own clock, before its lease is taken.",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.backend == "s3" and self.bucket is None:
            refuse("MissingKey", "S3 state names no bucket.", 'Add bucket = "NAME".', key="bucket")
        if self.kms_key is not None and self.sse != "aws:kms":
            refuse("Contradiction", "kms-key is used with KMS only.", 'Add sse = "aws:kms".', key="kms-key")
        if self.backend == "local" and self.bucket is not None:
            refuse("Contradiction", "Local state has no bucket.", 'Set backend = "s3", or delete it.', key="bucket")
        return self
