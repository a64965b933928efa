"""AWS KMS asked for a target's signer, with AWS's errors told apart into ours."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from pipeline.manifest.secrets import register_secret
from pipeline.signing.aws_session import ask_aws, hide_credentials, new_session
from pipeline.signing.context import SignerContext
from pipeline.signing.service import no_answer, quiet, service_url

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_kms import KMSClient

__all__ = ["AwsKms"]

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
        return ask_aws(lambda: ask(self._connected()), self)

    def unusable(self, cause: str, key: str, remedy: str) -> Exception:
        if key == "region":
            remedy = "Set `region` under [signer], or AWS_REGION."
        return self._context.unavailable(cause, "backend" if key == "region" else key, remedy)

    def unanswered(self, why: str) -> Exception:
        return no_answer("AWS KMS", why)

    def refused(self, operation: str, code: str) -> Exception:
        cause = f"AWS refuses {operation}: {code}"
        if operation.startswith("AssumeRole"):
            remedy = "See that the role trusts these credentials; `ship signer policy aws` prints its trust policy."
            return self._context.unavailable(cause, "role", remedy)
        remedy = next(
            (text for start, text in _REMEDIES.items() if code.startswith(start)), "See docs/guide/signers.md."
        )
        return self._context.unavailable(cause, "key", remedy)

    def _connected(self) -> KMSClient:
        if self._session is None:
            self._session = new_session(self._region())
        hide_credentials(self._session)
        if self._client is None or (self._expires and dt.datetime.now(dt.UTC) > self._expires - _RENEW_BEFORE):
            credentials: dict[str, Any] = self._assumed(self._session)
            self._client = self._session.client("kms", endpoint_url=self._url, **credentials)
        return self._client

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
