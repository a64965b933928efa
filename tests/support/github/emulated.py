"""The npm package ``emulate`` (0.11.2), somebody else's idea of GitHub, as a second backend: repository, refs, tags, releases and
the rows of assets are its own.

In front of it stands an OVERLAY of ours, which only fills what it lacks: it has no git transport (commits, and what the tag
stands for, come from a real bare repository), keeps no bytes and no digests of assets, takes a second asset of one name, and
knows neither commit statuses nor deployments (those are the fake's of ``fake.py``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import urllib3

from tests.support.github.fake import REPOSITORY, TOKEN, FakeGithub, respond, serving
from tests.support.missing import missing

__all__ = ["Emulated", "emulated_github"]

ROOT = Path(__file__).parents[3]
_ELSEWHERE = "http://overlay.invalid"
"""What the emulator believes its address to be: put right in every answer."""
_LACKING = re.compile(rf"/repos/{REPOSITORY}/(deployments|git/commits/|commits/)")


def _modules() -> Path:
    folders = [Path(os.environ["SHIP_TOOLS"])] if os.environ.get("SHIP_TOOLS") else []
    candidates = [folder / "services/github/node_modules" for folder in (*folders, ROOT / ".tools")]
    found = next((c for c in candidates if (c / "emulate/dist/api.js").is_file()), None)
    if found is None or shutil.which("node") is None:
        missing("the GitHub emulator is missing: run scripts/services/github")
    return found


@dataclass
class Emulated:
    """``lacking`` answers what the emulator does not have; ``served`` counts what it answered itself."""

    lacking: FakeGithub
    port: int
    url: str = ""
    data: dict[int, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    served: int = 0
    _pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager)

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "application/json") -> tuple[int, Any]:
        """The emulator itself, past the overlay."""
        answer = self._pool.request(
            method,
            f"http://127.0.0.1:{self.port}{path}",
            body=body or None,
            headers={"Authorization": f"token {TOKEN}", "Content-Type": content_type},
            retries=False,
        )
        text = answer.data.decode().replace(_ELSEWHERE, self.url)
        return answer.status, json.loads(text) if text else None

    def answer(self, method: str, path: str, body: bytes, content_type: str) -> tuple[int, Any]:
        if method != "GET":
            self.writes.append(f"{method} {path}")
        if _LACKING.match(path):
            return respond(self.lacking, method, path, self.url, body, whole=True)
        uploading = re.fullmatch(rf"/repos/{REPOSITORY}/releases/(\d+)/assets\?name=([^&]+)", path)
        if method == "POST" and uploading and uploading[2] in {a["name"] for a in self.assets(int(uploading[1]))}:
            return 422, {
                "message": "Validation Failed",
                "errors": [{"resource": "ReleaseAsset", "code": "already_exists"}],
            }
        self.served += 1
        status, shown = self.ask(method, path, body, content_type)
        if status == 201 and uploading:
            self.data[shown["id"]] = body
        elif status == 201 and path.endswith("/git/tags"):
            self.tags[shown["sha"]] = json.loads(body)["object"]
        elif status == 201 and path.endswith("/git/refs"):
            asked = json.loads(body)
            self.lacking.git("update-ref", asked["ref"], self.tags.get(asked["sha"], asked["sha"]))
        return status, self._with_digests(shown)

    def assets(self, release: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/repos/{REPOSITORY}/releases/{release}/assets?per_page=100")[1]
        return found

    def releases(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/repos/{REPOSITORY}/releases?per_page=100")[1]
        return found

    def files(self, release: int) -> dict[str, bytes]:
        own = self.assets(release)
        assert len({a["name"] for a in own}) == len(own), "an asset is there twice"
        return {a["name"]: self.data[a["id"]] for a in own}

    def _with_digests(self, shown: Any) -> Any:
        if isinstance(shown, list):
            return [self._with_digests(one) for one in shown]
        if isinstance(shown, dict) and "browser_download_url" in shown and shown["id"] in self.data:
            return {**shown, "digest": "sha256:" + hashlib.sha256(self.data[shown["id"]]).hexdigest()}
        return shown


@contextmanager
def _running() -> Iterator[int]:
    script = Path(__file__).parent / "emulator/serve.mjs"
    process = subprocess.Popen(
        ["node", str(script), str(_modules()), _ELSEWHERE, TOKEN, REPOSITORY],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("Listening on "), "the emulator did not start"
        yield int(line.split()[-1])
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@contextmanager
def emulated_github(bare: Path) -> Iterator[Emulated]:
    """The emulator with the overlay in front. ``bare`` is the repository's git."""
    with _running() as port:
        github = Emulated(FakeGithub(bare), port)

        class Overlay(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                asset = re.fullmatch(rf"/repos/{REPOSITORY}/releases/assets/(\d+)", self.path)
                if self.headers.get("Accept") == "application/octet-stream" and asset:
                    self._reply(200, github.data[int(asset[1])])
                    return
                kind = self.headers.get("Content-Type", "application/json")
                status, shown = github.answer(self.command, self.path, body, kind)
                self._reply(status, b"" if shown is None else json.dumps(shown).encode())

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

            def _reply(self, status: int, data: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Quiet: a test's output is its own."""

        with serving(Overlay) as github.url:
            yield github
    assert github.lacking.wrong == [], github.lacking.wrong
