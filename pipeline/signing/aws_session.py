"""AWS asked through boto3, for keys and for secrets: bounded in time and size, its errors told apart.

Credentials and region come from boto3's default chain: environment, profiles, single sign-on, web identity, instance roles.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.manifest.secrets import register_secret
from pipeline.signing.bounded import TooLate
from pipeline.signing.service import CALL_S, CONNECT_S, MAX_BYTES, AnswerTooLarge, bounded, shown_code

if TYPE_CHECKING:
    import boto3
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from botocore.session import Session as CoreSession

__all__ = ["AwsTroubles", "ask_aws", "hide_credentials", "new_session"]

COME_BACK = frozenset(
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


class AwsTroubles(Protocol):
    """The errors of whoever asks."""

    def refused(self, operation: str, code: str) -> Exception:
        """AWS answered that it does not do this."""
        ...

    def unusable(self, cause: str, key: str, remedy: str) -> Exception:
        """It cannot be asked at all with these settings. ``key``: the setting meant."""
        ...

    def unanswered(self, why: str) -> Exception:
        """It may do it later. ``why`` holds nothing a server or a library wrote but a code."""
        ...


def ask_aws(ask: Callable[[], dict[str, Any]], troubles: AwsTroubles) -> dict[str, Any]:
    """What ``ask`` gives, within ``TOTAL_S``. A library's own exceptions are never chained: they can hold URLs and tokens."""
    from botocore import exceptions as aws
    from botocore.parsers import ResponseParserError

    try:
        return bounded(ask)
    except TooLate:
        raise troubles.unanswered("it took too long") from None
    except AnswerTooLarge:
        raise troubles.unanswered("its answer is larger than any it gives") from None
    except aws.ClientError as error:
        raise _refusal(error.response, error.operation_name, troubles) from None
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound):
        raise troubles.unusable(
            "no AWS credentials were found", "backend", "Log in (`aws sso login`), or set AWS_PROFILE or AWS_ROLE_ARN."
        ) from None
    except aws.NoRegionError:
        raise troubles.unusable("no AWS region is known", "region", "Set AWS_REGION.") from None
    except aws.SSLError:
        raise troubles.unusable(
            "the TLS certificate of AWS's endpoint is not trusted", "url", "Check the endpoint and AWS_CA_BUNDLE."
        ) from None
    except (aws.ParamValidationError, aws.InvalidConfigError, aws.ConfigParseError, aws.ConfigNotFound):
        raise troubles.unusable(
            "boto3 does not take this name, or its own configuration", "key", "Check the name and ~/.aws/config."
        ) from None
    except aws.BotoCoreError as error:
        raise troubles.unanswered(type(error).__name__) from None
    except (
        ResponseParserError,
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
    ):  # botocore's parsers trust the answer
        raise troubles.unanswered("its answer cannot be read") from None


def _refusal(response: Any, operation: str, troubles: AwsTroubles) -> Exception:
    code = shown_code(response.get("Error", {}).get("Code"))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in COME_BACK or status == 429 or not 400 <= status < 500:
        return troubles.unanswered(code)
    return troubles.refused(operation, code)


def new_session(region: str | None) -> boto3.Session:
    """One whose clients, those it makes by itself to log in included, are bounded. Without ``region``: the environment's."""
    import boto3
    from botocore.config import Config
    from botocore.session import get_session

    core = get_session()
    core.set_default_client_config(
        Config(connect_timeout=CONNECT_S, read_timeout=CALL_S, retries={"mode": "standard", "total_max_attempts": 4})
    )
    handler: Any = _CappedHttp(core).send
    core.register("before-send", handler)
    # boto3 itself reads AWS_DEFAULT_REGION alone, unlike AWS's other clients.
    return boto3.Session(botocore_session=core, region_name=region or os.environ.get("AWS_REGION") or None)


def hide_credentials(session: boto3.Session) -> None:
    """Hide what it would sign with now. To be asked before every use: botocore renews temporary ones."""
    current = session.get_credentials()
    if current is not None:
        frozen = current.get_frozen_credentials()
        register_secret(frozen.secret_key or "")
        register_secret(frozen.token or "")


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
