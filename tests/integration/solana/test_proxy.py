"""The fault proxy in front of a Solana node does what each of its faults says."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message
from solders.system_program import TransferParams, transfer
from solders.transaction import Transaction

from chains.rpc import Endpoint, RpcFault, RpcUnknown
from tests.support.fault_proxy import drop_after, drop_before, duplicate, http_status
from tests.support.solana_node import SolanaNode
from tests.support.solana_proxy import (
    SEND,
    SolanaProxy,
    already_processed,
    expired_before_send,
    forked_away,
    frozen,
    solana_proxy,
    stale,
    swallow_send,
)


@pytest.fixture
def proxy(node: SolanaNode) -> Iterator[SolanaProxy]:
    with solana_proxy(node.url) as one:
        yield one


class Client:
    """Sends one transfer through the proxy, again and again."""

    def __init__(self, node: SolanaNode, proxy: SolanaProxy) -> None:
        payer, hashed = node.funded(), Hash.from_string(node.blockhash("finalized"))
        move = transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=Keypair().pubkey(), lamports=10**7))
        made = Transaction([payer], Message.new_with_blockhash([move], payer.pubkey(), hashed), hashed)
        self.signature, self.raw = str(made.signatures[0]), base64.b64encode(bytes(made)).decode()
        self._endpoint = Endpoint(proxy.url)

    def ask(self, method: str, *params: object) -> object:
        return self._endpoint.batch([(method, list(params))])[0]

    def send(self) -> object:
        return self.ask(SEND, self.raw, {"encoding": "base64", "preflightCommitment": "processed"})


@pytest.fixture
def client(node: SolanaNode, proxy: SolanaProxy) -> Client:
    return Client(node, proxy)


@pytest.mark.parametrize(("rule", "landed"), [(drop_before(SEND), False), (drop_after(SEND), True)])
def test_a_lost_answer_says_nothing_of_what_happened(node, proxy, client, rule, landed):
    proxy.add(rule)
    with pytest.raises(RpcUnknown):
        client.send()
    assert (node.status(client.signature) is not None) is landed
    assert proxy.sent == ([client.signature] if landed else [])


def test_a_busy_node(node, proxy, client):
    proxy.add(http_status(429, SEND))
    with pytest.raises(RpcUnknown):
        client.send()
    assert client.send() == client.signature


def test_a_swallowed_send_is_answered_and_never_lands(node, proxy, client):
    proxy.add(swallow_send())
    assert client.send() == client.signature
    node.advance(40)
    assert node.status(client.signature) is None
    assert proxy.sent == []


@pytest.mark.parametrize("rule", [duplicate(SEND), already_processed()])
def test_delivered_twice_it_lands_once_and_the_answer_complains(node, proxy, client, rule):
    proxy.add(rule)
    answer = client.send()
    assert isinstance(answer, RpcFault)
    assert "already been processed" in answer.message
    assert node.status(client.signature)
    assert proxy.sent == [client.signature] * 2


def test_a_blockhash_that_expires_on_the_way(node, proxy, client):
    proxy.add(expired_before_send())
    answer = client.send()
    assert isinstance(answer, RpcFault)
    assert "Blockhash not found" in answer.message
    assert node.status(client.signature) is None


def test_processed_and_forked_away_it_can_be_sent_again(node, proxy, client):
    proxy.add(forked_away())
    assert client.send() == client.signature
    assert node.status(client.signature) is None
    assert client.send() == client.signature
    assert node.status(client.signature)


def test_a_stale_node_has_seen_only_what_is_final(node, proxy, client):
    proxy.add(stale("getSlot"))
    assert node.call("getSlot", {"commitment": "processed"}) - client.ask("getSlot", {"commitment": "processed"}) == 32


def test_a_frozen_node_says_the_same_for_ever(node, proxy, client):
    proxy.add(frozen("getBlockHeight"))
    config = {"commitment": "processed"}
    first = client.ask("getBlockHeight", config)
    node.advance(200)
    assert client.ask("getBlockHeight", config) == first
    proxy.clear()
    assert client.ask("getBlockHeight", config) == first + 200  # type: ignore[operator]
