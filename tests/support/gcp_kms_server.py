"""A protocol server in the place of Google Cloud KMS: two gRPC methods over real keys. It is not the service.

Messages are Google's own published types; what it checks (names, checksums, key state) is what the documentation says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from google.cloud.kms_v1 import types

from pipeline.signing.crc32c import crc32c
from tests.support.tls import Certificate

__all__ = ["GcpServer", "gcp_server"]

RING = "projects/acme/locations/europe-west1/keyRings/deploy/cryptoKeys"
_SERVICE = "google.cloud.kms.v1.KeyManagementService"


@dataclass
class GcpServer:
    """``keys`` by full name; ``change`` may alter any answer, ``fault`` gives a status in place of one."""

    port: int = 0
    keys: dict[str, Any] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)
    protection: int = 2  # HSM
    change: Callable[[Any], Any] = lambda answer: answer
    fault: Callable[[str], grpc.StatusCode | None] = lambda method: None
    tokens: list[str] = field(default_factory=list)
    asked: int = 0

    def key(self, kind: str = "secp256k1") -> str:
        """A new key version's name."""
        name = f"{RING}/key-{len(self.keys)}/cryptoKeyVersions/1"
        made = ec.generate_private_key(ec.SECP256K1()) if kind == "secp256k1" else ed25519.Ed25519PrivateKey.generate()
        self.keys[name] = made
        return name

    def get_public_key(self, request: Any, call: Any) -> Any:
        key = self._key("GetPublicKey", request.name, call)
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        algorithms = types.CryptoKeyVersion.CryptoKeyVersionAlgorithm
        curve = isinstance(key, ec.EllipticCurvePrivateKey)
        return self.change(
            types.PublicKey(
                name=request.name,
                pem=pem.decode(),
                pem_crc32c=crc32c(pem),
                algorithm=algorithms.EC_SIGN_SECP256K1_SHA256 if curve else algorithms.EC_SIGN_ED25519,
                protection_level=self.protection,
            )
        )

    def asymmetric_sign(self, request: Any, call: Any) -> Any:
        key = self._key("AsymmetricSign", request.name, call)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            signed = request.digest.sha256
            if len(signed) != 32:
                call.abort(grpc.StatusCode.INVALID_ARGUMENT, "a SHA-256 digest has 32 bytes")
            signature = key.sign(signed, ec.ECDSA(Prehashed(hashes.SHA256())))
            whole = {"verified_digest_crc32c": request.digest_crc32c == crc32c(signed)}
        else:
            signature = key.sign(request.data)
            whole = {"verified_data_crc32c": request.data_crc32c == crc32c(request.data)}
        return self.change(
            types.AsymmetricSignResponse(
                name=request.name, signature=signature, signature_crc32c=crc32c(signature), **whole
            )
        )

    def _key(self, method: str, name: str, call: Any) -> Any:
        self.asked += 1
        self.tokens += [str(value) for key, value in call.invocation_metadata() if key == "authorization"]
        if (status := self.fault(method)) is not None:
            call.abort(status, "planted-canary-in-a-message")
        if name not in self.keys:
            call.abort(grpc.StatusCode.NOT_FOUND, "no such key")
        if name in self.disabled:
            call.abort(grpc.StatusCode.FAILED_PRECONDITION, "the version is not enabled")
        return self.keys[name]


@contextmanager
def gcp_server(tls: Certificate | None = None) -> Iterator[GcpServer]:
    held = GcpServer()
    server = grpc.server(ThreadPoolExecutor(4))
    methods = {
        "GetPublicKey": (held.get_public_key, types.GetPublicKeyRequest, types.PublicKey),
        "AsymmetricSign": (held.asymmetric_sign, types.AsymmetricSignRequest, types.AsymmetricSignResponse),
    }
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=request.deserialize, response_serializer=response.serialize
        )
        for name, (answer, request, response) in methods.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, handlers),))
    if tls is None:
        held.port = server.add_insecure_port("127.0.0.1:0")
    else:
        pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
        held.port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield held
    finally:
        server.stop(None).wait()
