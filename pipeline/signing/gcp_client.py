"""Google Cloud KMS asked through its own client: bounded in time and size, its errors told apart into ours.

gRPC, because it has deadlines for whole calls and a largest message, and follows no redirects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pipeline.signing.bounded import TooLate
from pipeline.signing.context import SignerContext
from pipeline.signing.service import CALL_S, MAX_BYTES, TOTAL_S, bounded, no_answer, quiet, service_url, shown_code

if TYPE_CHECKING:
    from google.cloud.kms_v1 import KeyManagementServiceClient
    from google.cloud.kms_v1.types import AsymmetricSignResponse, PublicKey

__all__ = ["GcpKms"]

_REFUSALS = {
    "PERMISSION_DENIED": "Grant roles/cloudkms.signer and roles/cloudkms.publicKeyViewer on the key; "
    "`ship signer policy gcp` prints both.",
    "NOT_FOUND": "Check `key`: projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/N.",
    "FAILED_PRECONDITION": "The key's version is not enabled: see its state in Cloud KMS.",
    "INVALID_ARGUMENT": "Check `key` and that its purpose is ASYMMETRIC_SIGN.",
    "UNIMPLEMENTED": "Check `url`.",
}
_LARGEST = (("grpc.max_receive_message_length", MAX_BYTES), ("grpc.max_send_message_length", MAX_BYTES))

T = TypeVar("T")


class GcpKms:
    """``[signer]`` of a gcp-kms target, ready to be asked. Credentials are Google's application default ones."""

    def __init__(self, context: SignerContext) -> None:
        try:
            import google.cloud.kms_v1 as _kms  # noqa: F401 - whether the extra is there at all
        except ImportError:
            raise context.unavailable(
                "the gcp-kms backend needs Google's client, which is not installed",
                remedy='pip install "contract-ship[gcp]"',
            ) from None
        quiet("google")
        self._context = context
        self._url = service_url(context)
        self._client: KeyManagementServiceClient | None = None

    def get_public_key(self) -> PublicKey:
        return self._ask(lambda client, more: client.get_public_key(request={"name": self._name}, **more))

    def sign(self, request: dict[str, Any]) -> AsymmetricSignResponse:
        return self._ask(lambda client, more: client.asymmetric_sign(request={"name": self._name, **request}, **more))

    @property
    def _name(self) -> str:
        return self._context.spec.key or ""

    def _ask(self, ask: Callable[[KeyManagementServiceClient, Any], T]) -> T:
        """Raises ``SignerUnavailable`` or ``SignerNoAnswer``."""
        from google.api_core import exceptions as google
        from google.auth import exceptions as auth

        try:
            return bounded(lambda: ask(self._connected(), self._limits()))
        except TooLate:
            raise no_answer("Google Cloud KMS", "it took too long") from None
        except auth.DefaultCredentialsError:
            raise self._context.unavailable(
                "no Google credentials were found",
                remedy="`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
            ) from None
        except auth.GoogleAuthError as error:
            raise no_answer("Google Cloud KMS", type(error).__name__) from None
        except google.RetryError:
            raise no_answer("Google Cloud KMS", "it stayed unavailable") from None
        except google.GoogleAPICallError as error:
            code = shown_code(getattr(error.grpc_status_code, "name", type(error).__name__))
            if code not in _REFUSALS:
                raise no_answer("Google Cloud KMS", code) from None
            raise self._context.unavailable(f"Google Cloud KMS refuses: {code}", "key", _REFUSALS[code]) from None

    @staticmethod
    def _limits() -> dict[str, Any]:
        from google.api_core import exceptions as google
        from google.api_core.retry import Retry, if_exception_type

        busy = if_exception_type(google.ServiceUnavailable, google.ResourceExhausted, google.Aborted)
        return {"timeout": CALL_S, "retry": Retry(predicate=busy, initial=0.2, maximum=4.0, timeout=TOTAL_S - 5.0)}

    def _connected(self) -> KeyManagementServiceClient:
        if self._client is None:
            from google.auth.credentials import AnonymousCredentials
            from google.cloud.kms_v1 import KeyManagementServiceClient
            from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport

            host = urlsplit(self._url).netloc if self._url else KeyManagementServiceClient.DEFAULT_ENDPOINT
            if self._url and self._url.startswith("http:"):
                # On this machine only, and therefore without credentials.
                given = AnonymousCredentials()  # type: ignore[no-untyped-call]
                transport = KeyManagementServiceGrpcTransport(host=host, credentials=given, channel=self._plain)
            else:
                transport = KeyManagementServiceGrpcTransport(host=host, channel=self._channel)
            self._client = KeyManagementServiceClient(transport=transport)
        return self._client

    @staticmethod
    def _channel(host: str, **arguments: Any) -> Any:
        from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceGrpcTransport

        return KeyManagementServiceGrpcTransport.create_channel(host, **{**arguments, "options": _LARGEST})

    @staticmethod
    def _plain(host: str, **_: Any) -> Any:
        import grpc

        return grpc.insecure_channel(host, options=_LARGEST)
