"""AWS KMS asked through boto3: bounded in time and size, with AWS's errors told apart into ours."""

from __future__ import annotations

import datetime as dt
import re
import socket
from typing import TYPE_CHECKING, Any, NoReturn

from pipeline.manifest.secrets import register_secret
from pipeline.signing.bounded import TooLate
from pipeline.signing.context import SignerContext
from pipeline.signing.service import (
    CALL_S,
    CONNECT_S,
    MAX_BYTES,
    AnswerTooLarge,
    bounded,
    no_answer,
    quiet,
    service_url,
    shown_code,
)

if TYPE_CHECKING:
    import boto3
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.session import Session as CoreSession
    from mypy_boto3_kms import KMSClient

__all__ = ["AwsKms"]

_COME_BACK = frozenset(
    {
        "DependencyTimeoutException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IDPCommunicationError",
        "InternalFailure",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestExpired",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "UnrecognizedClientException",
    }
)
"""Codes that say nothing about the key: the service is busy, or the credentials have run out."""

_REMEDIES = {
    "AccessDenied": "Allow kms:GetPublicKey and kms:Sign on this key; `ship signer policy aws` prints both policies.",
    "NotFoundException": "Check `key` and `region`; an alias is written alias/NAME.",
    "DisabledException": "Enable the key, or name another one.",
    "KMSInvalidStateException": "The key is disabled, waits for deletion or has no material: see its state in KMS.",
    "InvalidKeyUsageException": "Use a key with usage SIGN_VERIFY.",
}
_RENEW_BEFORE = dt.timedelta(minutes=5)


class AwsKms:
    """``[signer]`` of an aws-kms target, ready to be asked. Credentials come from boto3's default chain."""

    def __init__(self, context: SignerContext) -> None:
        quiet("boto3", "botocore")
        self._context = context
        self._url = service_url(context)
        self._session: boto3.Session | None = None
        self._client: KMSClient | None = None
        self._expires: dt.datetime | None = None

    def get_public_key(self) -> dict[str, Any]:
        return self._ask(lambda client: dict(client.get_public_key(KeyId=self._key)))

    def sign(self, message: bytes, kind: str, algorithm: str) -> dict[str, Any]:
        parameters: Any = {"KeyId": self._key, "Message": message, "MessageType": kind, "SigningAlgorithm": algorithm}
        return self._ask(lambda client: dict(client.sign(**parameters)))

    @property
    def endpoint_is_aws(self) -> bool:
        """Whether the key is asked for at AWS itself, not at another endpoint."""
        host = self._client.meta.endpoint_url.split("://")[-1].split("/")[0] if self._client else ""
        return host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws"))

    @property
    def _key(self) -> str:
        return self._context.spec.key or ""

    def _ask(self, ask: Any) -> dict[str, Any]:
        """Raises ``SignerUnavailable`` or ``SignerNoAnswer``."""
        from botocore import exceptions as aws
        from botocore.parsers import ResponseParserError

        try:
            answer: dict[str, Any] = bounded(lambda: ask(self._connected()))
        except TooLate:
            raise no_answer("AWS KMS", "it took too long") from None
        except AnswerTooLarge:
            raise no_answer("AWS KMS", "its answer is larger than any of KMS's") from None
        except aws.ClientError as error:
            self._refuse(error.response, error.operation_name)
        except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound):
            raise self._context.unavailable(
                "no AWS credentials were found", remedy="Log in (`aws sso login`), or set AWS_PROFILE or AWS_ROLE_ARN."
            ) from None
        except aws.NoRegionError:
            raise self._context.unavailable(
                "no AWS region is known", remedy="Set `region` under [signer], or AWS_REGION."
            ) from None
        except aws.SSLError:
            raise self._context.unavailable(
                "the TLS certificate of AWS KMS's endpoint is not trusted",
                "url",
                "Check the endpoint and AWS_CA_BUNDLE.",
            ) from None
        except (aws.ParamValidationError, aws.InvalidConfigError, aws.ConfigParseError, aws.ConfigNotFound):
            raise self._context.unavailable(
                "boto3 does not take this key, or its own configuration",
                "key",
                "Check `key`, `role` and ~/.aws/config.",
            ) from None
        except aws.BotoCoreError as error:
            raise no_answer("AWS KMS", type(error).__name__) from None
        except (
            ResponseParserError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ):  # botocore's parsers trust the answer
            raise no_answer("AWS KMS", "its answer cannot be read") from None
        return answer

    def _refuse(self, response: Any, operation: str) -> NoReturn:
        code = shown_code(response.get("Error", {}).get("Code"))
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _COME_BACK or status == 429 or not 400 <= status < 500:
            raise no_answer("AWS KMS", code) from None
        cause = f"AWS refuses {operation}: {code}"
        if operation.startswith("AssumeRole"):
            remedy = "See that the role trusts these credentials; `ship signer policy aws` prints its trust policy."
            raise self._context.unavailable(cause, "role", remedy) from None
        remedy = next(
            (text for start, text in _REMEDIES.items() if code.startswith(start)), "See docs/guide/signers.md."
        )
        raise self._context.unavailable(cause, "key", remedy) from None

    def _connected(self) -> KMSClient:
        if self._session is None:
            self._session = self._new_session()
        current = self._session.get_credentials()
        if current is not None:  # asked for every time: botocore renews temporary ones
            frozen = current.get_frozen_credentials()
            register_secret(frozen.secret_key or "")
            register_secret(frozen.token or "")
        if self._client is None or (self._expires and dt.datetime.now(dt.UTC) > self._expires - _RENEW_BEFORE):
            credentials: dict[str, Any] = self._assumed(self._session)
            self._client = self._session.client("kms", endpoint_url=self._url, **credentials)
        return self._client

    def _new_session(self) -> boto3.Session:
        import boto3
        from botocore.config import Config
        from botocore.session import get_session

        core = get_session()
        # On the session, so that the clients botocore makes by itself to log in are bounded too.
        core.set_default_client_config(
            Config(
                connect_timeout=CONNECT_S, read_timeout=CALL_S, retries={"mode": "standard", "total_max_attempts": 4}
            )
        )
        handler: Any = _CappedHttp(core).send
        core.register("before-send", handler)
        return boto3.Session(botocore_session=core, region_name=self._region())

    def _region(self) -> str | None:
        arn = re.match(r"arn:[a-z-]+:kms:([a-z0-9-]+):", self._key)
        return self._context.spec.region or (arn[1] if arn else None)

    def _assumed(self, session: boto3.Session) -> dict[str, str]:
        """Temporary credentials of ``role``, when there is one."""
        role = self._context.spec.role
        if role is None:
            return {}
        name = re.sub(r"[^\w+=,.@-]", "-", f"ship-{self._context.target.name}")[:64]
        given = session.client("sts").assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        register_secret(given["SecretAccessKey"])
        register_secret(given["SessionToken"])
        self._expires = given["Expiration"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }


class _CappedHttp:
    """botocore's own HTTP, reading no more than ``MAX_BYTES``. It follows no redirects."""

    def __init__(self, core: CoreSession) -> None:
        self._core = core
        self._http: Any = None

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        from botocore.awsrequest import AWSResponse
        from botocore.httpsession import URLLib3Session
        from botocore.utils import get_environ_proxies

        if self._http is None:
            verify = self._core.get_config_variable("ca_bundle") or True
            proxies = get_environ_proxies(request.url)
            session: Any = URLLib3Session  # its published types are narrower than what it takes
            at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]  # head and body go out apart: 40 ms otherwise
            self._http = session(verify=verify, proxies=proxies, timeout=(CONNECT_S, CALL_S), socket_options=at_once)
        request.stream_output = True
        answer = self._http.send(request)
        try:
            body = b"".join(_up_to(answer.raw.stream(), MAX_BYTES))
        except AnswerTooLarge:
            answer.raw.close()
            raise
        return AWSResponse(answer.url, answer.status_code, answer.headers, _Read(body))


class _Read:
    """A body already read, in the shape botocore reads bodies."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def _up_to(parts: Any, limit: int) -> Any:
    for part in parts:
        limit -= len(part)
        if limit < 0:
            raise AnswerTooLarge
        yield part
