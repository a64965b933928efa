"""What GitHub keeps of a release, read strictly: fields that are missing or of another kind are no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.github.errors import GithubUnanswered

__all__ = ["Asset", "Check", "Deployment", "Release", "Tag", "read"]

T = TypeVar("T")


@dataclass(frozen=True)
class Asset:
    """``sha256`` is GitHub's own word, where it gives one. ``whole``: the upload ended as it should."""

    id: int
    name: str
    size: int
    whole: bool
    sha256: str | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Asset:
        digest = data.get("digest") or ""
        sha256 = digest.removeprefix("sha256:") if digest.startswith("sha256:") else None
        return cls(_int(data, "id"), _text(data, "name"), _int(data, "size"), data["state"] == "uploaded", sha256)


@dataclass(frozen=True)
class Release:
    """``assets`` may be stale in a list of releases; ask for them by the release's id."""

    id: int
    tag: str
    title: str
    body: str
    draft: bool
    prerelease: bool
    url: str
    upload_url: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Release:
        return cls(
            _int(data, "id"),
            _text(data, "tag_name"),
            data.get("name") or "",
            (data.get("body") or "").replace("\r\n", "\n"),
            _bool(data, "draft"),
            _bool(data, "prerelease"),
            _text(data, "html_url"),
            _text(data, "upload_url").partition("{")[0],
        )


@dataclass(frozen=True)
class Tag:
    """A tag as it is on GitHub. ``commit`` is what it stands for in the end."""

    name: str
    commit: str
    annotated: bool


@dataclass(frozen=True)
class Check:
    """A check run or a status. ``state``: ``success``, ``pending``, or the word for how it failed."""

    name: str
    state: str
    details_url: str = ""


@dataclass(frozen=True)
class Deployment:
    id: int
    environment: str
    payload: Any

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Deployment:
        return cls(_int(data, "id"), _text(data, "environment"), data.get("payload"))


def read(shape: Callable[[Mapping[str, Any]], T], data: Any) -> T:
    """``data`` in this shape. Raises ``GithubUnanswered``: half a reply says nothing of what happened."""
    try:
        return shape(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise GithubUnanswered(
            f"GitHub's answer lacks something or is of another kind: {error}", remedy="Run the same command again."
        ) from None


def _int(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if type(value) is not int:
        raise TypeError(f"{key} is no number")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise TypeError(f"{key} is no text")
    return value


def _bool(data: Mapping[str, Any], key: str) -> bool:
    value = data[key]
    if not isinstance(value, bool):
        raise TypeError(f"{key} is neither true nor false")
    return value
