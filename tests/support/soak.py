"""One seeded run of the soak: random faults, kills and reorganizations around the real runner process, then the oracles.

Everything random is drawn from the seed: number of providers, window, finality, faults, where the process is killed and
when the chain is reorganized. Only the scheduler of the machine is not, so a seed repeats the faults, not each race.
"""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chains.errors import NeedsPerson, Refused
from chains.rpc import RpcUnknown
from tests.support import fault_proxy as fp
from tests.support.anvil import KEY, Anvil, anvil
from tests.support.deployment import Rig, save_for_runner
from tests.support.fault_proxy import SEND, FaultProxy, Rule
from tests.support.zygote import Child, Zygote

PLANTED = "PLANTEDKEY0123456789"
ATTEMPTS = 6
LONGEST_S = 60.0
REORG_DEPTH = 3
FAST: dict[str, Any] = {"wait_s": 2.0, "patience_s": 1.5, "timeout_s": 2.0, "stuck_after_s": 0.5}


@dataclass
class Report:
    """What happened in one run, for the line that is printed."""

    seed: int
    exits: list[int] = field(default_factory=list)
    kills: int = 0
    reorgs: int = 0
    faults: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: exits {self.exits}, {self.kills} kills, {self.reorgs} reorgs, "
            f"{self.faults} faults, {self.seconds:.1f} s"
        )


def _rules(choice: random.Random) -> list[Rule]:
    """Some of the catalogue, each with a chance of its own."""

    def some(most: float) -> dict[str, Any]:
        return {"times": None, "chance": choice.uniform(0.02, most)}

    def frozen(proxy: FaultProxy, call: dict[str, Any]) -> Any:
        return hex(max(int(proxy.forward(call)["result"], 16) - 1, 0))

    every: list[Callable[[], Rule]] = [
        lambda: fp.drop_before(**some(0.1)),
        lambda: fp.drop_before(SEND, **some(0.5)),
        lambda: fp.drop_after(SEND, **some(0.5)),
        lambda: fp.http_status(choice.choice([429, 502, 503]), **some(0.1)),
        lambda: fp.http_status(503, SEND, forwarded=True, **some(0.4)),
        lambda: fp.rpc_error(-32603, "internal error", **some(0.1)),
        lambda: fp.rpc_error(-32000, "nonce too low", SEND, **some(0.4)),
        lambda: fp.rpc_error(-32000, "already known", SEND, forwarded=choice.random() < 0.5, **some(0.4)),
        lambda: fp.swallow(**some(0.5)),
        lambda: fp.duplicate(SEND, **some(0.5)),
        lambda: fp.result(None, *fp.RECEIPTS, **some(0.5)),
        lambda: fp.result(None, "eth_getTransactionByHash", **some(0.5)),
        lambda: fp.result(frozen, "eth_getTransactionCount", **some(0.5)),
        lambda: fp.result("0x", "eth_getCode", **some(0.3)),
        lambda: fp.result("0x1", "eth_chainId", times=1, chance=choice.uniform(0.0, 0.1)),
        lambda: fp.stale_head(choice.randint(1, 3), times=choice.randint(1, 20)),
        lambda: fp.delay(choice.uniform(0.01, 0.1), times=None, chance=0.1),
        lambda: fp.truncated(times=choice.randint(1, 3), after=choice.randint(0, 40)),
        lambda: fp.garbage(times=choice.randint(1, 3), after=choice.randint(0, 40)),
        lambda: fp.wrong_id(times=choice.randint(1, 3), after=choice.randint(0, 40)),
    ]
    return [make() for make in choice.sample(every, choice.randint(2, 7))]


@dataclass
class Soak:
    """One run; see the module's docstring."""

    seed: int
    folder: Path
    zygote: Zygote
    late: bool = False
    report: Report = field(init=False)

    def __post_init__(self) -> None:
        self.choice = random.Random(self.seed)
        self.report = Report(self.seed)
        self.process: Child | None = None

    def run(self) -> Report:
        """Play it through. Raises ``AssertionError`` naming the oracle that does not hold."""
        started_s = time.monotonic()
        two, reorgs = self.choice.random() < 0.4, self.choice.random() < 0.5
        with ExitStack() as stack:
            node = stack.enter_context(anvil())
            proxies = [stack.enter_context(fp.fault_proxy(node.url, self.seed + n)) for n in range(2 if two else 1)]
            rig = Rig(node, proxies[0], self.folder / "journal.jsonl", others=proxies[1:]).usual()
            save_for_runner(rig, self.folder / "plan.json")
            finality = REORG_DEPTH + 2 if reorgs else self.choice.choice([1, 2])
            settings = {**FAST, "finality": finality, **({"late": True} if self.late else {})}
            stack.callback(self._put_down)
            stack.enter_context(_blocks(node, reorgs, random.Random(self.seed), self.report))
            for _ in range(self.choice.randint(1, ATTEMPTS)):
                self._attempt(rig, proxies, settings)
                if self.report.exits[-1] == 0:
                    break
            self._judge(rig, proxies, settings, finality)
        self.report.seconds = time.monotonic() - started_s
        return self.report

    # -- attempts ------------------------------------------------------------------------------------------------

    def _attempt(self, rig: Rig, proxies: list[FaultProxy], settings: dict[str, Any]) -> None:
        for proxy in proxies:
            proxy.clear()
            proxy.add(*_rules(self.choice))
        self._start(rig, proxies, self.choice.choice([1, 2, 16]), settings)
        self._kill(rig, proxies)
        code = self._end()
        self.report.faults += sum(rule.fired for proxy in proxies for rule in proxy.rules)
        assert code in {0, 3, -signal.SIGKILL}, f"O6: exit {code}: {self._output()}"

    def _start(self, rig: Rig, proxies: list[FaultProxy], window: int, settings: dict[str, Any]) -> None:
        urls = ",".join(f"{proxy.url}/v2/{PLANTED}" for proxy in proxies)
        arguments = [str(self.folder / "plan.json"), str(rig.path), "", str(window), json.dumps(settings)]
        self.process = self.zygote.start(arguments, self.folder / "output", {"SOAK_URLS": urls})

    def _kill(self, rig: Rig, proxies: list[FaultProxy]) -> None:
        """Kill it where the seed says: around a send, after a number of rows, after a time, or not at all."""
        process = self.process
        assert process
        how = self.choice.choice(["before", "after", "rows", "time", "never"])
        count, pause_s = self.choice.randint(1, 4), self.choice.uniform(0, 0.8)
        watch = rig.proxy.before_send
        assert watch
        sends = 0

        def die(digest: str) -> None:
            nonlocal sends
            sends += 1
            if sends == count:
                process.kill()
                raise fp.Drop

        def before(digest: str) -> None:
            watch(digest)
            if how == "before":
                die(digest)

        for proxy in proxies:
            proxy.before_send, proxy.after_send = before, die if how == "after" else None
        rows, began_s = len(rig.rows()), time.monotonic()
        while process.poll() is None and time.monotonic() - began_s < LONGEST_S:
            working = any(proxy.calls for proxy in proxies)
            if (how == "rows" and len(rig.rows()) >= rows + count) or (
                how == "time" and working and time.monotonic() - began_s > pause_s
            ):
                process.kill()
            time.sleep(0.005)
        for proxy in proxies:
            proxy.before_send, proxy.after_send = watch, None
            proxy.calls.clear()

    def _end(self) -> int:
        assert self.process
        code = self.process.wait(LONGEST_S)
        self.report.exits.append(code)
        self.report.kills += code == -signal.SIGKILL
        return code

    def _output(self) -> str:
        return (self.folder / "output").read_text()[-2000:]

    def _put_down(self) -> None:
        """Whatever went wrong: no runner outlives its run."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(LONGEST_S)

    # -- the oracles ---------------------------------------------------------------------------------------------

    def _judge(self, rig: Rig, proxies: list[FaultProxy], settings: dict[str, Any], finality: int) -> None:
        for proxy in proxies:
            proxy.clear()
        calm = {**settings, "wait_s": 30.0, "patience_s": 20.0, "timeout_s": 10.0, "stuck_after_s": 5.0}
        self._start(rig, proxies, 16, calm)
        assert self._end() == 0, f"O7: exit {self.report.exits[-1]}: {self._output()}"
        sent, data = sum(len(proxy.sent) for proxy in proxies), rig.path.read_bytes()
        self._start(rig, proxies, 16, calm)
        assert self._end() == 0, "O7"
        assert sum(len(proxy.sent) for proxy in proxies) == sent, "O7: the second run sent something"
        assert rig.path.read_bytes() == data, "O7: the second run wrote something"
        try:
            rig.oracles(finality=finality)
        except (NeedsPerson, Refused) as error:
            raise AssertionError(f"O7: {error.cause}") from error
        for text in [path.read_bytes() for path in self.folder.iterdir() if path.is_file()]:
            assert PLANTED.encode() not in text, "O5"
            assert KEY.hex().encode() not in text, "O5"


@contextlib.contextmanager
def _blocks(node: Anvil, reorgs: bool, choice: random.Random, report: Report) -> Iterator[None]:
    """Blocks keep coming, and now and then the newest are replaced by empty ones."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            with contextlib.suppress(RpcUnknown, Exception):
                node.mine()
                if reorgs and report.reorgs < 4 and choice.random() < 0.08:
                    node.call("anvil_reorg", choice.randint(1, REORG_DEPTH), [])
                    report.reorgs += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
