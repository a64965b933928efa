"""Azure Key Vault asked through its own client: bounded in time and size, its errors told apart into ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.signing.bounded import TooLate
from pipeline.signing.context import SignerContext
from pipeline.signing.service import (
    CALL_S,
    CONNECT_S,
    MAX_BYTES,
    TOTAL_S,
    AnswerTooLarge,
    bounded,
    is_loopback,
    no_answer,
    quiet,
    service_url,
    shown_code,
)

if TYPE_CHECKING:
    from azure.keyvault.keys import KeyClient, KeyVaultKey

__all__ = ["AzureVault"]

T = TypeVar("T")


class AzureVault:
    """``[signer]`` of an azure-kv target, ready to be asked. Credentials come from azure-identity's default chain."""

    def __init__(self, context: SignerContext) -> None:
        try:
            import azure.identity
            import azure.keyvault.keys  # noqa: F401 - whether the extra is there at all
        except ImportError:
            raise context.unavailable(
                "the azure-kv backend needs Microsoft's clients, which are not installed",
                remedy='pip install "contract-ship[azure]"',
            ) from None
        quiet("azure", "msal")
        self._context = context
        self._url = service_url(context) or ""
        if not self._url.startswith("https:"):
            raise context.unavailable(
                "a Key Vault is asked over https:// only", "url", "Use https://NAME.vault.azure.net."
            )
        self._client: KeyClient | None = None

    def get_key(self, name: str, version: str | None) -> KeyVaultKey:
        return self._ask(lambda client: client.get_key(name, version))

    def sign(self, name: str, version: str, digest: bytes) -> object:
        """What came as the signature; nothing has looked at it yet."""
        from azure.keyvault.keys.crypto import SignatureAlgorithm

        def ask(client: KeyClient) -> object:
            signer = client.get_cryptography_client(name, key_version=version)
            return signer.sign(SignatureAlgorithm.es256_k, digest).signature

        return self._ask(ask)

    def _ask(self, ask: Callable[[KeyClient], T]) -> T:
        """Raises ``SignerUnavailable`` or ``SignerNoAnswer``."""
        import requests
        from azure.core import exceptions as azure
        from azure.identity import CredentialUnavailableError

        try:
            return bounded(lambda: ask(self._connected()))
        except TooLate:
            raise no_answer("Azure Key Vault", "it took too long") from None
        except AnswerTooLarge:
            raise no_answer("Azure Key Vault", "its answer is larger than any of Key Vault's") from None
        except CredentialUnavailableError:
            raise self._context.unavailable(
                "no Azure credentials were found",
                remedy="`az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE.",
            ) from None
        except azure.ClientAuthenticationError:
            raise no_answer("Azure Key Vault", "the login was refused, or has run out") from None
        except azure.HttpResponseError as error:
            raise self._refusal(error.status_code or 0, error) from None
        except azure.AzureError as error:
            if isinstance(error.inner_exception, requests.exceptions.SSLError):
                raise self._context.unavailable(
                    "the TLS certificate of the vault is not trusted", "url", "Check `url` and REQUESTS_CA_BUNDLE."
                ) from None
            raise no_answer("Azure Key Vault", type(error).__name__) from None
        except (ValueError, TypeError, AttributeError):  # its models are filled from the answer without a check
            raise no_answer("Azure Key Vault", "its answer cannot be read") from None

    def _refusal(self, status: int, error: Any) -> Exception:
        code = shown_code(getattr(error.error, "code", None) or f"HTTP-{status}")
        if status in {401, 408, 429} or status >= 500 or status < 400:
            return no_answer("Azure Key Vault", code)
        remedy = {
            403: "Assign Key Vault Crypto User on the key (`ship signer policy azure`), and see that the key is enabled.",
            404: "Check `key` and `url`.",
        }.get(status, "See docs/guide/signers.md.")
        return self._context.unavailable(f"Azure Key Vault refuses: {code}", "key", remedy)

    def _connected(self) -> KeyClient:
        if self._client is None:
            from azure.identity import DefaultAzureCredential
            from azure.keyvault.keys import KeyClient

            limits = self._limits()
            credential = DefaultAzureCredential(
                # An authority of one's own (Azure Stack, a test) is not in Microsoft's public list of instances.
                disable_instance_discovery="AZURE_AUTHORITY_HOST" in os.environ,
                exclude_shared_token_cache_credential=True,
                process_timeout=int(CALL_S),
                **limits,
            )
            self._client = KeyClient(
                self._url,
                credential,
                # A challenge has to name a domain above the vault's. There is none on loopback.
                verify_challenge_resource=not is_loopback(self._url),
                **limits,
            )
        return self._client

    @staticmethod
    def _limits() -> dict[str, Any]:
        return {
            "transport": _capped_transport(),
            "connection_timeout": CONNECT_S,
            "read_timeout": CALL_S,
            "retry_total": 4,
            "retry_backoff_factor": 0.2,
            "retry_backoff_max": 4,
            "timeout": TOTAL_S - 5.0,
            "permit_redirects": False,
        }


def _capped_transport() -> Any:
    """requests, reading no more than ``MAX_BYTES`` of an answer."""
    import io

    from azure.core.pipeline.transport import RequestsTransport
    from requests import Session
    from requests.adapters import HTTPAdapter

    class Capped(HTTPAdapter):
        def send(self, *arguments: Any, **options: Any) -> Any:
            answer = super().send(*arguments, **options)
            body = answer.raw.read(MAX_BYTES + 1, decode_content=True)
            if len(body) > MAX_BYTES:
                answer.close()
                raise AnswerTooLarge
            answer.raw = io.BytesIO(body)
            return answer

    session = Session()
    session.mount("https://", Capped())
    session.max_redirects = 0
    return RequestsTransport(session=session, session_owner=False)
