"""A FAKE of GitHub's API, for what a release asks of it. Its git is a real bare repository; requests and replies are held
against GitHub's published contract (``contract.py``).

Like GitHub it takes several drafts of one tag, refuses a second asset of one name, keeps an upload cut short as ``starter``,
sends downloads on to another host, and lets nobody change the files of a published release.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.github.contract import filled, hold_reply, hold_request

__all__ = ["REPOSITORY", "TOKEN", "FakeGithub", "fake_github", "respond", "serving"]

TOKEN = "ghp_" + "plantedTokenOfTheTests0123456789abcd"
REPOSITORY = "acme/counter"
_R = "/repos/{owner}/{repo}"


class Refusal(Exception):
    def __init__(self, status: int, message: str, code: str = "custom") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass
class FakeGithub:
    """``bare`` is the repository's git. ``digests``: whether assets carry GitHub's own digest. ``public``: anybody may read."""

    bare: Path
    digests: bool = True
    push: bool | None = True
    public: bool = False
    url: str = ""
    releases: dict[int, dict[str, Any]] = field(default_factory=dict)
    assets: dict[int, dict[str, Any]] = field(default_factory=dict)
    deployments: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    check_runs: list[tuple[str, str, str | None]] = field(default_factory=list)
    commit_statuses: list[tuple[str, str]] = field(default_factory=list)
    jwts: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    stored_with_credentials: int = 0
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_id: int = 1
    spoil: Callable[[str, bytes], bytes] = lambda name, data: data

    def git(self, *arguments: str, given: str | None = None) -> str | None:
        done = subprocess.run(
            ["git", "-C", str(self.bare), *arguments], input=given, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    def id(self) -> int:
        self.next_id += 1
        return self.next_id

    # ---- what tests ask and arrange

    def files(self, release: int) -> dict[str, bytes]:
        """Assets by name; a name that is there twice is an error."""
        own = [a for a in self.assets.values() if a["release"] == release]
        assert len({a["name"] for a in own}) == len(own), "an asset is there twice"
        return {a["name"]: a["data"] for a in own}

    def add_draft(self, tag: str, body: str) -> int:
        id_ = self.id()
        self.releases[id_] = {
            "tag_name": tag, "target_commitish": "main", "name": tag, "body": body, "draft": True, "prerelease": False,
        }  # fmt: skip
        return id_

    # ---- what GitHub shows

    def show_release(self, base: str, id_: int) -> dict[str, Any]:
        row = self.releases[id_]
        own = [self.show_asset(base, a) for a, asset in self.assets.items() if asset["release"] == id_]
        return filled(
            "release",
            id=id_,
            **{k: v for k, v in row.items() if k != "make_latest"},
            assets=own,
            html_url=f"https://github.com/{REPOSITORY}/releases/tag/{row['tag_name']}",
            upload_url=f"{base}/repos/{REPOSITORY}/releases/{id_}/assets{{?name,label}}",
        )

    def show_asset(self, base: str, id_: int) -> dict[str, Any]:
        row = self.assets[id_]
        digest = "sha256:" + hashlib.sha256(row["data"]).hexdigest() if self.digests and row["whole"] else None
        return filled(
            "release-asset",
            id=id_,
            name=row["name"],
            size=len(row["data"]),
            state="uploaded" if row["whole"] else "open",
            digest=digest,
            url=f"{base}/repos/{REPOSITORY}/releases/assets/{id_}",
        )


def _peeled(fake: FakeGithub, ref: str) -> tuple[str, str] | None:
    sha = fake.git("rev-parse", "--verify", "--quiet", ref)
    kind = fake.git("cat-file", "-t", sha) if sha else None
    return (kind, sha) if sha and kind else None


def _about(fake: FakeGithub, request: Request) -> Any:
    rights = dict.fromkeys(("admin", "maintain", "push"), fake.push) | {"pull": True, "triage": True}
    extra = {} if fake.push is None else {"permissions": rights}
    return filled("full-repository", full_name=REPOSITORY, **extra)


def _commit(fake: FakeGithub, request: Request) -> Any:
    found = _peeled(fake, request.parts["commit_sha"])
    if found is None or found[0] != "commit":
        raise Refusal(404, "Not Found")
    return filled("git-commit", sha=found[1])


def _ref(fake: FakeGithub, request: Request) -> Any:
    name = f"refs/{request.parts['ref']}"
    found = _peeled(fake, name)
    if found is None:
        raise Refusal(404, "Not Found")
    return filled("git-ref", ref=name, object=_object(*found))


def _object(kind: str, sha: str) -> dict[str, str]:
    return {"type": kind, "sha": sha, "url": ""}


def _tag(fake: FakeGithub, request: Request) -> Any:
    text = fake.git("cat-file", "tag", request.parts["tag_sha"])
    if text is None:
        raise Refusal(404, "Not Found")
    head = dict(line.split(" ", 1) for line in text.partition("\n\n")[0].splitlines())
    return filled(
        "git-tag", sha=request.parts["tag_sha"], tag=head["tag"], object=_object(head["type"], head["object"])
    )


def _make_tag(fake: FakeGithub, request: Request) -> Any:
    body = request.json
    text = (
        f"object {body['object']}\ntype {body['type']}\ntag {body['tag']}\n"
        f"tagger GitHub <noreply@github.com> 1790000000 +0000\n\n{body['message']}\n"
    )
    sha = fake.git("mktag", given=text)
    if sha is None:
        raise Refusal(422, "Object does not exist")
    return filled("git-tag", sha=sha, tag=body["tag"], object=_object(body["type"], body["object"]))


def _make_ref(fake: FakeGithub, request: Request) -> Any:
    ref, sha = request.json["ref"], request.json["sha"]
    if fake.git("update-ref", ref, sha, "0" * 40) is None:
        raise Refusal(422, "Reference already exists")
    found = _peeled(fake, ref)
    assert found is not None
    return filled("git-ref", ref=ref, object=_object(*found))


def _releases(fake: FakeGithub, request: Request) -> Any:
    return [fake.show_release(request.base, id_) for id_ in reversed(fake.releases)]


def _published(fake: FakeGithub, tag: str, other_than: int = 0) -> bool:
    return any(r["tag_name"] == tag and not r["draft"] for id_, r in fake.releases.items() if id_ != other_than)


def _make_release(fake: FakeGithub, request: Request) -> Any:
    body = request.json
    if _published(fake, body["tag_name"]):
        raise Refusal(422, "Validation Failed", "already_exists")
    id_ = fake.id()
    fake.releases[id_] = {
        "tag_name": body["tag_name"],
        "target_commitish": body.get("target_commitish", "main"),
        "name": body.get("name"),
        "body": body.get("body"),
        "draft": body.get("draft", False),
        "prerelease": body.get("prerelease", False),
    }
    return fake.show_release(request.base, id_)


def _release_id(fake: FakeGithub, request: Request) -> int:
    id_ = int(request.parts["release_id"])
    if id_ not in fake.releases:
        raise Refusal(404, "Not Found")
    return id_


def _one_release(fake: FakeGithub, request: Request) -> Any:
    return fake.show_release(request.base, _release_id(fake, request))


def _edit_release(fake: FakeGithub, request: Request) -> Any:
    id_ = _release_id(fake, request)
    row = fake.releases[id_]
    if not row["draft"] and set(request.json) - {"name", "body"}:
        raise Refusal(422, "Cannot change an immutable release")
    if request.json.get("draft") is False and _published(fake, row["tag_name"], id_):
        raise Refusal(422, "Validation Failed", "already_exists")
    row.update(request.json)
    return fake.show_release(request.base, id_)


def _delete_release(fake: FakeGithub, request: Request) -> Any:
    id_ = _release_id(fake, request)
    del fake.releases[id_]
    fake.assets = {k: v for k, v in fake.assets.items() if v["release"] != id_}
    return None


def _assets(fake: FakeGithub, request: Request) -> Any:
    id_ = _release_id(fake, request)
    return [fake.show_asset(request.base, a) for a, asset in fake.assets.items() if asset["release"] == id_]


def _upload(fake: FakeGithub, request: Request) -> Any:
    id_, name = _release_id(fake, request), request.query["name"]
    if not fake.releases[id_]["draft"]:
        raise Refusal(422, "Cannot upload assets to an immutable release.")
    if any(a["release"] == id_ and a["name"] == name for a in fake.assets.values()):
        raise Refusal(422, "Validation Failed", "already_exists")
    asset = fake.id()
    fake.assets[asset] = {"release": id_, "name": name, "data": fake.spoil(name, request.body), "whole": request.whole}
    return fake.show_asset(request.base, asset)


def _asset_id(fake: FakeGithub, request: Request) -> int:
    id_ = int(request.parts["asset_id"])
    if id_ not in fake.assets:
        raise Refusal(404, "Not Found")
    return id_


def _delete_asset(fake: FakeGithub, request: Request) -> Any:
    id_ = _asset_id(fake, request)
    if not fake.releases[fake.assets[id_]["release"]]["draft"]:
        raise Refusal(422, "Cannot delete assets of an immutable release.")
    del fake.assets[id_]
    return None


def _check_runs(fake: FakeGithub, request: Request) -> Any:
    runs = [
        filled("check-run", id=n, name=name, status=status, conclusion=conclusion)
        for n, (name, status, conclusion) in enumerate(fake.check_runs)
    ]
    return {"total_count": len(runs), "check_runs": runs}


def _commit_statuses(fake: FakeGithub, request: Request) -> Any:
    shown = [filled("simple-commit-status", context=context, state=state) for context, state in fake.commit_statuses]
    return filled("combined-commit-status", state="success", statuses=shown, total_count=len(shown))


def _deployments(fake: FakeGithub, request: Request) -> Any:
    asked = {k: v for k, v in request.query.items() if k in {"ref", "environment", "task", "sha"}}
    return [
        filled("deployment", id=id_, **row)
        for id_, row in reversed(fake.deployments.items())
        if all(row[key] == value for key, value in asked.items())
    ]


def _make_deployment(fake: FakeGithub, request: Request) -> Any:
    body = request.json
    found = _peeled(fake, f"refs/tags/{body['ref']}^{{commit}}")
    if found is None:
        raise Refusal(422, f"No ref found for: {body['ref']}")
    id_ = fake.id()
    fake.deployments[id_] = {
        "sha": found[1],
        **{key: body[key] for key in ("ref", "environment", "task", "payload", "description")},
    }
    fake.statuses[id_] = []
    return filled("deployment", id=id_, **fake.deployments[id_])


def _deployment_id(fake: FakeGithub, request: Request) -> int:
    id_ = int(request.parts["deployment_id"])
    if id_ not in fake.deployments:
        raise Refusal(404, "Not Found")
    return id_


def _deployment_statuses(fake: FakeGithub, request: Request) -> Any:
    return [filled("deployment-status", **row) for row in reversed(fake.statuses[_deployment_id(fake, request)])]


def _make_deployment_status(fake: FakeGithub, request: Request) -> Any:
    row = {k: v for k, v in request.json.items() if k in {"state", "description", "log_url", "environment_url"}}
    fake.statuses[_deployment_id(fake, request)].append(row)
    return filled("deployment-status", **row)


@dataclass(frozen=True)
class Request:
    base: str
    parts: dict[str, str]
    query: dict[str, str]
    body: bytes
    whole: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)


_ROUTES: list[tuple[str, str, Callable[[FakeGithub, Request], Any]]] = [
    ("GET", _R, _about),
    ("GET", f"{_R}/git/commits/{{commit_sha}}", _commit),
    ("GET", f"{_R}/git/ref/{{ref}}", _ref),
    ("GET", f"{_R}/git/tags/{{tag_sha}}", _tag),
    ("POST", f"{_R}/git/tags", _make_tag),
    ("POST", f"{_R}/git/refs", _make_ref),
    ("GET", f"{_R}/releases", _releases),
    ("POST", f"{_R}/releases", _make_release),
    ("GET", f"{_R}/releases/{{release_id}}", _one_release),
    ("PATCH", f"{_R}/releases/{{release_id}}", _edit_release),
    ("DELETE", f"{_R}/releases/{{release_id}}", _delete_release),
    ("GET", f"{_R}/releases/{{release_id}}/assets", _assets),
    ("POST", f"{_R}/releases/{{release_id}}/assets", _upload),
    ("DELETE", f"{_R}/releases/assets/{{asset_id}}", _delete_asset),
    ("GET", f"{_R}/commits/{{ref}}/check-runs", _check_runs),
    ("GET", f"{_R}/commits/{{ref}}/status", _commit_statuses),
    ("GET", f"{_R}/deployments", _deployments),
    ("POST", f"{_R}/deployments", _make_deployment),
    ("GET", f"{_R}/deployments/{{deployment_id}}/statuses", _deployment_statuses),
    ("POST", f"{_R}/deployments/{{deployment_id}}/statuses", _make_deployment_status),
]


def _matcher(template: str) -> re.Pattern[str]:
    pattern = template.replace("{owner}/{repo}", re.escape(REPOSITORY))
    return re.compile(re.sub(r"\{(\w+)\}", lambda m: f"(?P<{m[1]}>{'.+' if m[1] == 'ref' else '[^/]+'})", pattern))


_MATCHERS = [(method, template, _matcher(template), answer) for method, template, answer in _ROUTES]


def respond(fake: FakeGithub, method: str, path: str, base: str, body: bytes, *, whole: bool) -> tuple[int, Any]:
    """HTTP status and JSON, as GitHub would answer."""
    parts = urlsplit(path)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    for verb, template, matcher, answer in _MATCHERS:
        match = matcher.fullmatch(unquote(parts.path))
        if verb != method or match is None:
            continue
        operation = f"{verb} {template}"
        is_upload = operation.startswith("POST") and template.endswith("/assets")
        if not whole and not is_upload:
            return 400, {"message": "Problems parsing JSON"}
        try:
            if method in {"POST", "PATCH"} and not is_upload:
                problem = hold_request(operation, json.loads(body))
                if problem:
                    fake.wrong.append(f"{operation}: {problem}")
                    raise Refusal(422, f"Invalid request. {problem}")
                fake.bodies.append((operation, json.loads(body)))
            shown = answer(fake, Request(base, match.groupdict(), query, body, whole))
        except Refusal as refusal:
            errors = [{"resource": "Release", "code": refusal.code}]
            return refusal.status, {"message": refusal.message, "errors": errors}
        if method == "DELETE":
            return 204, None
        try:
            hold_reply(operation, shown)
        except AssertionError as error:
            fake.wrong.append(str(error))
        if isinstance(shown, list) and "per_page" in query:
            size, page = int(query["per_page"]), int(query.get("page", "1"))
            shown = shown[(page - 1) * size : page * size]
        return 201 if method == "POST" else 200, shown
    return 404, {"message": "Not Found"}


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on a port the system picks."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] # clients that hang up are part of the tests
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def fake_github(bare: Path) -> Iterator[FakeGithub]:
    """The API, and the store its downloads are sent on to."""
    fake = FakeGithub(bare)
    stores: list[str] = []

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            fake.calls.append(f"{self.command} {self.path}")
            if self.command != "GET":
                fake.writes.append(f"{self.command} {self.path}")
            if self.path == "/app/installations/7/access_tokens":
                fake.jwts.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
                token = filled("installation-token", token=TOKEN, expires_at="2099-01-01T00:00:00Z", permissions={})
                self._reply(201, hold_reply("POST /app/installations/{installation_id}/access_tokens", token))
                return
            open_ = fake.public and self.command == "GET" and "Authorization" not in self.headers
            if not open_ and self.headers.get("Authorization") != f"token {TOKEN}":
                self._reply(401, {"message": "Bad credentials"})
                return
            asset = re.fullmatch(rf"/repos/{REPOSITORY}/releases/assets/(\d+)", self.path)
            if self.command == "GET" and asset and self.headers.get("Accept") == "application/octet-stream":
                self._reply(302, None, {"Location": f"{stores[0]}/{asset[1]}?signed=yes"})
                return
            with fake.lock:
                base = f"http://{self.headers['Host']}"
                status, shown = respond(fake, self.command, self.path, base, body, whole=len(body) == length)
            self._reply(status, shown)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the base class looks for these names

        def _reply(self, status: int, shown: Any, headers: dict[str, str] | None = None) -> None:
            data = b"" if shown is None else json.dumps(shown).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Quiet: a test's output is its own."""

    class Store(Api):
        def do_GET(self) -> None:
            fake.stored_with_credentials += self.headers.get("Authorization") is not None
            data = fake.assets[int(urlsplit(self.path).path[1:])]["data"]
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with serving(Store) as store, serving(Api) as fake.url:
        stores.append(store)
        yield fake
    assert fake.wrong == [], fake.wrong
