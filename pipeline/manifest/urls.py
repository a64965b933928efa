"""Which URLs a manifest may name: TLS for everything that is not local, and nothing at a cloud's metadata service."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

__all__ = ["UrlError", "forbidden_host", "is_forbidden_ip", "parse_url"]

# Metadata services: AWS/GCP/Azure/Oracle 169.254.169.254 (link-local), Alibaba, AWS IPv6, Azure wire server.
_METADATA_IPS = frozenset(
    {
        ipaddress.ip_address("100.100.100.200"),
        ipaddress.ip_address("fd00:ec2::254"),
        ipaddress.ip_address("168.63.129.16"),
    }
)
_METADATA_NAMES = frozenset({"metadata.google.internal", "metadata", "metadata.goog", "instance-data"})
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class UrlError(ValueError):
    """Why a text is no URL to use."""


def parse_url(text: str) -> SplitResult:
    """``text`` as an http(s) URL. Raises ``UrlError``, which never holds the URL."""
    if not text.isascii() or re.search(r"[\s\\<>\"'`]", text):
        raise UrlError("a URL holds visible ASCII characters only")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise UrlError("the host or port cannot be read") from None
    if parts.scheme not in {"http", "https"}:
        raise UrlError("a URL here starts with https:// (or http:// for a local host)")
    if not host:
        raise UrlError("the URL has no host")
    if parts.fragment:
        raise UrlError("a URL here has no #fragment")
    if parts.scheme == "http" and not _is_local(host):
        raise UrlError("http:// is allowed for local hosts only: anyone on the way could change the answers")
    return parts


def _is_local(host: str) -> bool:
    ip = _ip(host)
    if ip is not None:
        return ip.is_loopback or ip.is_private or ip.is_link_local
    return "." not in host.rstrip(".") or host.rstrip(".").endswith((".localhost", ".local", ".internal", ".svc"))


def _ip(host: str) -> IpAddress | None:
    """``host`` as an address, in any spelling the system's resolver takes (``0xa9fea9fe``, ``2852039166`` …)."""
    try:
        ip: IpAddress = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            ip = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, UnicodeEncodeError):
            return None
    mapped = getattr(ip, "ipv4_mapped", None)
    return mapped if isinstance(mapped, ipaddress.IPv4Address) else ip


def is_forbidden_ip(address: str) -> bool:
    """Whether ``address`` (also one a name resolved to) is link-local or a cloud's metadata service."""
    ip = _ip(address)
    return ip is not None and (ip.is_link_local or ip in _METADATA_IPS)


def forbidden_host(url: str, allowed: Collection[str] = ()) -> str | None:
    """The host of ``url`` if nothing may be sent there: link-local or metadata, and not ``allowed`` by name."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return None
    if host in {name.casefold() for name in allowed}:
        return None
    return host if host in _METADATA_NAMES or is_forbidden_ip(host) else None
