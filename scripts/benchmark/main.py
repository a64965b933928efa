"""ship against forge script on the same contracts, the same anvil settings, one after the other in one run.

Both are timed as whole processes from compiled sources (start-up included), until every transaction has its receipt. Waits
for finality beyond the including block are left out on both sides (``finality = 1``).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from counting_proxy import CountingProxy
from project import FIRST_CHAIN_ID, KEY, write_project
from report import Run, Scenario, write_report

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
LIMIT_S = 600.0
BLOCK_S = 2
TOOLS_COMPARED = ("ship", "forge script", "forge script --slow")


SCENARIOS = (
    Scenario("independent", "30 independent contracts", 30, chained=False),
    Scenario("chain", "30 contracts, each taking the last one's address", 30, chained=True),
    Scenario("near", "the chain of 30, the node on this machine", 30, chained=True, latency_s=0.0),
    Scenario("far", "the chain of 30, the node 100 ms away", 30, chained=True, latency_s=0.1),
    Scenario("five", "the chain of 30 on five chains", 30, chained=True, chains=5),
    Scenario("large", "200 contracts, each taking the last one's address", 200, chained=True),
    Scenario("flaky", "the chain of 30 while 20 % of all requests fail", 30, chained=True, failing=0.2),
)


@contextmanager
def anvil(chain_id: int) -> Iterator[str]:
    command = [str(TOOLS / "bin" / "anvil"), "--host", "127.0.0.1", "--port", "0", "--block-time", str(BLOCK_S)]
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = subprocess.Popen([*command, "--chain-id", str(chain_id)], stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline_s = time.monotonic() + 20
            while time.monotonic() < deadline_s:
                found = [line for line in Path(log.name).read_text().splitlines() if line.startswith("Listening on ")]
                if found:
                    break
                time.sleep(0.02)
            else:
                raise RuntimeError("anvil did not start")
            yield "http://" + found[0].removeprefix("Listening on ").strip()
        finally:
            process.terminate()
            process.wait(timeout=20)


def _environment() -> dict[str, str]:
    return {**os.environ, "SHIP_TOOLS": str(TOOLS), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def _forge_environment() -> dict[str, str]:
    return {**os.environ, "HOME": str(TOOLS / "home"), "FOUNDRY_OFFLINE": "true", "NO_COLOR": "1"}


def _timed(commands: list[list[str]], root: Path, env: dict[str, str]) -> tuple[bool, float]:
    """Run the commands at once; whether all ended well, and the seconds until the last one did."""
    began_s = time.monotonic()
    processes = [
        subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    fine = True
    for process in processes:
        try:
            fine &= process.wait(timeout=LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            fine = False
    return fine, time.monotonic() - began_s


def rpc(url: str, method: str, params: list[object]) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["result"]


def _blocks(url: str) -> int:
    """How many blocks hold transactions."""
    head = int(rpc(url, "eth_blockNumber", []), 16)
    blocks = [rpc(url, "eth_getBlockByNumber", [hex(n), False]) for n in range(1, head + 1)]
    return sum(bool(block["transactions"]) for block in blocks)


def _wait_for_phase(url: str, phase: float) -> None:
    """Return ``phase`` of a block's time after a new block: both tools wait for one, and must not always start as far
    from it."""
    head = deadline_s = None
    while deadline_s is None or time.monotonic() < deadline_s:
        found = rpc(url, "eth_blockNumber", [])
        if head is not None and found != head:
            break
        head, deadline_s = found, deadline_s or time.monotonic() + 3 * BLOCK_S
        time.sleep(0.005)
    else:
        raise RuntimeError("anvil makes no blocks")
    time.sleep(phase * BLOCK_S)


def measure(tool: str, scenario: Scenario, phase: float) -> Run:
    """One tool, on fresh chains, in a fresh folder, compiled beforehand; ``phase`` of a block's time after a block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ship-bench-")))
        urls = [stack.enter_context(anvil(FIRST_CHAIN_ID + n)) for n in range(scenario.chains)]
        # Two endpoints a chain, as ship asks for: with a single one it waits for a second look instead.
        pairs = [
            [
                CountingProxy(url, latency_s=scenario.latency_s, failing=scenario.failing, seed=2 * n + k)
                for k in range(2)
            ]
            for n, url in enumerate(urls)
        ]
        proxies = [proxy for pair in pairs for proxy in pair]
        for proxy in proxies:
            stack.callback(proxy.close)
        root = folder / "project"
        write_project(
            root, count=scenario.count, chained=scenario.chained, endpoints=[[p.url for p in pair] for pair in pairs]
        )
        if tool == "ship":
            prepare = [sys.executable, "-c", "from pipeline.cli import main; main()", "build"]
            subprocess.run(prepare, cwd=root, env=_environment(), check=True, stdout=subprocess.DEVNULL)
            names = ",".join(f"chain{n}" for n in range(scenario.chains))
            ship = [sys.executable, "-c", "from pipeline.cli import main; main()"]
            commands, env = [[*ship, "deploy", "--chain", names, "--yes"]], _environment()
        else:
            forge = str(TOOLS / "bin" / "forge")
            subprocess.run(
                [forge, "build"],
                cwd=root,
                env=_forge_environment(),
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            slow = ["--slow"] if tool.endswith("--slow") else []
            script = [
                forge,
                "script",
                "script/Deploy.s.sol:Deploy",
                "--broadcast",
                "--private-key",
                "0x" + KEY.hex(),
                *slow,
            ]
            commands, env = [[*script, "--rpc-url", pair[0].url] for pair in pairs], _forge_environment()
        _wait_for_phase(urls[0], phase)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        fine, wall_s = _timed(commands, root, env)
        peak = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        return Run(
            tool=tool,
            finished=fine,
            wall_s=wall_s,
            blocks=max(_blocks(url) for url in urls),
            http=sum(p.counts.http for p in proxies),
            calls=sum(p.counts.calls for p in proxies),
            memory_mib=peak // 1024,
        )


def run_all(scenarios: list[Scenario], tools: list[str], repeats: int) -> dict[str, dict[str, list[Run]]]:
    """Every tool on every scenario, in turn, ``repeats`` times."""
    results: dict[str, dict[str, list[Run]]] = {s.name: {tool: [] for tool in tools} for s in scenarios}
    for scenario in scenarios:
        for repeat in range(repeats):
            for tool in tools:
                if tool.endswith("--slow") and (scenario.name != "chain" or results[scenario.name][tool]):
                    continue  # a block a contract, a minute a run: once, for one scenario, says it
                run = measure(tool, scenario, repeat / repeats)
                print(f"{scenario.name:<12} {tool:<20} {run}", flush=True)
                results[scenario.name][tool].append(run)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[s.name for s in SCENARIOS])
    parser.add_argument("--tool", choices=TOOLS_COMPARED, help="run one tool only, and write nothing")
    parser.add_argument(
        "--repeats",
        type=int,
        default=4,
        help="runs of each, evenly spread over the time between two blocks; the median is reported",
    )
    arguments = parser.parse_args()
    scenarios = [s for s in SCENARIOS if not arguments.only or s.name == arguments.only]
    tools = [arguments.tool] if arguments.tool else list(TOOLS_COMPARED)
    results = run_all(scenarios, tools, arguments.repeats)
    if not arguments.tool and not arguments.only:
        write_report(ROOT / "docs", SCENARIOS, results)


if __name__ == "__main__":
    main()
