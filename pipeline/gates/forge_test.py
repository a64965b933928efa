"""The gate ``tests``: the project's own tests (unit, fuzz, invariant), run by forge over the bytes of the bundle."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chains.errors import printable
from chains.evm.foundry import Workspace
from chains.processes import Finished, run_tool
from pipeline.bundle import Bundle
from pipeline.fingerprints import file_digests, tree
from pipeline.gates.base import GateContext, GateError, Verdict
from pipeline.gates.tested_bytes import TestedBytes, compare_tested

__all__ = ["DEFAULT_FUZZ_SEED", "ForgeTest", "ForgeTestConfig"]

DEFAULT_FUZZ_SEED = 0x5EED
"""Fixed, so that a gate that passed passes again; a project or ``[gates] tests`` may set another."""
_SHOWN = 20
# What a test may ask that the files do not answer: its verdict can differ tomorrow.
_OUTSIDE = re.compile(r"\b(createFork|createSelectFork|rpcUrl|ffi|envOr|env[A-Z]\w*|unixTime)\s*\(")
_KINDS = ("unit", "fuzz", "invariant")


@dataclass(frozen=True)
class ForgeTestConfig:
    """``[gates] tests``. ``fuzz_seed`` wins over the project's own. ``pass_env`` names variables the tests may read."""

    fuzz_seed: int | None = None
    pass_env: tuple[str, ...] = ()
    timeout_s: float = 3_600.0


@dataclass(frozen=True)
class _Test:
    name: str
    kind: str
    status: str
    reason: str
    counterexample: str


@dataclass(frozen=True)
class ForgeTest:
    """``forge test``. No tests at all is a failure: nothing was shown."""

    config: ForgeTestConfig = ForgeTestConfig()
    name: str = "tests"

    def question(self, bundle: Bundle, workspace: Workspace) -> Mapping[str, Any]:
        config = workspace.config
        trees = [name for folder in (config.src, config.test, config.script) for name in self._tree(workspace, folder)]
        return {
            "bundle": bundle.digest,
            "forge": workspace.forge.version,
            "seed": self._seed(workspace),
            "pass_env": list(self.config.pass_env),
            "settings": json.loads(json.dumps(config.raw), parse_float=str),
            "files": file_digests(config.root, trees, text=True),
        }

    def _tree(self, workspace: Workspace, folder: str) -> list[str]:
        config = workspace.config
        outputs = [str(config.raw[key]) for key in ("out", "cache_path", "broadcast")]
        return tree(config.root, folder, skip=[*config.libs, *outputs])

    def _seed(self, workspace: Workspace) -> str:
        if self.config.fuzz_seed is not None:
            return hex(self.config.fuzz_seed)
        own = (workspace.config.raw.get("fuzz") or {}).get("seed")
        return str(own) if own is not None else hex(DEFAULT_FUZZ_SEED)

    def run(self, context: GateContext) -> Verdict:
        workspace = context.workspace
        command: list[str | Path] = [workspace.forge.path, "test", "--json", "--root", workspace.root]
        finished = run_tool(
            [*command, "--fuzz-seed", self._seed(workspace)],
            cwd=workspace.root,
            timeout_s=self.config.timeout_s,
            env=self._environment(context),
            group=context.group,
        )
        tests = list(_read(finished))
        (context.folder / "forge-test.json").write_bytes(finished.stdout)
        if not tests:
            return Verdict("failed", "the project has no tests", ("forge looks for functions that start with `test`",))
        return self._judge(tests, finished, compare_tested(workspace, context.bundle), workspace)

    def _environment(self, context: GateContext) -> dict[str, str]:
        import os

        # Whatever a test run writes goes into our folder; the working tree stays as it is.
        failures = context.workspace.paths.release.parent / "failures"
        return {
            **context.workspace.environment,
            **{name: os.environ[name] for name in self.config.pass_env if name in os.environ},
            "FOUNDRY_FUZZ": f'{{failure_persist_dir="{failures / "fuzz"}"}}',
            "FOUNDRY_INVARIANT": f'{{failure_persist_dir="{failures / "invariant"}"}}',
            "FOUNDRY_TEST_FAILURES_FILE": str(failures / "names"),
            "FOUNDRY_GAS_SNAPSHOT_EMIT": "false",
        }

    def _judge(self, tests: Sequence[_Test], finished: Finished, tested: TestedBytes, workspace: Workspace) -> Verdict:
        failed = [test for test in tests if test.status == "Failure"]
        passed = [test for test in tests if test.status == "Success"]
        counts = Counter(test.kind for test in passed)
        shown = ", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts, key=_order))
        details = [_describe(test) for test in failed[:_SHOWN]]
        if len(failed) > _SHOWN:
            details.append(f"… and {len(failed) - _SHOWN} more")
        if tested.differing:
            details.append(
                "the tests ran against other bytes than the bundle's, so they show nothing about it: "
                + ", ".join(tested.differing[:_SHOWN])
            )
        skipped = len(tests) - len(failed) - len(passed)
        note = f", {skipped} skipped" if skipped else ""
        if failed or tested.differing:
            summary = f"{len(failed)} of {len(tests)} tests failed" if failed else "tested bytes differ from the bundle"
            return Verdict("failed", summary + note, tuple(details), ("forge-test.json",), tested.read)
        if not passed:
            return Verdict("failed", f"no test ran{note}", (), ("forge-test.json",), tested.read)
        if finished.exit_code != 0:
            return Verdict("failed", f"forge ended with exit code {finished.exit_code}", (finished.complaint[-2000:],))
        return Verdict(
            "passed",
            f"{len(passed)} tests passed ({shown}; fuzz seed {self._seed(workspace)}){note}",
            (f"the tests ran against the bundle's own bytes (contracts compared: {tested.compared})",),
            ("forge-test.json",),
            tested.read,
            reusable=not any(_OUTSIDE.search(text) for name, text in tested.sources.items() if _own(name, workspace)),
        )


def _own(path: str, workspace: Workspace) -> bool:
    return not any(workspace.config.within(path, lib) for lib in workspace.config.libs)


def _order(kind: str) -> tuple[int, str]:
    return (_KINDS.index(kind) if kind in _KINDS else len(_KINDS), kind)


def _read(finished: Finished) -> Iterator[_Test]:
    """forge's JSON: suite → ``test_results`` → name → status, reason, counterexample, kind. Raises ``GateError``."""
    if finished.truncated:
        raise GateError("forge test wrote more output than can be read", remedy="Split the tests, or log less in them.")
    text = finished.stdout.decode(errors="replace").strip()
    if not text or (finished.exit_code == 0 and text.startswith("No tests found")):
        if finished.exit_code == 0:
            return
        raise GateError(
            f"forge test ended with exit code {finished.exit_code} and gave no results: {finished.complaint}",
            remedy="Make `forge test` run, then try again.",
        )
    try:
        suites = json.loads(text)
        for suite, content in suites.items():
            for name, result in content["test_results"].items():
                yield _Test(
                    name=f"{suite}: {name}",
                    kind=next(iter(result["kind"])).lower(),
                    status=result["status"],
                    reason=result.get("reason") or "no reason given",
                    counterexample=_counterexample(result.get("counterexample")),
                )
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise GateError(
            f"forge test gave results that cannot be read ({type(error).__name__}): {text[:400]} {finished.complaint[:1500]}",
            remedy="Make `forge test --json` run in the project, then try again.",
        ) from error


def _counterexample(found: Any) -> str:
    """``{"Single": call}`` for a fuzz test, ``{"Sequence": [length, [call, …]]}`` for an invariant."""
    if not found:
        return ""
    if "Single" in found:
        return f"args ({found['Single'].get('args')})"
    calls = found["Sequence"][1] if "Sequence" in found else []
    return " → ".join(
        f"{call.get('func_name') or call.get('calldata')}({call.get('args') or ''})" for call in calls[:10]
    )


def _describe(test: _Test) -> str:
    text = f"{test.name}: {test.reason}"
    return printable(f"{text}; counterexample: {test.counterexample}" if test.counterexample else text, 600)
