"""Many runners of one deployment on shared state, in folders of their own, the holder killed again and again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.state.shared.lease import read_lease
from pipeline.state.shared.opening import refresh
from tests.support.anvil import ROOT
from tests.support.deployment import Rig, save_for_runner
from tests.support.s3 import Clone, S3Box, clone

LONGEST_S = 120.0


@dataclass
class Race:
    """``runners`` start at once, each in a folder of its own; while they run the holder is killed up to ``kills`` times."""

    rig: Rig
    box: S3Box
    folder: Path
    seed: int
    runners: int
    kills: int
    bucket: str = ""
    clones: list[Clone] = field(default_factory=list)
    exits: Counter[int] = field(default_factory=Counter)
    killed: int = 0
    unshared: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.box.bucket()
        self.choice = random.Random(self.seed)
        self.folder.mkdir(exist_ok=True)
        save_for_runner(self.rig, self.folder / "plan.json")
        self.rig.proxy.before_send = self._watch

    def _watch(self, digest: str) -> None:
        """O2 for shared state: at the moment the bytes leave for the node, is their hash in the bucket?"""
        if digest not in self.text():
            self.unshared.append(digest)

    def text(self) -> str:
        """Every row in the bucket, as the bucket has it."""
        keys = sorted(key for key in self.box.keys(self.bucket) if "/segments/" in key)
        return "".join(self.box.text(self.bucket, key) for key in keys)

    def rows(self) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.text().splitlines()]
        return [line for line in lines if line.get("kind") != "contract-ship/segment"]

    def start(self, where: Clone) -> subprocess.Popen[bytes]:
        settings = json.dumps({"wait_s": 20.0})
        saved = str(self.folder / "plan.json")
        command = [sys.executable, "-m", "tests.support.state_runner", str(where.project.root), saved]
        with (where.project.root / "output").open("ab") as output:
            return subprocess.Popen(
                [*command, self.rig.proxy.url, settings],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def new_clone(self) -> Clone:
        made = clone(self.folder / f"clone{len(self.clones)}", self.box.table(self.bucket), self.rig.proxy.url)
        self.clones.append(made)
        return made

    def run(self) -> None:
        """Waves of runners until the kills are done or the deployment is, and then one more that finishes what is left."""
        folders = [self.new_clone() for _ in range(self.runners)]
        while not self.exits[0] and self.killed < self.kills:
            processes = [self.start(folder) for folder in folders]
            try:
                self._kill_holders(processes)
                for process in processes:
                    self._ended(process)
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
        self._ended(last := self.start(self.new_clone()))
        assert last.returncode == 0, self.output(self.clones[-1])

    def _kill_holders(self, processes: list[subprocess.Popen[bytes]]) -> None:
        by_pid = {process.pid: process for process in processes}
        deadline_s = time.monotonic() + LONGEST_S
        wanted = self.choice.randint(0, 2)
        while self.killed < self.kills and any(p.poll() is None for p in processes) and time.monotonic() < deadline_s:
            found = read_lease(self.clones[0].bucket, "t")
            holder = found[0].holder if found else None
            if holder is None or holder.pid not in by_pid or by_pid[holder.pid].poll() is not None:
                time.sleep(0.01)
                continue
            segments = sum("/segments/" in key for key in self.box.keys(self.bucket))
            if segments >= wanted:
                by_pid[holder.pid].kill()
                by_pid[holder.pid].wait()
                self.killed += 1
                wanted = segments + self.choice.randint(0, 3)

    def _ended(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait(timeout=LONGEST_S)
        assert code in {0, 2, 3, -signal.SIGKILL}, f"O6: exit {code}"
        self.exits[code] += 1

    def output(self, where: Clone) -> str:
        return (where.project.root / "output").read_text()[-3000:]

    def judge(self) -> None:
        """One deployment, no lost row, nothing sent that was not shared."""
        actions = self.rig.plan.actions
        finals = Counter(row["data"]["action"] for row in self.rows() if row["kind"] == "tx.final")  # type: ignore[index]
        assert finals == Counter(action.id for action in actions)
        assert self.rig.node.nonce() - self.rig.workshop.first == len(actions), "O1"
        assert self.unshared == [], "O2"
        for action in actions:
            if action.address and action.source:
                assert self.rig.node.code(action.address) == self.rig.workshop.source(action.source).runtime_code, "O3"
        reader = self.new_clone()
        refresh(reader.project, reader.state)  # O4: the whole chain is verified
        whole = reader.state.journal.read_bytes()
        for other in self.clones:
            if other.state.journal.exists():
                here = other.state.journal.read_bytes()
                assert whole.startswith(here[: here.rfind(b"\n") + 1]), "a row that one runner had is lost"
        sent = len(self.rig.proxy.sent)
        self._ended(again := self.start(self.new_clone()))
        assert again.returncode == 0
        assert len(self.rig.proxy.sent) == sent, "O7"
