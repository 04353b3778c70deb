"""The addresses files are had from: which are allowed, and where a mirror has them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from faceclust.errors import UsageError

#: What a machine calls itself: nobody can listen in between.
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


def is_https_url(url: str) -> bool:
    """Whether this is a whole https address, with nothing in it that a terminal or a header would
    stumble over."""
    parts = _split_url(url)
    return parts is not None and parts.scheme == "https"


def is_loopback_url(url: str) -> bool:
    """Whether this is an http address of this machine itself."""
    parts = _split_url(url)
    return parts is not None and parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS


def check_mirror(url: str) -> str:
    """A mirror's address as typed, without the spaces around it. Raises UsageError for one that is
    neither https nor of this machine: the hash tells whether a file is the right one, but who asks
    for which file would be read on the way."""
    url = url.strip()
    if not (is_https_url(url) or is_loopback_url(url)):
        raise UsageError(
            f"{redact_url(url)} is no address of a mirror", hint="https://…, or http:// for this machine itself"
        )
    return url


def mirror_urls(mirror: str, pack: str, name: str) -> tuple[str, ...] | None:
    """Where a mirror may have the file `name` of a pack, in the order to try: `mirror` itself, where
    it ends in the file's name; below it in a folder called as the pack, or in none. None where the
    mirror is the address of another file."""
    parts = urlsplit(mirror)
    last = parts.path.rpartition("/")[2]
    if last == name:
        return (mirror,)
    if last.endswith((".zip", ".onnx")) or parts.query or parts.fragment:
        return None
    base = mirror.rstrip("/")
    return (f"{base}/{pack}/{name}", f"{base}/{name}")


def redact_url(url: str) -> str:
    """An address to be printed: without a password, or a key after the question mark."""
    parts = _split_url(url)
    if parts is None:
        return ascii(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _split_url(url: str) -> SplitResult | None:
    """The address in parts; None for what is none."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts if parts.hostname else None
