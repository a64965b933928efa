"""One repository: tags, releases, assets, checks, deployments. Each method is one question or one write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipeline.github.client import Client
from pipeline.github.errors import GithubUnanswered
from pipeline.github.objects import Asset, Check, Deployment, Release, Tag, read

__all__ = ["Repository"]

_GREEN = {"success", "neutral", "skipped"}
_MOST_TAGS_OF_TAGS = 5


class Repository:
    """``name`` is owner/name."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name
        self._path = f"/repos/{name}"

    def about(self) -> Mapping[str, Any] | None:
        """The repository itself; ``None`` where it is not there, or hidden from us."""
        found: Mapping[str, Any] | None = self._client.get(self._path)
        return found

    def has_commit(self, sha: str) -> bool:
        found = self._client.get(f"{self._path}/git/commits/{sha}")
        return found is not None and read(lambda data: str(data["sha"]), found) == sha

    def tag(self, name: str) -> Tag | None:
        """The tag, followed to its commit."""
        ref = self._client.get(f"{self._path}/git/ref/tags/{quote(name, safe='')}")
        if ref is None:
            return None
        kind, sha = read(_pointed_at, ref)
        for depth in range(_MOST_TAGS_OF_TAGS):
            if kind == "commit":
                return Tag(name, sha, annotated=depth > 0)
            kind, sha = read(_pointed_at, self._client.get(f"{self._path}/git/tags/{sha}"))
        raise GithubUnanswered(f"the tag {name} on GitHub does not lead to a commit", remedy="Look at the tag there.")

    def make_tag(self, name: str, commit: str, message: str) -> None:
        """An annotated tag: its object, then the name for it. The object alone is seen by nobody."""
        body = {"tag": name, "message": message, "object": commit, "type": "commit"}
        made = self._client.post(f"{self._path}/git/tags", body)
        sha = read(lambda data: str(data["sha"]), made)
        self._client.post(f"{self._path}/git/refs", {"ref": f"refs/tags/{name}", "sha": sha})

    def releases(self) -> list[Release]:
        """All of them, drafts too where the token may see them."""
        return [read(Release.of, data) for data in self._client.pages(f"{self._path}/releases")]

    def release(self, id_: int) -> Release | None:
        found = self._client.get(f"{self._path}/releases/{id_}")
        return None if found is None else read(Release.of, found)

    def make_draft(self, tag: str, commit: str, title: str, body: str, *, prerelease: bool) -> None:
        self._client.post(
            f"{self._path}/releases",
            {
                "tag_name": tag,
                "target_commitish": commit,
                "name": title,
                "body": body,
                "draft": True,
                "prerelease": prerelease,
            },
        )

    def edit_release(self, id_: int, changes: Mapping[str, Any]) -> None:
        self._client.patch(f"{self._path}/releases/{id_}", changes)

    def delete_release(self, id_: int) -> None:
        self._client.delete(f"{self._path}/releases/{id_}")

    def assets(self, release: int) -> list[Asset]:
        return [read(Asset.of, data) for data in self._client.pages(f"{self._path}/releases/{release}/assets")]

    def upload(self, release: Release, name: str, content_type: str, data: bytes) -> None:
        self._client.upload(release.upload_url, name, content_type, data)

    def delete_asset(self, id_: int) -> None:
        self._client.delete(f"{self._path}/releases/assets/{id_}")

    def download(self, asset: Asset, max_bytes: int) -> bytes:
        return self._client.download(f"{self._path}/releases/assets/{asset.id}", max_bytes)

    def checks(self, commit: str) -> list[Check]:
        """The newest of every check run and of every status."""
        runs = self._client.pages(f"{self._path}/commits/{commit}/check-runs", {"filter": "latest"}, key="check_runs")
        statuses = self._client.pages(f"{self._path}/commits/{commit}/status", key="statuses")
        return [read(_check_run, run) for run in runs] + [read(_status, status) for status in statuses]

    def deployments(self, tag: str, environment: str) -> list[Deployment]:
        asked = {"ref": tag, "environment": environment, "task": "deploy"}
        return [read(Deployment.of, data) for data in self._client.pages(f"{self._path}/deployments", asked)]

    def make_deployment(self, body: Mapping[str, Any]) -> None:
        self._client.post(f"{self._path}/deployments", body)

    def deployment_states(self, id_: int) -> list[str]:
        statuses = self._client.pages(f"{self._path}/deployments/{id_}/statuses")
        return [read(lambda data: str(data["state"]), status) for status in statuses]

    def make_deployment_status(self, id_: int, body: Mapping[str, Any]) -> None:
        self._client.post(f"{self._path}/deployments/{id_}/statuses", body)


def _pointed_at(data: Mapping[str, Any]) -> tuple[str, str]:
    return str(data["object"]["type"]), str(data["object"]["sha"])


def _check_run(data: Mapping[str, Any]) -> Check:
    done = data["status"] == "completed"
    conclusion = str(data["conclusion"]) if done else "pending"
    return Check(
        str(data["name"]), "success" if conclusion in _GREEN else conclusion, str(data.get("details_url") or "")
    )


def _status(data: Mapping[str, Any]) -> Check:
    return Check(str(data["context"]), str(data["state"]), str(data.get("target_url") or ""))
