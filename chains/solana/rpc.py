"""What is read from a cluster, typed, over the endpoints of ``chains.rpc``.

An answer that is not of the published shape is no answer (``Unusable``). One provider's word is enough to act on where a
mistake costs a fee; where it could cost a second deployment, ``each`` asks all of them (design law 3).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chains.errors import Refused, Resumable
from chains.rpc import Endpoint, Request, Rpc, RpcFault, RpcUnknown
from chains.solana.layouts import LOADER, Account

__all__ = ["Blockhash", "Cluster", "ClusterMismatch", "Height", "Status", "Unusable"]

Commitment = Literal["processed", "confirmed", "finalized"]
_STATUSES_AT_ONCE = 256


class Unusable(Resumable):
    """SHIP-Q04: a node answered with something that is not what was asked for."""

    code = "SHIP-Q04"


class ClusterMismatch(Refused):
    """SHIP-Q05: an endpoint serves another cluster than the target's."""

    code = "SHIP-Q05"


@dataclass(frozen=True)
class Blockhash:
    """A recent blockhash; transactions with it can land up to this block height."""

    hash: str
    last_valid_height: int


@dataclass(frozen=True)
class Height:
    """Where a node stands at some commitment."""

    slot: int
    block_height: int


@dataclass(frozen=True)
class Status:
    """What a node knows of a signature. ``error`` is the cluster's own JSON, ``None`` where it succeeded."""

    slot: int
    error: Any
    commitment: str


class Cluster:
    """Reads of one cluster. ``slot`` is the highest one any read was made at: nothing older is taken for an answer."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.slots: dict[str, int] = {}

    def hold_to(self, genesis_hash: str) -> None:
        """Believe only endpoints with this genesis, from now on and after every absence. Raises ``ClusterMismatch``."""

        def guard(endpoint: Endpoint) -> None:
            answer = endpoint.batch([("getGenesisHash", [])])[0]
            if isinstance(answer, RpcFault):
                raise RpcUnknown(f"{endpoint.label}: {answer}")
            if answer != genesis_hash:
                raise ClusterMismatch(
                    f"{endpoint.label} serves the cluster with genesis {answer}, the target is {genesis_hash}",
                    remedy="Correct the endpoints in the target's manifest.",
                )

        self.rpc.guard = guard
        for endpoint in self.rpc.endpoints:
            try:
                guard(endpoint)
            except RpcUnknown:
                self.rpc.put_aside(endpoint)

    def genesis_hash(self) -> str:
        return _text(self.rpc.read("getGenesisHash", []))

    def accounts(self, keys: Sequence[str], commitment: Commitment) -> dict[str, Account | None]:
        """What lies at the addresses, from one node at one slot, never from before an earlier answer's."""
        found = _accounts(self.rpc.read("getMultipleAccounts", [list(keys), self._config(commitment)]), keys)
        return self._seen(found, commitment)

    def each(
        self, keys: Sequence[str], signatures: Sequence[str]
    ) -> Iterator[tuple[str, Height, dict[str, Account | None], list[Status | None]]]:
        """From every provider: where finality stands, then the final accounts and all that is known of the signatures.

        In this order, so that what the accounts do not show cannot have happened up to that height.
        """
        for endpoint in self.rpc.endpoints:
            try:
                height = _height(_value(endpoint.batch([("getEpochInfo", [{"commitment": "finalized"}])])[0]))
                config = {"encoding": "base64", "commitment": "finalized", "minContextSlot": height.slot}
                requests: list[Request] = [("getMultipleAccounts", [list(keys), config])]
                if signatures:
                    requests.append(("getSignatureStatuses", [list(signatures), {"searchTransactionHistory": True}]))
                answers = [_value(answer) for answer in endpoint.batch(requests)]
                statuses = _statuses(answers[1], len(signatures)) if signatures else []
                yield endpoint.label, height, _accounts(answers[0], keys), statuses
            except (RpcUnknown, Unusable):
                self.rpc.put_aside(endpoint)

    def balance(self, key: str) -> int:
        return _whole(_dict(self.rpc.read("getBalance", [key, {"commitment": "confirmed"}])).get("value"))

    def rent(self, space: int) -> int:
        return _whole(self.rpc.read("getMinimumBalanceForRentExemption", [space]))

    def blockhash(self) -> Blockhash:
        value = _dict(_dict(self.rpc.read("getLatestBlockhash", [{"commitment": "confirmed"}])).get("value"))
        return Blockhash(_text(value.get("blockhash")), _whole(value.get("lastValidBlockHeight")))

    def height(self, commitment: Commitment) -> Height:
        return _height(self.rpc.read("getEpochInfo", [{"commitment": commitment}]))

    def block_time_s(self, slot: int) -> int | None:
        """When the block of ``slot`` was made, in seconds since 1970; ``None`` if the node does not say."""
        (answer,) = self.rpc.read_all([("getBlockTime", [slot])])
        return answer if isinstance(answer, int) and not isinstance(answer, bool) and answer >= 0 else None

    def statuses(self, signatures: Sequence[str]) -> dict[str, Status]:
        """Of those that are known."""
        known: dict[str, Status] = {}
        for start in range(0, len(signatures), _STATUSES_AT_ONCE):
            some = list(signatures[start : start + _STATUSES_AT_ONCE])
            answer = self.rpc.read("getSignatureStatuses", [some, {"searchTransactionHistory": False}])
            found = zip(some, _statuses(answer, len(some)), strict=True)
            known |= {signature: status for signature, status in found if status}
        return known

    def recent_fees(self, keys: Sequence[str]) -> list[Any]:
        answer = self.rpc.read("getRecentPrioritizationFees", [list(keys)])
        return answer if isinstance(answer, list) else []

    def simulate(self, raw: bytes) -> tuple[Any, list[str], int]:
        """Error (``None``: it would succeed), logs, compute units used. Signatures may be zeros, the blockhash any."""
        config = {
            "encoding": "base64",
            "commitment": "confirmed",
            "sigVerify": False,
            "replaceRecentBlockhash": True,
        }
        answer = _dict(self.rpc.read("simulateTransaction", [base64.b64encode(raw).decode(), config]))
        value = _dict(answer.get("value"))
        logs = [str(line) for line in value.get("logs") or []]
        return value.get("err"), logs, _whole(value.get("unitsConsumed") or 0)

    def buffers_of(self, authority: str) -> list[tuple[str, int]]:
        """Address and lamports of every buffer this key is the authority of."""
        # u32 1, option 1: base58 of the first five bytes of such an account.
        filters = [
            {"memcmp": {"offset": 0, "bytes": base64.b64encode(b"\1\0\0\0\1").decode(), "encoding": "base64"}},
            {"memcmp": {"offset": 5, "bytes": authority}},
        ]
        config = {
            "encoding": "base64",
            "commitment": "confirmed",
            "filters": filters,
            "dataSlice": {"offset": 0, "length": 37},
        }
        answer = self.rpc.read("getProgramAccounts", [str(LOADER), config])
        if not isinstance(answer, list):
            raise _unusable("a list of accounts", answer)
        found = (
            (_text(_dict(e).get("pubkey")), _whole(_dict(_dict(e).get("account")).get("lamports"))) for e in answer
        )
        return sorted(found)

    def send(self, raws: Sequence[bytes], *, widely: bool = False) -> list[str]:
        """Hand signed transactions on; the hints say what nodes answered, and decide nothing."""
        return self.rpc.send_all([send_request(raw) for raw in raws], widely=widely)

    def _config(self, commitment: Commitment) -> dict[str, Any]:
        config: dict[str, Any] = {"encoding": "base64", "commitment": commitment}
        if commitment in self.slots:
            config["minContextSlot"] = self.slots[commitment]
        return config

    def _seen(self, found: dict[str, Account | None], commitment: Commitment) -> dict[str, Account | None]:
        slots = [account.slot for account in found.values() if account]
        self.slots[commitment] = max([self.slots.get(commitment, 0), *slots])
        return found


def send_request(raw: bytes) -> Request:
    """Without preflight, whose verdict would be one node's word, and with no repeats but our own."""
    config = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
    return ("sendTransaction", [base64.b64encode(raw).decode(), config])


def _unusable(wanted: str, answer: Any) -> Unusable:
    return Unusable(f"a node gave {type(answer).__name__} in place of {wanted}", remedy="Run the same command again.")


def _value(answer: Any) -> Any:
    if isinstance(answer, RpcFault):
        raise RpcUnknown(str(answer))
    return answer


def _dict(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise _unusable("an object", answer)
    return answer


def _text(answer: Any) -> str:
    if not isinstance(answer, str):
        raise _unusable("a string", answer)
    return answer


def _whole(answer: Any) -> int:
    if not isinstance(answer, int) or isinstance(answer, bool) or not 0 <= answer < 1 << 64:
        raise _unusable("a whole number", answer)
    return answer


def _height(answer: Any) -> Height:
    found = _dict(answer)
    return Height(_whole(found.get("absoluteSlot")), _whole(found.get("blockHeight")))


def _accounts(answer: Any, keys: Sequence[str]) -> dict[str, Account | None]:
    whole = _dict(answer)
    slot, values = _whole(_dict(whole.get("context")).get("slot")), whole.get("value")
    if not isinstance(values, list) or len(values) != len(keys):
        raise _unusable(f"{len(keys)} accounts", values)
    return {key: _account(value, slot) for key, value in zip(keys, values, strict=True)}


def _account(value: Any, slot: int) -> Account | None:
    if value is None:
        return None
    found = _dict(value)
    data = found.get("data")
    if not isinstance(data, list) or len(data) != 2 or data[1] != "base64" or not isinstance(data[0], str):
        raise _unusable("an account's data in base64", data)
    try:
        body = base64.b64decode(data[0], validate=True)
    except binascii.Error as error:
        raise _unusable("base64", data[0]) from error
    owner, lamports = _text(found.get("owner")), _whole(found.get("lamports"))
    return Account(lamports, owner, body, bool(found.get("executable")), slot)


def _statuses(answer: Any, count: int) -> list[Status | None]:
    values = _dict(answer).get("value")
    if not isinstance(values, list) or len(values) != count:
        raise _unusable(f"{count} statuses", values)
    return [_status(value) for value in values]


def _status(value: Any) -> Status | None:
    if value is None:
        return None
    found = _dict(value)
    return Status(_whole(found.get("slot")), found.get("err"), str(found.get("confirmationStatus")))
