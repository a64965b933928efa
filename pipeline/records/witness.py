"""The chain through web3.py: a client that shares no code with the engine, so that neither can repeat the other's mistake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from eth_account import Account
from requests.exceptions import RequestException
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, TransactionNotFound, Web3Exception
from web3.middleware import ExtraDataToPOAMiddleware

__all__ = ["Unanswered", "Witness", "keccak_hex", "recover_signer"]

Answer = TypeVar("Answer")


class Unanswered(Exception):
    """An endpoint gave no usable answer. The text holds no URL."""


def keccak_hex(data: bytes) -> str:
    """keccak-256 as 0x hex, computed by web3."""
    return "0x" + bytes(Web3.keccak(data)).hex()


def recover_signer(raw: bytes) -> str:
    """The address that signed a raw transaction, as eth_account recovers it. Raises ``ValueError``."""
    try:
        return str(Account.recover_transaction(raw))
    except Exception as error:  # eth_account, eth_rlp and eth_keys each have exceptions of their own
        raise ValueError(type(error).__name__) from error


class Witness:
    """One endpoint. Answers are remembered; ``None`` stands for what it does not know."""

    def __init__(self, url: str, label: str, timeout_s: float) -> None:
        self.label = label
        provider = HTTPProvider(
            url,
            request_kwargs={"timeout": timeout_s, "allow_redirects": False},
            exception_retry_configuration=None,
        )
        self._web3 = Web3(provider)
        self._web3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self._blocks: dict[int, str | None] = {}

    def _ask(self, question: Callable[[], Answer]) -> Answer | None:
        try:
            return question()
        except (TransactionNotFound, BlockNotFound):
            return None
        except (Web3Exception, RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise Unanswered(f"{self.label}: {type(error).__name__}") from error

    def chain_id(self) -> int | None:
        return self._ask(lambda: int(self._web3.eth.chain_id))

    def block_hash(self, number: int) -> str | None:
        """The hash of the canonical block ``number``."""
        if number not in self._blocks:
            self._blocks[number] = self._ask(lambda: "0x" + bytes(self._web3.eth.get_block(number)["hash"]).hex())
        return self._blocks[number]

    def receipt(self, transaction: str) -> dict[str, Any] | None:
        found = self._ask(lambda: self._web3.eth.get_transaction_receipt(transaction))  # type: ignore[arg-type]
        return dict(found) if found is not None else None

    def transaction(self, transaction: str) -> dict[str, Any] | None:
        found = self._ask(lambda: self._web3.eth.get_transaction(transaction))  # type: ignore[arg-type]
        return dict(found) if found is not None else None

    def code(self, address: str) -> bytes:
        return bytes(self._ask(lambda: self._web3.eth.get_code(address)) or b"")  # type: ignore[arg-type]

    def slot(self, address: str, slot: str) -> bytes:
        found = self._ask(lambda: self._web3.eth.get_storage_at(address, int(slot, 16)))  # type: ignore[arg-type]
        return bytes(found or b"").rjust(32, b"\0")

    def call(self, to: str, data: bytes) -> bytes | None:
        """``eth_call``; ``None`` when it reverts."""
        from web3.exceptions import ContractLogicError

        try:
            return bytes(self._web3.eth.call({"to": to, "data": data}))
        except ContractLogicError:
            return None
        except (Web3Exception, RequestException, ValueError, TypeError, KeyError) as error:
            raise Unanswered(f"{self.label}: {type(error).__name__}") from error
