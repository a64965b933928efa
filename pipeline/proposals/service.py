"""A Safe Transaction Service: where the owners' wallets find what is proposed to them.

Nothing depends on it: the exported file holds the same. A POST is made only after a look found nothing, and never
repeated in a run. Source: safe-transaction-service, API v1 ``/safes/{address}/multisig-transactions/`` and
``/multisig-transactions/{hash}/confirmations/``.
"""

from __future__ import annotations

import json
from typing import Any

from chains.evm.safe.typed import SafeTx
from chains.http import HttpClient, HttpFailed
from pipeline.proposals.collecting import Given

__all__ = ["SafeService", "ServiceFailed"]

_MAX_REPLY_BYTES = 4 * 1024 * 1024
_TIMEOUT_S = 15.0


class ServiceFailed(Exception):
    """The service gave no usable answer. Told to people; the run goes on."""


class SafeService:
    """One service. ``api_key`` goes into the Authorization header."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._http = HttpClient(url.rstrip("/"), timeout_s=_TIMEOUT_S, max_bytes=_MAX_REPLY_BYTES)
        self._headers = {"accept": "application/json", "content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"

    def confirmations(self, safe_tx_hash: str) -> list[Given] | None:
        """The signatures it has of a transaction, or ``None`` when it does not know it."""
        status, body = self._request("GET", f"/api/v1/multisig-transactions/{safe_tx_hash}/")
        if status == 404:
            return None
        try:
            if status != 200 or str(body["safeTxHash"]).lower() != safe_tx_hash.lower():
                raise ServiceFailed(f"HTTP status {status}")
            signatures = [c["signature"] for c in body.get("confirmations") or () if c.get("signature")]
            return [Given(safe_tx_hash.lower(), bytes.fromhex(str(s).removeprefix("0x"))) for s in signatures]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ServiceFailed("an answer of another form") from error

    def propose(self, safe: str, tx: SafeTx, safe_tx_hash: str, sender: str, signature: bytes) -> None:
        body: dict[str, Any] = {
            **tx.to_json(),
            "data": "0x" + tx.data.hex() if tx.data else None,
            "contractTransactionHash": safe_tx_hash,
            "sender": sender,
            "signature": "0x" + signature.hex(),
            "origin": "ship",
        }
        self._post(f"/api/v1/safes/{safe}/multisig-transactions/", body)

    def confirm(self, safe_tx_hash: str, signature: bytes) -> None:
        path = f"/api/v1/multisig-transactions/{safe_tx_hash}/confirmations/"
        self._post(path, {"signature": "0x" + signature.hex()})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        status, _ = self._request("POST", path, json.dumps(body).encode())
        if status not in {200, 201, 202}:
            raise ServiceFailed(f"HTTP status {status}")

    def _request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        try:
            response = self._http.request(method, path, body=body, headers=self._headers)
            return response.status, json.loads(response.body) if response.body and response.status == 200 else None
        except HttpFailed as error:
            raise ServiceFailed(str(error)) from error
        except (ValueError, RecursionError) as error:
            raise ServiceFailed(type(error).__name__) from error
