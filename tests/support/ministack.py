"""A real ministack for a test: AWS KMS, STS, S3, Secrets Manager and parameters on a free port of the loopback, ended by its process id."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.missing import missing

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client

__all__ = ["CREDENTIALS", "REGION", "Ministack", "ministack", "ministack_python"]

ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "canary-secret-access-key"}
_START_S = 60.0


@dataclass(frozen=True)
class Ministack:
    """A running one. ``kms`` and ``s3`` are clients of the test's own, past ``ship``."""

    url: str
    kms: KMSClient
    s3: S3Client

    @property
    def environment(self) -> dict[str, str]:
        """What a person would export to reach it with boto3 or cast."""
        return {
            "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
        }

    def key(self, spec: str = "ECC_SECG_P256K1", alias: str | None = None, usage: Any = "SIGN_VERIFY") -> str:
        """A new key's ARN."""
        made = self.kms.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]  # type: ignore[arg-type]
        if alias:
            self.kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
        return made["Arn"]


def ministack_python() -> Path:
    """The Python of ministack's environment; in CI a missing one is a failure, elsewhere a skip."""
    folders = [Path(os.environ["SHIP_TOOLS"])] if os.environ.get("SHIP_TOOLS") else []
    for folder in [*folders, ROOT / ".tools"]:
        python = folder / "services" / "ministack" / "bin" / "python"
        if python.is_file():
            return python
    return missing("ministack is missing: run scripts/services/ministack")


@contextmanager
def ministack() -> Iterator[Ministack]:
    python = ministack_python()
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        port = _free_port()
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": folder,
            "TMPDIR": folder,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "SERVICES": "kms,sts,iam,s3,secretsmanager,ssm",
            "LOG_LEVEL": "WARNING",
        }
        process = subprocess.Popen(
            [python, "-m", "ministack"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, port, Path(folder, "log"))
            import boto3

            url = f"http://127.0.0.1:{port}"
            common: Any = {"endpoint_url": url, "region_name": REGION, **CREDENTIALS}
            yield Ministack(url, boto3.client("kms", **common), boto3.client("s3", **common))
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"ministack did not start:\n{log.read_text()[-4000:]}")
