"""``aws-sm:NAME#FIELD`` and ``aws-ssm:NAME``: AWS Secrets Manager, and parameters of Systems Manager, decrypted.

Names may be ARNs, which carry their region. Region, endpoint and credentials are boto3's: AWS_REGION, AWS_ENDPOINT_URL
(_SECRETS_MANAGER, _SSM), AWS_PROFILE, roles.

API: GetSecretValue, https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html; GetParameter,
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

from pipeline.secrets.base import NoAnswer, NotGiven
from pipeline.signing.aws_session import ask_aws, hide_credentials, new_session
from pipeline.signing.service import is_private, quiet

__all__ = ["AwsStore", "open_store"]

_SERVICES = {"aws-sm:": ("secretsmanager", "AWS Secrets Manager"), "aws-ssm:": ("ssm", "AWS Systems Manager")}
_REMEDIES = {
    "AccessDenied": {
        "aws-sm:": "Allow secretsmanager:GetSecretValue on it, and kms:Decrypt if it has a key of its own.",
        "aws-ssm:": "Allow ssm:GetParameter on it, and kms:Decrypt if it has a key of its own.",
    },
    "InvalidRequestException": {"aws-sm:": "It may be scheduled for deletion: restore it, or name another one."},
}
_NOT_THERE = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})


class AwsStore:
    """One of the two services, a client for each region that is named."""

    def __init__(self, scheme: str) -> None:
        quiet("boto3", "botocore")
        self._scheme = scheme
        self._service, self._title = _SERVICES[scheme]
        self._clients: dict[str | None, tuple[Any, Any]] = {}
        self._lock = threading.Lock()

    def parse(self, rest: str) -> tuple[str, str | None]:
        name, mark, field = rest.partition("#") if self._scheme == "aws-sm:" else (rest, "", "")
        if not name or (mark and not field):
            raise NotGiven("the reference names no secret or no field", "Write it as aws-sm:NAME or aws-sm:NAME#FIELD.")
        return name, field or None

    def fetch(self, name: str) -> str:
        arn = re.match(rf"arn:[a-z-]+:{self._service}:([a-z0-9-]+):", name)
        region = arn[1] if arn else None

        def ask() -> dict[str, Any]:
            client = self._client(region)
            if self._scheme == "aws-sm:":
                return dict(client.get_secret_value(SecretId=name))
            return dict(client.get_parameter(Name=name, WithDecryption=True)["Parameter"])

        answer = ask_aws(ask, self)
        value = answer.get("SecretString" if self._scheme == "aws-sm:" else "Value")
        if not isinstance(value, str):
            if "SecretBinary" in answer:
                raise NotGiven("it is kept as bytes, not as text", "Store it as a secret string.")
            raise self.unanswered("there is no secret in its answer")
        return value

    def _client(self, region: str | None) -> Any:
        with self._lock:
            if region not in self._clients:
                session: Any = new_session(region)
                client = session.client(self._service)
                if not is_private(client.meta.endpoint_url):
                    raise NotGiven(
                        "its endpoint is http:// and not on this machine: the secret would travel unencrypted",
                        "Set AWS_ENDPOINT_URL to an https:// URL, or unset it.",
                    )
                self._clients[region] = session, client
            session, client = self._clients[region]
        hide_credentials(session)
        return client

    # -- what AWS says instead -------------------------------------------------------------------------------------

    def refused(self, operation: str, code: str) -> Exception:
        if code in _NOT_THERE:
            return NotGiven(f"{self._title} has none of this name", "Check the name, AWS_REGION and the account.")
        remedies = next((texts for start, texts in _REMEDIES.items() if code.startswith(start)), {})
        return NotGiven(f"AWS refuses {operation}: {code}", remedies.get(self._scheme))

    def unusable(self, cause: str, key: str, remedy: str) -> Exception:
        return NotGiven(cause, remedy)

    def unanswered(self, why: str) -> Exception:
        return NoAnswer(f"{self._title} gave no usable answer: {why}")


def open_store(scheme: str, root: Path) -> AwsStore:
    return AwsStore(scheme)
