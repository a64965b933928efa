"""The ``remote`` backend: a signer that is asked by ``eth_signTransaction`` (Web3Signer, clef, a node with unlocked keys).

It sees the whole transaction, may have rules of its own, and may answer with another one: ``pipeline.signing.base`` decodes
what comes back and holds it against what was asked. Both forms of answer are taken: the raw transaction (Web3Signer:
https://docs.web3signer.consensys.io/reference/api/json-rpc) and ``{raw, tx}`` (clef, geth:
https://geth.ethereum.org/docs/interacting-with-geth/rpc/ns-eth).
"""

from __future__ import annotations

import ipaddress
import random
from typing import Any
from urllib.parse import urlsplit

from chains.base import Clock, SystemClock
from chains.evm.transaction import UnsignedTransaction
from chains.rpc import Endpoint, RpcFault, RpcUnknown, UrlRefused
from pipeline.manifest.secrets import resolve_endpoint
from pipeline.signing.base import Assurance
from pipeline.signing.context import SignerContext, SignerNoAnswer, SignerUnavailable

__all__ = ["RemoteBackend", "evm_address", "open_evm"]

TIMEOUT_S = 20.0
"""For one signature, every attempt included. A clef that waits for a person's yes gives it within this time."""
_MAX_RAW_BYTES = 1024 * 1024
_BUSY_STATUSES = frozenset({429, 502, 503, 504})
_BUSY_FAULTS = frozenset({-32005, 429})
_RIGHTS_STATUSES = frozenset({401, 403})


class RemoteBackend:
    """One key of a remote signer. Signing twice does no harm: what counts is what the journal holds."""

    name = "remote"
    assurance: Assurance = "service"

    def __init__(self, endpoint: Endpoint, address: str, clock: Clock | None = None) -> None:
        self.address = address
        self._endpoint = endpoint
        self._clock = clock or SystemClock()

    def __repr__(self) -> str:
        return f"RemoteBackend({self.address} at {self._endpoint.label})"

    def sign_transaction(self, unsigned: UnsignedTransaction) -> bytes:
        """The raw signed transaction as it came back, unchecked. Raises ``SignerUnavailable``, ``SignerNoAnswer``."""
        answer = self.ask("eth_signTransaction", [_request(unsigned, self.address)])
        raw = answer.get("raw") if isinstance(answer, dict) else answer
        try:
            if not isinstance(raw, str) or not raw.startswith("0x") or len(raw) > 2 * _MAX_RAW_BYTES:
                raise ValueError
            return bytes.fromhex(raw[2:])
        except ValueError:
            raise self._no_answer("answered with something that is not a signed transaction") from None

    def ask(self, method: str, params: list[Any]) -> Any:
        """One result; a busy signer is asked again, with growing pauses, within ``TIMEOUT_S``."""
        deadline_s = self._clock.monotonic_s() + TIMEOUT_S
        pause_s = 0.25
        while True:
            left_s = deadline_s - self._clock.monotonic_s()
            self._endpoint.timeout_s = max(min(TIMEOUT_S, left_s), 0.1)
            try:
                answer = self._endpoint.batch([(method, params)])[0]
            except RpcUnknown as error:
                if error.status not in _BUSY_STATUSES:
                    raise self._unusable(error) from None
                said = f"is busy (HTTP status {error.status})"
            else:
                if not isinstance(answer, RpcFault):
                    return answer
                if answer.code not in _BUSY_FAULTS:
                    raise self._refused(method, answer)
                said = f"is busy ({answer.code})"
            pause_s = min(2 * pause_s, 4.0)
            wait_s = pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            if self._clock.monotonic_s() + wait_s >= deadline_s:
                raise self._no_answer(said)
            self._clock.sleep_s(wait_s)

    def _unusable(self, error: RpcUnknown) -> SignerNoAnswer:
        if error.status in _RIGHTS_STATUSES:
            return self._no_answer(
                f"no longer takes, or never took, our token (HTTP status {error.status})",
                "Renew what `token` under [signer] refers to, then run the same command again.",
            )
        if error.status is not None and 300 <= error.status < 400:
            return self._no_answer(
                "answered with a redirect, which is not followed: it would get the token",
                "Set `url` under [signer] to where the signer really is.",
            )
        return self._no_answer(f"gave no usable answer ({error})")

    def _no_answer(
        self, what: str, remedy: str = "See that the signer runs, then run the same command again."
    ) -> SignerNoAnswer:
        return SignerNoAnswer(f"the remote signer {self._endpoint.label} {what}", remedy=remedy)

    def _refused(self, method: str, fault: RpcFault) -> SignerUnavailable:
        return SignerUnavailable(
            f"the remote signer {self._endpoint.label} refuses {method} for {self.address}: {fault}",
            remedy="See the signer's own log: an unknown or locked key, a rule of its own, or another chain id.",
        )


def _request(unsigned: UnsignedTransaction, sender: str) -> dict[str, str]:
    """Both names of the payload: signers differ in which they read, and those that know both want them equal."""
    data = "0x" + unsigned.data.hex()
    fields = {
        "from": sender,
        "gas": hex(unsigned.gas_limit),
        "value": hex(unsigned.value_wei),
        "nonce": hex(unsigned.nonce),
        "data": data,
        "input": data,
        "chainId": hex(unsigned.chain_id),
    }
    if unsigned.to is not None:
        fields["to"] = unsigned.to
    if unsigned.fees.priority_wei is None:
        return {**fields, "gasPrice": hex(unsigned.fees.max_wei)}
    return {
        **fields,
        "maxFeePerGas": hex(unsigned.fees.max_wei),
        "maxPriorityFeePerGas": hex(unsigned.fees.priority_wei),
    }


def _opened(context: SignerContext, address: str) -> RemoteBackend:
    assert context.spec.url is not None
    url = resolve_endpoint(
        context.spec.url,
        context.root,
        allow_hosts=context.target.spec.network.allow_hosts,
        where=context.where("url"),
    )
    if url.startswith("http://") and not _loopback(url):
        raise context.unavailable(
            "the remote signer is asked over http://, and is not on this machine: anyone on the way could take the token",
            "url",
            "Use https://, or a tunnel that ends on 127.0.0.1.",
        )
    token = context.secret("token")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise context.unavailable(
            "the token holds characters that no HTTP header can carry", "token", "Store the token alone, on one line."
        )
    try:
        endpoint = Endpoint(url, headers={"authorization": f"Bearer {token}"} if token else {})
    except UrlRefused:
        raise context.unavailable("`url` is not an http:// or https:// URL", "url", "Correct it.") from None
    return RemoteBackend(endpoint, address)


def _loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def evm_address(context: SignerContext) -> str:
    """The pinned address, once the signer says that it has the key; without a pin its one and only account."""
    pinned = context.spec.address
    backend = _opened(context, pinned or "any account")
    accounts = backend.ask("eth_accounts", [])
    if not isinstance(accounts, list) or not all(_is_address(account) for account in accounts):
        raise SignerNoAnswer(
            "the remote signer answered eth_accounts with something that is not a list of addresses",
            remedy="See that `url` under [signer] is the signer's JSON-RPC address, then run the same command again.",
        )
    from chains.evm.address import checksum

    found = [checksum(account) for account in accounts]
    if pinned is not None:
        if pinned.lower() not in {account.lower() for account in found}:
            raise context.unavailable(
                f"the remote signer has no key for {pinned} (it has {_counted(found)})",
                "address",
                "Load the key there, or correct `address`.",
            )
        return pinned
    if len(found) != 1:
        raise context.unavailable(
            f"the remote signer has {_counted(found)}, and the target does not say which one signs",
            remedy="Set `address` under [signer].",
        )
    return found[0]


def _is_address(account: Any) -> bool:
    try:
        return isinstance(account, str) and account.startswith("0x") and len(bytes.fromhex(account[2:])) == 20
    except ValueError:
        return False


def _counted(accounts: list[str]) -> str:
    return f"{len(accounts)} accounts: {', '.join(accounts[:5])}" if accounts else "no accounts"


def open_evm(context: SignerContext) -> RemoteBackend:
    return _opened(context, evm_address(context))
