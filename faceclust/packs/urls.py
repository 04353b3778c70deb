"""Check the URLs that model files are downloaded from, and derive the URLs on a mirror."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from faceclust.errors import UsageError

MIRROR_HINT = "try another mirror: --url https://…"
#: Hosts that are this machine itself, so that plain http cannot be intercepted.
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def is_https_url(url: str) -> bool:
    """Is this a complete https URL, free of characters that are unsafe in a terminal or a header?"""
    parts = _split_url(url)
    return parts is not None and parts.scheme == "https"


def is_loopback_url(url: str) -> bool:
    """Is this an http URL of this machine itself?"""
    parts = _split_url(url)
    return parts is not None and parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS


def check_mirror(url: str) -> str:
    """Strip and return a mirror's URL. Raises UsageError unless it is https or on this machine:
    hashes protect the files, but plain http would reveal who downloads which model."""
    url = url.strip()
    if not (is_https_url(url) or is_loopback_url(url)):
        raise UsageError(
            f"{redact_url(url)} is not a valid mirror URL", hint="use https://…, or http:// for this machine itself"
        )
    return url


def mirror_urls(mirror: str, pack: str, name: str) -> tuple[str, ...] | None:
    """Return the URLs to try for the file `name` of a pack.

    If `mirror` ends in that name, it is the only URL. Otherwise the file may be in the subfolder
    `pack` or directly below `mirror`. None if `mirror` is the URL of another file.
    """
    parts = urlsplit(mirror)
    last = parts.path.rpartition("/")[2]
    if last == name:
        return (mirror,)
    if last.endswith((".zip", ".onnx")) or parts.query or parts.fragment:
        return None
    base = mirror.rstrip("/")
    return (f"{base}/{pack}/{name}", f"{base}/{name}")


def redact_url(url: str) -> str:
    """Return a URL fit to print, without password and query string."""
    parts = _split_url(url)
    if parts is None:
        return ascii(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _split_url(url: str) -> SplitResult | None:
    """Split a URL; None if it is not valid."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is not a number
    except ValueError:
        return None
    return parts if parts.hostname else None
