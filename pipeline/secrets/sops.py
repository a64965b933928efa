"""``sops:FILE#dotted.path``: one value of a file encrypted with sops (https://getsops.io), by the program ``sops``.

The program decides by the file's own list which key opens it: age, a cloud's KMS, Vault, PGP. It checks the file's MAC.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chains.processes import ToolNotRunnable, ToolTimedOut, run_tool
from pipeline.secrets.base import NoAnswer, NotGiven, NotInstalled, with_field
from pipeline.secrets.files import read_regular, text_of

__all__ = ["SopsStore", "open_store"]

_MAX_BYTES = 1024 * 1024
_TOTAL_S = 30.0
"""A file can be opened by a cloud's KMS: that is asked by sops, within its own limits, which are longer."""
_WHY = {
    51: "it was changed: its MAC does not fit",
    52: "it has no MAC",
    128: "no key given here opens it",
}
"""sops's exit codes, cmd/sops/codes/codes.go. Its messages are not shown."""


@dataclass(frozen=True)
class SopsStore:
    """Files under ``root``, opened with what ``environment`` gives sops."""

    root: Path
    environment: Mapping[str, str]

    def parse(self, rest: str) -> tuple[str, str]:
        return with_field(rest, "sops:FILE#path.of.keys")

    def fetch(self, name: str) -> str:
        read_regular(self.root, name, _MAX_BYTES)
        program = shutil.which("sops", path=self.environment.get("PATH"))
        if program is None:
            raise NotInstalled("the program sops is not on PATH", "Install it: https://getsops.io/docs/#download.")
        path = (self.root / Path(name).expanduser()).resolve()
        environment = dict(self.environment)
        if identity := environment.get("AGE_IDENTITY_FILE"):
            environment.setdefault("SOPS_AGE_KEY_FILE", str(Path.cwd() / Path(identity).expanduser()))
        try:
            done = run_tool(
                [program, "--decrypt", "--output-type", "json", str(path)],
                cwd=Path.cwd(),
                env=environment,
                timeout_s=_TOTAL_S,
            )
        except ToolTimedOut:
            raise NoAnswer(f"sops did not open {name} within {_TOTAL_S:.0f} s") from None
        except ToolNotRunnable:
            raise NotInstalled(
                "the program sops cannot be run", "Install it: https://getsops.io/docs/#download."
            ) from None
        if done.exit_code != 0:
            why = _WHY.get(done.exit_code, f"exit code {done.exit_code}")
            raise NotGiven(f"sops does not open {name}: {why}", f"See what `sops --decrypt {name}` says.")
        return text_of(done.stdout, f"what {name} holds")


def open_store(scheme: str, root: Path) -> SopsStore:
    return SopsStore(root, os.environ)
