"""A bucket of an S3-compatible service: bounded in time, every write conditional, lost replies settled by reading back.

A conditional write whose reply is lost is sent again: it can take effect once. If it had, the second is refused, and
what lies there is read: our own bytes mean that the first one counted. So no two writers may ever write the same bytes
under a condition; callers put something of their own into each (segments and leases name their run).
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from chains.errors import Where
from pipeline.manifest.state_spec import StateSpec
from pipeline.signing.bounded import TooLate, within
from pipeline.state.shared.errors import SharedStateRefused, SharedStateUnreachable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

__all__ = ["Bucket", "Stored"]

CONNECT_S = 5.0
READ_S = 10.0
CALL_S = 20.0
"""One call, until its whole answer."""
TOTAL_S = 40.0
"""All attempts of one operation."""
ATTEMPTS = 4
MAX_BYTES = 256 << 20
"""The largest object read; programs and compiler inputs take a few MiB."""

T = TypeVar("T")


class _Missing(Exception):
    """No such object."""


class _Refused(Exception):
    """A condition did not hold."""


class _Unknown(Exception):
    """It may have happened, or not; the text is safe to show."""


@dataclass(frozen=True)
class Stored:
    """An object, and the tag that a later write can be made conditional on."""

    data: bytes
    etag: str


class Bucket:
    """``[state]`` ready to be asked. Credentials come from boto3's default chain. Safe to use from several threads."""

    def __init__(self, spec: StateSpec, prefix: str) -> None:
        self._spec = spec
        self._prefix = prefix
        self._made: S3Client | None = None

    @property
    def name(self) -> str:
        return f"s3://{self._spec.bucket}/{self._prefix}"

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, key: str) -> Stored | None:
        """The object, or ``None``. Raises ``SharedStateUnreachable`` and ``SharedStateRefused``."""

        def ask(client: S3Client) -> Stored:
            answer = client.get_object(Bucket=self._bucket, Key=self._key(key))
            data = answer["Body"].read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES or len(data) != answer["ContentLength"]:
                raise _Unknown("an answer of the wrong length")
            return Stored(data, answer["ETag"])

        try:
            return self._again(ask)
        except _Missing:
            return None

    def list_after(self, folder: str, after: str = "") -> list[str]:
        """Keys below ``folder`` behind ``after``, in order, all pages. Raises as ``get``."""
        keys: list[str] = []
        start = self._key(folder + after)
        while True:

            def ask(client: S3Client, start: str = start) -> Any:
                return client.list_objects_v2(Bucket=self._bucket, Prefix=self._key(folder), StartAfter=start)

            answer = self._again(ask)
            page = [entry["Key"] for entry in answer.get("Contents", [])]
            keys += [key[len(self._prefix) + 1 :] for key in page]
            if not answer.get("IsTruncated") or not page:
                return keys
            start = page[-1]

    # -- writing ---------------------------------------------------------------------------------------------------

    def create(self, key: str, data: bytes) -> str | None:
        """Write an object that must not be there yet; its tag, or ``None`` if another's is. Raises as ``get``."""
        return self._written(key, data, {"IfNoneMatch": "*"})

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Write over exactly what ``etag`` names; the new tag, or ``None`` if another did. Raises as ``get``."""
        return self._written(key, data, {"IfMatch": etag})

    def keep(self, key: str, data: bytes) -> None:
        """Have an object whose key names its content; what is there already is the same. Raises as ``get``."""
        try:
            self._put(key, data, {"IfNoneMatch": "*"})
        except (_Refused, _Missing):
            return

    def _written(self, key: str, data: bytes, condition: dict[str, str]) -> str | None:
        try:
            return self._put(key, data, condition)
        except (_Refused, _Missing):
            there = self.get(key)
            return there.etag if there is not None and there.data == data else None

    def _put(self, key: str, data: bytes, condition: dict[str, str]) -> str:
        more: Any = dict(condition)
        if self._spec.sse is not None:
            more["ServerSideEncryption"] = self._spec.sse
        if self._spec.kms_key is not None:
            more["SSEKMSKeyId"] = self._spec.kms_key
        return self._again(
            lambda client: client.put_object(Bucket=self._bucket, Key=self._key(key), Body=data, **more)["ETag"]
        )

    # -- how the bucket is set up ----------------------------------------------------------------------------------

    def versioning(self) -> str | None:
        """``Enabled``, ``Suspended``, ``Disabled``; ``None`` where the service does not say. Raises as ``get``."""
        return self._setting(
            lambda client: str(client.get_bucket_versioning(Bucket=self._bucket).get("Status", "Disabled"))
        )

    def encryption(self) -> str | None:
        """The algorithm new objects are encrypted with; ``None`` where the service does not say. Raises as ``get``."""

        def ask(client: S3Client) -> str:
            rules = client.get_bucket_encryption(Bucket=self._bucket)["ServerSideEncryptionConfiguration"]["Rules"]
            return str(rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])

        return self._setting(ask)

    def hold_to_conditions(self) -> None:
        """See that ``If-None-Match`` and ``If-Match`` are honoured, not only taken. Raises ``SharedStateRefused``."""
        self.keep("probe", b"ship asks here whether conditional writes are honoured\n")
        stale = '"00000000000000000000000000000000"'
        mine = secrets.token_bytes(16)
        if self.create("probe", mine) is not None or self.replace("probe", mine, stale) is not None:
            raise self._no("it takes conditional writes and does not honour them", "Use a service that does.")

    def _setting(self, ask: Callable[[S3Client], str]) -> str | None:
        try:
            return self._again(ask)
        except (SharedStateRefused, _Missing, _Refused):
            return None  # the right to write objects is not the right to read settings, and services differ

    # -- one call --------------------------------------------------------------------------------------------------

    @property
    def _bucket(self) -> str:
        return self._spec.bucket or ""

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}"

    def _again(self, ask: Callable[[S3Client], T]) -> T:
        """Ask until there is an answer, a few times: only for what may happen twice."""
        deadline_s, why = time.monotonic() + TOTAL_S, ""
        for attempt in range(ATTEMPTS):
            try:
                return self._once(ask, min(CALL_S, deadline_s - time.monotonic()))
            except _Unknown as error:
                why = str(error)
            pause_s = 0.1 * 4**attempt
            if attempt + 1 == ATTEMPTS or time.monotonic() + pause_s > deadline_s:
                break
            time.sleep(pause_s)
        raise SharedStateUnreachable(
            f"{self.name} gave no usable answer: {why}",
            done="Nothing that needed it was signed or sent. What was done before is in the journal.",
            remedy="See that the service can be reached, log in again if credentials ran out, then run the same command.",
        ) from None

    def _once(self, ask: Callable[[S3Client], T], limit_s: float) -> T:
        """Raises ``_Missing``, ``_Refused``, ``_Unknown`` or ``SharedStateRefused``, with nothing a server wrote but a code."""
        from botocore import exceptions as aws
        from botocore.parsers import ResponseParserError
        from urllib3.exceptions import HTTPError

        try:
            return within(limit_s, lambda: ask(self._client()))
        except TooLate:
            raise _Unknown("it took too long") from None
        except aws.ClientError as error:
            self._judge(error.response, error.operation_name)
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound):
            raise self._no("no credentials were found", "Log in (`aws sso login`), or set AWS_PROFILE.") from None
        except aws.NoRegionError:
            raise self._no("no region is known", "Set `region` under [state], or AWS_REGION.") from None
        except aws.SSLError:
            raise self._no("its TLS certificate is not trusted", "Check `endpoint` and AWS_CA_BUNDLE.") from None
        except (aws.ParamValidationError, aws.InvalidConfigError, aws.ConfigParseError, aws.ConfigNotFound):
            raise self._no("boto3 does not take these settings", "Check [state] and ~/.aws/config.") from None
        except (aws.BotoCoreError, HTTPError, OSError) as error:
            raise _Unknown(type(error).__name__) from None
        except (ResponseParserError, ValueError, TypeError, AttributeError, KeyError, IndexError):
            raise _Unknown("its answer cannot be read") from None

    def _judge(self, response: Any, operation: str) -> NoReturn:
        from pipeline.signing.service import shown_code

        code = shown_code(response.get("Error", {}).get("Code"))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in {"NoSuchKey", "ServerSideEncryptionConfigurationNotFoundError"} or (status == 404 and code == "404"):
            raise _Missing from None
        if status == 412 or code == "PreconditionFailed":
            raise _Refused from None
        if status in {409, 429} or code in _COME_BACK or not 400 <= status < 500:
            if code == "NotImplemented":
                raise self._no(
                    f"it has no {operation} as it is asked for (conditional writes)", "Use a service with If-Match."
                ) from None
            raise _Unknown(code) from None
        remedy = (
            "Create the bucket." if code == "NoSuchBucket" else "See docs/guide/shared-state.md for the rights needed."
        )
        raise self._no(f"{operation} is refused: {code}", remedy) from None

    def _no(self, cause: str, remedy: str) -> SharedStateRefused:
        return SharedStateRefused(
            f"{self.name} cannot be used: {cause}", remedy=remedy, where=Where("ship.toml", key="state")
        )

    def _client(self) -> S3Client:
        if self._made is None:
            self._hold_endpoint()
            self._made = _client_of(self._spec.region, self._spec.endpoint)
        return self._made

    def _hold_endpoint(self) -> None:
        """Raises ``SharedStateRefused``: session tokens and signed transactions travel over TLS, or within this machine."""
        from pipeline.manifest.urls import forbidden_host, parse_url
        from pipeline.signing.service import is_loopback

        endpoint = self._spec.endpoint
        if endpoint is None:
            return
        if parse_url(endpoint).scheme == "http" and not is_loopback(endpoint):
            raise self._no("`endpoint` is http:// and not on this machine", "Use https://.")
        if forbidden_host(endpoint):
            raise self._no("`endpoint` is a link-local or cloud metadata address", "Name the service itself.")


@functools.lru_cache(maxsize=4)
def _client_of(region: str | None, endpoint: str | None) -> S3Client:
    """Made once for all targets of a run: that takes half a second of boto3's."""
    import boto3
    from botocore.config import Config

    from pipeline.manifest.secrets import register_secret
    from pipeline.signing.service import quiet

    quiet("boto3", "botocore")
    session = boto3.Session(region_name=region)
    current = session.get_credentials()
    if current is not None:
        frozen = current.get_frozen_credentials()
        register_secret(frozen.secret_key or "")
        register_secret(frozen.token or "")
    return session.client(
        "s3",
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=CONNECT_S,
            read_timeout=READ_S,
            retries={"mode": "standard", "total_max_attempts": 1},  # repeating is decided here, where it is understood
            s3={"addressing_style": "path"} if endpoint else {},
            # Every object's digest is held by ours; some compatible services take no checksum headers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


_COME_BACK = frozenset(
    {
        "ConditionalRequestConflict",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "OperationAborted",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
    }
)
"""Codes that say nothing about the bucket: the service is busy, or the credentials have run out."""
