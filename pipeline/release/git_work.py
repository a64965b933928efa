"""What a release asks of git, and the tags it makes with it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.manifest.redaction import redact
from pipeline.release.errors import TagNotMade

__all__ = ["GitWork"]

_TIMEOUT_S = 30
_PUSH_S = 120


@dataclass(frozen=True)
class GitWork:
    """The repository ``root`` lies in."""

    root: Path

    def _run(self, *arguments: str, timeout_s: float = _TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        # Never a question on the terminal: a prompt in CI would wait for ever.
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        try:
            return subprocess.run(
                ["git", "-C", str(self.root), *arguments],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                env=environment,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(["git"], 1, "", type(error).__name__)

    def same_project(self, commit: str, head: str) -> bool:
        """Whether ``head`` comes after ``commit`` and nothing but records and journals lies between."""
        if self._run("merge-base", "--is-ancestor", commit, head).returncode != 0:
            return False
        kept = (".", ":(exclude)deployments", ":(exclude)releases")
        return self._run("diff", "--quiet", commit, head, "--", *kept).returncode == 0

    def tag_commit(self, name: str) -> str | None:
        """The commit the local tag ``name`` stands for."""
        done = self._run("rev-parse", "--verify", "--quiet", f"refs/tags/{name}^{{commit}}")
        return done.stdout.strip() if done.returncode == 0 else None

    def signs_tags(self) -> bool:
        return self._run("config", "--type=bool", "--get", "tag.gpgSign").stdout.strip() == "true"

    def submodule(self, path: str, commit: str) -> str | None:
        """The commit of the submodule at ``path``, as ``commit`` has it."""
        done = self._run("ls-tree", commit, "--", path)
        parts = done.stdout.split()
        return parts[2] if done.returncode == 0 and len(parts) >= 4 and parts[1] == "commit" else None

    def make_tag(self, name: str, commit: str, message: str, *, sign: bool) -> None:
        """Raises ``TagNotMade``."""
        done = self._run("tag", "--sign" if sign else "--annotate", "-m", message, "--", name, commit)
        if done.returncode != 0:
            raise TagNotMade(
                f"git could not make the tag {name}: {redact(done.stderr.strip()[-300:])}",
                remedy=f"Try `git tag {'-s' if sign else '-a'} {name}` yourself, then run this again.",
            )

    def push_tag(self, name: str, remote: str) -> None:
        """Without force: git refuses where the remote has another. Raises ``TagNotMade``."""
        done = self._run("push", "--no-verify", "--", remote, f"refs/tags/{name}:refs/tags/{name}", timeout_s=_PUSH_S)
        if done.returncode != 0:
            raise TagNotMade(
                f"git could not push the tag {name} to {remote}: {redact(done.stderr.strip()[-300:])}",
                remedy=f"Try `git push {remote} {name}` yourself, then run this again.",
            )
