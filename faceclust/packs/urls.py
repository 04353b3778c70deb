"""The addresses files are had from: which are allowed, and where a mirror has them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from faceclust.errors import UsageError

#: What a machine calls itself: nobody can listen in between.
_HERE = ("localhost", "127.0.0.1", "::1")


def is_secure(address: str) -> bool:
    """Whether this is a whole https address, with nothing in it that a terminal or a header would
    stumble over."""
    parts = _split(address)
    return parts is not None and parts.scheme == "https"


def is_here(address: str) -> bool:
    """Whether this is an http address of this machine itself."""
    parts = _split(address)
    return parts is not None and parts.scheme == "http" and parts.hostname in _HERE


def check_mirror(address: str) -> str:
    """A mirror's address as typed, without the spaces around it. Raises UsageError for one that is
    neither https nor of this machine: the hash tells whether a file is the right one, but who asks
    for which file would be read on the way."""
    address = address.strip()
    if not (is_secure(address) or is_here(address)):
        raise UsageError(
            f"{shown(address)} is no address of a mirror", hint="https://…, or http:// for this machine itself"
        )
    return address


def mirrored(mirror: str, pack: str, name: str) -> tuple[str, ...] | None:
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


def shown(address: str) -> str:
    """An address to be printed: without a password, or a key after the question mark."""
    parts = _split(address)
    if parts is None:
        return ascii(address)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _split(address: str) -> SplitResult | None:
    """The address in parts; None for what is none."""
    if not address.isascii() or not address.isprintable() or " " in address or "\\" in address:
        return None
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts if parts.hostname else None
