"""A real program of any size as a project, and its release killed with SIGKILL at random moments."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from solders.keypair import Keypair

from tests.support.solana_project import SolanaProject, development_key, solana_project

__all__ = ["TOKEN", "WRITE_BYTES", "LargeProject", "large_project"]

TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
"""100 KB; Token-2022 has 616."""
WRITE_BYTES = 1_012
"""1232 bytes less a transaction with an empty write less 1, with one signer and no price for compute units."""
_SHIP_TOML = """schema = 1
[project]
name = "large"
version = "1.0.0"
[solana]
build = "prebuilt"
[programs.large]
idl = false
"""


@dataclass
class LargeProject(SolanaProject):
    """One program, named ``large``."""

    program: str = ""
    elf: bytes = b""

    @property
    def writes(self) -> list[Any]:
        """Offset, length and signature of every write that was signed."""
        return [write for row in self.rows("sol.writing") for write in row["writes"]]

    @property
    def landed(self) -> Counter[int]:
        """How often each offset was written on chain."""
        known = self.cluster.statuses([write[2] for write in self.writes])
        return Counter(write[0] for write in self.writes if write[2] in known)

    def killed(self, times: int, seed: int, within_s: float) -> int:
        """Run the release until it is done, the first ``times`` runs with SIGKILL at a random moment; how many of those struck."""
        draw, struck = random.Random(seed), 0
        for number in range(times + 1):
            process = self.start("deploy", "--chain", "here", "--yes")
            try:
                process.communicate(timeout=0.4 + within_s * draw.random() if number < times else 300)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                struck += 1
        assert process.returncode == 0
        return struck

    def hold_whole(self) -> None:
        """One buffer, every chunk on chain once, nothing left lying about, and the program runs."""
        self.hold()
        assert self.runs(self.elf, self.program)
        assert len({row["buffer"] for row in self.rows("sol.planned")}) == 1
        signed = [row["step"] for row in self.rows("sol.signed")]
        assert signed == ["create", "deploy"]
        assert set(self.landed.values()) == {1}
        assert self.cluster.buffers_of(str(development_key().pubkey())) == []


@contextmanager
def large_project(
    folder: Path, *, size: int | None = None, built_in: str = TOKEN, **node: Any
) -> Iterator[LargeProject]:
    """The built-in program; with ``size`` that many bytes: what follows an ELF's last section does not matter to the loader."""
    with solana_project(folder, **node) as made:
        project = LargeProject(**vars(made))
        elf = made.node.built_in_elf(built_in)
        if size is not None:
            elf += random.Random(7).randbytes(size - len(elf))
        key = Keypair()
        shutil.rmtree(project.root / "target")
        for name in ("Anchor.toml", "programs", "next"):
            path = project.root / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        deploy = project.root / "target" / "deploy"
        deploy.mkdir(parents=True)
        (deploy / "large.so").write_bytes(elf)
        (deploy / "large-keypair.json").write_text(json.dumps(list(bytes(key))))
        (project.root / "ship.toml").write_text(_SHIP_TOML)
        project.program, project.elf = str(key.pubkey()), elf
        yield project


def timed(project: LargeProject) -> float:
    """Seconds that the whole command takes."""
    begun_s = time.monotonic()
    project.deploy()
    return time.monotonic() - begun_s
