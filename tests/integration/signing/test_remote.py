"""The remote signer: a real node that signs for an unlocked account, and a proxy that makes it lie (faults 35 to 40)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from chains.errors import ShipError
from chains.evm.actions import Action
from chains.evm.transaction import Fees, UnsignedTransaction, decode_signed
from chains.rpc import Endpoint
from pipeline.manifest.project import load_project
from pipeline.manifest.redaction import HIDDEN, redact
from pipeline.manifest.target import Target, load_target
from pipeline.signing import remote
from pipeline.signing.base import SECP256K1_N, EvmSigner, SignatureRejected
from pipeline.signing.context import SignerNoAnswer, SignerUnavailable
from pipeline.signing.opening import open_backend, signer_address
from pipeline.signing.password import PasswordOptions
from pipeline.signing.policy import PlanPolicy
from pipeline.signing.remote import RemoteBackend
from tests.support import fault_proxy as fp
from tests.support.anvil import DEPLOYER, anvil
from tests.support.contracts import COUNTER, Workshop

SIGN = "eth_signTransaction"
SECOND = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
CANARY = "canary-token-5c1f0e7ab9d24"
FEES = Fees(2_000_000_000, 1)


@pytest.fixture(scope="module")
def node() -> Iterator[Any]:
    with anvil() as running:
        yield running


@pytest.fixture
def proxy(node: Any) -> Iterator[fp.FaultProxy]:
    with fp.fault_proxy(node.url) as running:
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "TIMEOUT_S", 0.8)


def _planned(fees: Fees) -> tuple[Callable[[Any], EvmSigner], UnsignedTransaction, Action]:
    workshop = Workshop(DEPLOYER, 3)
    workshop.call("pay", SECOND, b"\x01\x02", value_wei=7)
    plan = workshop.plan(31337, "0x" + "00" * 32, 0)[0]
    action = plan.actions[0]
    unsigned = UnsignedTransaction(31337, 3, SECOND, 7, b"\x01\x02", action.gas_limit, fees)
    return (lambda backend: EvmSigner(backend, PlanPolicy.of(plan))), unsigned, action


def _sign(proxy: fp.FaultProxy, fees: Fees = FEES, address: str = DEPLOYER) -> Any:
    signer, unsigned, action = _planned(fees)
    return signer(RemoteBackend(Endpoint(proxy.url), address)).sign(unsigned, action), unsigned


def _altered(change: Callable[[UnsignedTransaction, tuple[int, int, int]], bytes]) -> fp.Rule:
    """The node's own answer, taken apart and put together otherwise."""

    def value(proxy: fp.FaultProxy, call: fp.Call) -> str:
        raw = bytes.fromhex(proxy.forward(call)["result"][2:])
        return "0x" + change(*decode_signed(raw)).hex()

    return fp.result(value, SIGN)


def _resigned(**changes: Any) -> fp.Rule:
    """Another transaction, with a valid signature by the right key over it: what a dishonest signer would give."""

    def value(proxy: fp.FaultProxy, call: fp.Call) -> Any:
        asked = {**call["params"][0], **changes}
        return proxy.forward({**call, "params": [{k: v for k, v in asked.items() if v is not None}]})["result"]

    return fp.result(value, SIGN)


@pytest.mark.parametrize("fees", [Fees(2_000_000_000, 1), Fees(2_000_000_000, None)], ids=["type 2", "legacy"])
def test_a_whole_transaction_is_signed(proxy: fp.FaultProxy, fees: Fees) -> None:
    signed, unsigned = _sign(proxy, fees)
    assert Account.recover_transaction(signed.raw) == DEPLOYER
    assert decode_signed(signed.raw)[0].payload() == unsigned.payload()


def test_init_code_is_signed_without_a_recipient(proxy: fp.FaultProxy) -> None:
    workshop = Workshop(DEPLOYER, 0)
    workshop.create("First", COUNTER)
    plan = workshop.plan(31337, "0x" + "00" * 32, 0)[0]
    action = plan.actions[0]
    unsigned = UnsignedTransaction(31337, 0, None, 0, action.data, action.gas_limit, Fees(2_000_000_000, 1))
    signer = EvmSigner(RemoteBackend(Endpoint(proxy.url), DEPLOYER), PlanPolicy.of(plan))
    assert Account.recover_transaction(signer.sign(unsigned, action).raw) == DEPLOYER


def test_the_answer_form_of_clef_is_taken(proxy: fp.FaultProxy) -> None:
    proxy.add(fp.result(lambda p, call: {"raw": p.forward(call)["result"], "tx": {"nonce": "0x3"}}, SIGN))
    signed, _ = _sign(proxy)
    assert Account.recover_transaction(signed.raw) == DEPLOYER


def test_36_high_s_is_folded(proxy: fp.FaultProxy) -> None:
    proxy.add(_altered(lambda tx, rsv: tx.with_signature(rsv[0], SECP256K1_N - rsv[1], 1 - rsv[2]).raw))
    signed, _ = _sign(proxy)
    assert decode_signed(signed.raw)[1][1] <= SECP256K1_N // 2
    assert Account.recover_transaction(signed.raw) == DEPLOYER


@pytest.mark.parametrize(
    "changes",
    [
        {"to": DEPLOYER},
        {"to": None},
        {"value": "0x8"},
        {"data": "0x0103", "input": "0x0103"},
        {"nonce": "0x4"},
        {"gas": "0x186a1"},
        {"maxFeePerGas": "0x77359401"},
        {"maxPriorityFeePerGas": "0x2"},
        {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": "0x77359400"},
    ],
    ids=str,
)
def test_38_another_transaction_with_a_valid_signature_is_refused(proxy: fp.FaultProxy, changes: Any) -> None:
    proxy.add(_resigned(**changes))
    with pytest.raises(SignatureRejected, match="another transaction") as caught:
        _sign(proxy)
    assert caught.value.exit_code == 2


def test_type_2_is_refused_where_legacy_was_asked_for(proxy: fp.FaultProxy) -> None:
    proxy.add(_resigned(gasPrice=None, maxFeePerGas="0x77359400", maxPriorityFeePerGas="0x77359400"))
    with pytest.raises(SignatureRejected, match="another transaction"):
        _sign(proxy, Fees(2_000_000_000, None))


def test_35_another_keys_signature_is_refused(proxy: fp.FaultProxy) -> None:
    proxy.add(_resigned(**{"from": SECOND}))
    with pytest.raises(SignatureRejected, match="was not made by"):
        _sign(proxy)


@pytest.mark.parametrize("at", range(3), ids=["r", "s", "s zero"])
def test_39_a_corrupted_signature_is_refused(proxy: fp.FaultProxy, at: int) -> None:
    broken = [lambda r, s: (r ^ 1, s), lambda r, s: (r, s ^ 1), lambda r, s: (r, 0)][at]
    proxy.add(_altered(lambda tx, rsv: tx.with_signature(*broken(*rsv[:2]), rsv[2]).raw))
    with pytest.raises(SignatureRejected):
        _sign(proxy)


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_39_truncated_bytes_are_refused(proxy: fp.FaultProxy, cut: int) -> None:
    proxy.add(fp.result(lambda p, call: "0x" + p.forward(call)["result"][2:][: 2 * cut or None if cut else 0], SIGN))
    with pytest.raises(SignatureRejected):
        _sign(proxy)


@pytest.mark.parametrize("value", [None, 7, "", "0xzz", {"tx": {}}, {"raw": None}, [], True], ids=str)
def test_an_answer_that_is_no_transaction_at_all_stops_the_run(proxy: fp.FaultProxy, value: Any) -> None:
    proxy.add(fp.result(value, SIGN))
    with pytest.raises(SignerNoAnswer) as caught:
        _sign(proxy)
    assert caught.value.exit_code == 3


@pytest.mark.usefixtures("quick")
def test_37_no_answer_in_time_stops_the_run(proxy: fp.FaultProxy) -> None:
    proxy.add(fp.delay(3.0, SIGN))
    with pytest.raises(SignerNoAnswer) as caught:
        _sign(proxy)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "rule",
    [fp.drop_before(SIGN), fp.truncated(SIGN), fp.garbage(SIGN), fp.wrong_id(SIGN), fp.oversized(33 << 20, SIGN)],
    ids=lambda rule: str(rule.name),
)
def test_37_no_usable_answer_stops_the_run(proxy: fp.FaultProxy, rule: fp.Rule) -> None:
    proxy.add(rule)
    with pytest.raises(SignerNoAnswer):
        _sign(proxy)


@pytest.mark.parametrize("status", [401, 403])
def test_40_a_token_that_is_no_longer_taken_stops_the_run(proxy: fp.FaultProxy, status: int) -> None:
    proxy.add(fp.http_status(status, SIGN, after=1))
    assert _sign(proxy)
    with pytest.raises(SignerNoAnswer, match="token") as caught:
        _sign(proxy)
    assert caught.value.exit_code == 3
    assert "Renew" in caught.value.remedy


@pytest.mark.parametrize(
    "rule", [fp.http_status(429, SIGN), fp.rpc_error(-32005, "limit", SIGN)], ids=["429", "-32005"]
)
def test_a_busy_signer_is_asked_again(proxy: fp.FaultProxy, rule: fp.Rule) -> None:
    proxy.add(rule)
    assert _sign(proxy)
    assert rule.fired == 1


@pytest.mark.usefixtures("quick")
def test_one_that_stays_busy_is_given_up_in_time(proxy: fp.FaultProxy) -> None:
    proxy.add(fp.http_status(429, SIGN, times=None))
    with pytest.raises(SignerNoAnswer, match="busy"):
        _sign(proxy)


def test_a_signer_that_says_no_is_believed(proxy: fp.FaultProxy) -> None:
    proxy.add(fp.rpc_error(-32000, "account\x1b[2J locked", SIGN))
    with pytest.raises(SignerUnavailable) as caught:
        _sign(proxy)
    assert caught.value.exit_code == 2
    assert "\x1b" not in caught.value.cause


# -- opening ---------------------------------------------------------------------------------------------------------


def _target(tmp_path: Path, url: str, address: str | None = DEPLOYER, token: str = "") -> Target:
    root = tmp_path / "project"
    (root / "manifests").mkdir(parents=True)
    (root / "ship.toml").write_text('schema = 1\n[project]\nname = "p"\nversion = "1.0.0"\n')
    lines = ["schema = 1", 'extends = "builtin:local"', "[signer]", 'backend = "remote"', f"url = {json.dumps(url)}"]
    lines += [f'address = "{address}"'] if address else []
    lines += [f'token = "{token}"'] if token else []
    (root / "manifests" / "local.toml").write_text("\n".join(lines) + "\n")
    return load_target(load_project(root), "local")


def test_the_pinned_address_has_to_be_one_of_the_signers(proxy: fp.FaultProxy, tmp_path: Path) -> None:
    target = _target(tmp_path, proxy.url, SECOND)
    assert signer_address(target, tmp_path) == SECOND
    assert open_backend(target, tmp_path, PasswordOptions()).address == SECOND
    proxy.add(fp.result([DEPLOYER.lower()], "eth_accounts"))
    with pytest.raises(SignerUnavailable, match="no key for"):
        signer_address(target, tmp_path)


def test_without_a_pin_a_key_is_shown_but_not_used(proxy: fp.FaultProxy, tmp_path: Path) -> None:
    target = _target(tmp_path, proxy.url, None)
    with pytest.raises(SignerUnavailable, match="10 accounts"):
        signer_address(target, tmp_path)
    proxy.add(fp.result([DEPLOYER.lower()], "eth_accounts", times=None))
    assert signer_address(target, tmp_path) == DEPLOYER
    with pytest.raises(SignerUnavailable, match="pinned"):
        open_backend(target, tmp_path, PasswordOptions())


@pytest.mark.parametrize("value", [None, {}, ["0x12"], [7], "0x" + "11" * 20, ["0x" + "zz" * 20]], ids=str)
def test_a_list_of_accounts_that_is_none_stops_the_run(proxy: fp.FaultProxy, tmp_path: Path, value: Any) -> None:
    proxy.add(fp.result(value, "eth_accounts"))
    with pytest.raises(SignerNoAnswer):
        signer_address(_target(tmp_path, proxy.url), tmp_path)


def test_http_is_for_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(SignerUnavailable, match="http://"):
        signer_address(_target(tmp_path, "http://10.1.2.3:9000"), tmp_path)


def _serve(reply: Callable[[BaseHTTPRequestHandler], None]) -> tuple[HTTPServer, str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            reply(self)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


def test_the_token_goes_to_the_signer_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a header of the request; a redirect does not get it; no message or repr shows it."""
    monkeypatch.setenv("SIGNER_TOKEN", CANARY)
    seen: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        seen.append(f"elsewhere {handler.headers['authorization']}")
        handler.send_response(200)
        handler.end_headers()

    other, other_url = _serve(elsewhere)

    def redirect(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["authorization"])
        handler.send_response(307)
        handler.send_header("location", other_url)
        handler.send_header("content-length", "0")
        handler.end_headers()

    server, url = _serve(redirect)
    try:
        with pytest.raises(SignerNoAnswer, match="redirect") as caught:
            signer_address(_target(tmp_path, url, token="env:SIGNER_TOKEN"), tmp_path)
    finally:
        for running in (server, other):
            running.shutdown()
            running.server_close()
    assert seen == [f"Bearer {CANARY}"]
    error: ShipError = caught.value
    assert CANARY not in f"{error!r} {error.cause} {error.remedy} {error.__cause__!r}"
    backend = RemoteBackend(Endpoint(url, headers={"authorization": f"Bearer {CANARY}"}), DEPLOYER)
    assert CANARY not in f"{backend!r} {backend._endpoint!r}"
    assert redact(f"x {CANARY}") == f"x {HIDDEN}"


def test_a_token_that_would_break_the_header_is_refused_unshown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNER_TOKEN", f"{CANARY}\r\nx: y")
    with pytest.raises(SignerUnavailable) as caught:
        signer_address(_target(tmp_path, "http://127.0.0.1:1", token="env:SIGNER_TOKEN"), tmp_path)
    assert CANARY not in str(caught.value) + caught.value.cause


def test_a_planned_transaction_that_was_changed_never_reaches_the_signer(proxy: fp.FaultProxy) -> None:
    signer, unsigned, action = _planned(Fees(2_000_000_000, 1))
    with pytest.raises(ShipError, match="the value"):
        signer(RemoteBackend(Endpoint(proxy.url), DEPLOYER)).sign(replace(unsigned, value_wei=8), action)
    assert SIGN not in proxy.calls
