"""What was measured, as a table of medians and ratios and as a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scenario:
    """``count`` contracts on each of ``chains`` chains; ``failing`` is the share of requests that fail."""

    name: str
    title: str
    count: int
    chained: bool
    chains: int = 1
    failing: float = 0.0
    latency_s: float = 0.04


@dataclass(frozen=True)
class Run:
    """One tool on one scenario. ``http`` counts HTTP requests, ``calls`` the JSON-RPC calls inside them.

    ``memory_mib`` is the peak of the largest single process so far.
    """

    tool: str
    finished: bool
    wall_s: float
    blocks: int
    http: int
    calls: int
    memory_mib: int


Results = dict[str, dict[str, list[Run]]]


def _median(runs: Sequence[Run], figure: str) -> float:
    return statistics.median(getattr(run, figure) for run in runs)


def _ratio(runs: Sequence[Run], base: Sequence[Run], figure: str) -> str:
    """Of medians; nothing where either did not finish."""
    if not all(run.finished for run in (*runs, *base)):
        return "–"
    return f"{_median(runs, figure) / _median(base, figure):.2f}"


def write_report(folder: Path, scenarios: Sequence[Scenario], results: Results) -> None:
    """``benchmark.md`` and ``benchmark.png`` into ``folder``."""
    (folder / "benchmark.md").write_text(_table(scenarios, results))
    _plot(folder / "benchmark.png", scenarios, results)


def _table(scenarios: Sequence[Scenario], results: Results) -> str:
    lines = [
        "# Benchmark",
        "",
        "Made by `scripts/bench`: whole processes, start-up included, from compiled sources until every transaction has its",
        "receipt, on anvil with two-second blocks; the tools in turn in one run, medians of the repeats, whose starts are spread evenly over the",
        "time between two blocks: one second of each is on average the wait for a block, whatever the tool. A request takes 40 ms to the node, as",
        "to a hosted one, unless the scenario says otherwise. Waits for finality beyond the",
        "including block are left out on both sides; ship has two endpoints a chain, as it asks for. The ratios are ship ÷ forge script of the same run. ship puts many JSON-RPC",
        "calls into one HTTP request, forge one; both are counted. ship runs with `window = 1000`, as anvil takes any number of",
        "pending transactions; the default for public nodes is 16.",
        "",
        "![wall seconds and HTTP requests](benchmark.png)",
        "",
        "| scenario | tool | finished | seconds | ratio | blocks | HTTP requests | ratio | JSON-RPC calls | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for scenario in scenarios:
        base = results[scenario.name]["forge script"]
        for tool, runs in results[scenario.name].items():
            if not runs:
                continue
            wall, http = _median(runs, "wall_s"), _median(runs, "http")
            fine = sum(run.finished for run in runs)
            lines.append(
                f"| {scenario.title} | {tool} | {fine} of {len(runs)} | {wall:.1f} | {_ratio(runs, base, 'wall_s')} | "
                f"{_median(runs, 'blocks'):g} | {http:g} | {_ratio(runs, base, 'http')} | {_median(runs, 'calls'):g} | "
                f"{_median(runs, 'memory_mib'):g} |"
            )
    return "\n".join(lines) + "\n"


def _plot(path: Path, scenarios: Sequence[Scenario], results: Results) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    tools = [tool for tool in next(iter(results.values())) if tool != "forge script --slow"]
    for axis, figure_name, title in ((axes[0], "wall_s", "wall seconds"), (axes[1], "http", "HTTP requests (log)")):
        for offset, tool in enumerate(tools):
            heights = [
                _median(results[s.name][tool], figure_name) if all(r.finished for r in results[s.name][tool]) else 0
                for s in scenarios
            ]
            places = [n + (offset - 0.5) * 0.38 for n in range(len(scenarios))]
            axis.bar(places, heights, width=0.36, label=tool)
        axis.set_xticks(range(len(scenarios)), [s.name for s in scenarios])
        axis.set_title(title)
        axis.legend()
    axes[1].set_yscale("log")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
