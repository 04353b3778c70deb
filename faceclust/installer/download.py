"""Getting one file by HTTP. The only module that opens a connection; only `models pull` uses it.

A download that was cut off goes on where it stopped: RFC 9110, sections 14 (Range), 13.1.5
(If-Range) and 15.3.7 (206). Proxies are those that the environment names.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from faceclust.errors import PackError
from faceclust.installer.partial_file import Origin, Part
from faceclust.packs.urls import is_here, is_secure, shown
from faceclust.progress import Progress

_MOST_REDIRECTS = 10
#: Bytes after which a try that failed was not in vain.
_WORTH_IT = 1_000_000
_LONGEST_PAUSE = 60.0  # seconds
#: Answers that another time may be others (RFC 9110; 429: RFC 6585).
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_AGAIN = "type it again to go on from there"


@dataclass(frozen=True)
class Wanted:
    """A file: how it is called, its SHA-256 and size in bytes, and the addresses to try in turn."""

    name: str
    sha256: str
    size: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Patience:
    """`stall`: seconds to wait for a next byte, `connect`: for a connection. `tries` in a row that
    bring nothing are the end; before the second there is a `pause` of seconds, then twice that."""

    stall: float = 30.0
    connect: float = 15.0
    tries: int = 4
    pause: float = 1.0


class _PassingError(Exception):
    """Worth another try. `after`: seconds that the server asks for."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class _NotThereError(Exception):
    """The server has no such file."""


class _OtherFileError(Exception):
    """What has come is no part of what the server has now."""


def download(wanted: Wanted, part: Part, progress: Progress, patience: Patience) -> bool:
    """Bring `part` to the file's size, going on from what it has. Its SHA-256 is not looked at. Gives
    whether it came in one piece: pieces of two files do not make one.

    Raises PackError where that cannot be, naming the server and what to do. What has come stays,
    unless it is no part of the file.
    """
    said: Exception | None = None
    with _client(patience) as client:
        for address in wanted.addresses:
            try:
                return _insist(client, address, wanted, part, progress, patience)
            except _NotThereError as error:
                said = error
            except httpx.InvalidURL as error:
                raise PackError(f"{shown(address)} is no address: {error}", hint="another mirror: --url") from error
            except OSError as error:  # the disk: httpx has errors of its own
                full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
                hint = f"make room, then {_AGAIN}" if full else "may you write there?"
                raise PackError(f"{part.path} cannot be written: {error.strerror or error}", hint=hint) from error
            finally:
                progress.finish()
    tried = ", ".join(map(shown, wanted.addresses))
    raise PackError(f"{wanted.name} is not at {tried} ({said})", hint="another mirror: --url https://…")


def _insist(
    client: httpx.Client, address: str, wanted: Wanted, part: Part, progress: Progress, patience: Patience
) -> bool:
    """Try until it is there, or trying is in vain."""
    host = httpx.URL(address).host
    failures, others, mark = 0, 0, part.size
    while True:
        try:
            return _try(client, address, wanted, part, progress)
        except _OtherFileError:
            part.drop()
            others, mark = others + 1, 0
            if others > 1:
                raise PackError(f"{host} gives another file each time", hint="another mirror: --url") from None
        except (httpx.TransportError, _PassingError) as error:
            if part.size - mark >= _WORTH_IT:
                failures, mark = 0, part.size
            failures += 1
            said = _in_words(error)
            if failures >= patience.tries or "CERTIFICATE" in said:
                come = f" after {part.size:,} of {wanted.size:,} bytes" if part.size else ""
                raise PackError(
                    f"{wanted.name} could not be had from {host}{come}: {said}",
                    hint=_AGAIN if part.size else "is there a network, or a proxy to name in HTTPS_PROXY?",
                ) from error
            pause = patience.pause * 2 ** (failures - 1)
            if isinstance(error, _PassingError):
                pause = min(max(pause, error.after), _LONGEST_PAUSE)
            progress.note(f"{host}: {said}; trying again")
            time.sleep(pause)


def _try(client: httpx.Client, address: str, wanted: Wanted, part: Part, progress: Progress) -> bool:
    """One request, and what comes of it: whether it is all of the file."""
    origin = part.origin()
    if origin is None or origin.sha256 != wanted.sha256 or part.size > wanted.size:
        part.drop()
        origin = None
    begun = part.size
    if begun == wanted.size:
        return False
    headers = {"Accept-Encoding": "identity", "User-Agent": "faceclust"}
    if begun and origin:
        headers["Range"] = f"bytes={begun}-"
        if origin.etag and origin.address == address:
            headers["If-Range"] = origin.etag
    with _answer(client, address, headers) as response:
        etag = response.headers.get("etag", "")
        now = Origin(wanted.sha256, address, etag if etag.startswith('"') else None)
        if response.status_code == 206 and begun and origin:
            _check_range(response, wanted, begun, origin, now)
        elif response.status_code == 200:
            _check_whole(response, wanted)
            begun = 0
            part.begin(now)
        else:
            _refuse(response, begun)
        progress.start(wanted.name, wanted.size, "bytes")
        progress.advance(begun)
        _receive(response, wanted, part, progress)
    return not begun


def _receive(response: httpx.Response, wanted: Wanted, part: Part, progress: Progress) -> None:
    size = part.size
    with part.path.open("ab") as stream:
        for block in response.iter_raw():
            size += len(block)
            if size > wanted.size:
                break
            stream.write(block)
            progress.advance(len(block))
    if size > wanted.size:
        part.drop()
        raise _wrong_size(response, wanted, f"more than {wanted.size:,}")
    if size < wanted.size:
        raise _PassingError(f"it stopped at {size:,} of {wanted.size:,} bytes")


@contextmanager
def _answer(client: httpx.Client, address: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The answer to a GET, its body not yet read. Leads elsewhere are followed as long as nobody can
    listen in: from https to https, and from this machine to itself."""
    request = client.build_request("GET", address, headers=headers)
    for _ in range(_MOST_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                yield response
                return
            here, there = str(response.url), str(response.next_request.url)
            if not (is_secure(there) or (is_here(here) and is_here(there))):
                raise PackError(f"{shown(here)} leads to {shown(there)}, not https", hint="another mirror: --url")
            request = response.next_request
        finally:
            response.close()
    raise PackError(f"{shown(address)} leads in a circle", hint="another mirror: --url https://…")


def _check_range(response: httpx.Response, wanted: Wanted, begun: int, origin: Origin, now: Origin) -> None:
    """Raise _OtherFileError unless this is the rest of the same file."""
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    same_mark = origin.address != now.address or None in (origin.etag, now.etag) or origin.etag == now.etag
    if not (found and int(found[1]) == begun and found[2] in ("*", str(wanted.size)) and same_mark):
        raise _OtherFileError


def _check_whole(response: httpx.Response, wanted: Wanted) -> None:
    packed = response.headers.get("content-encoding", "identity")
    length = response.headers.get("content-length")
    if packed != "identity":
        raise PackError(f"{response.url.host} sends {wanted.name} packed as {packed!a}", hint="another mirror: --url")
    if length is not None and length != str(wanted.size):
        raise _wrong_size(response, wanted, f"{length!a:.20}")


def _wrong_size(response: httpx.Response, wanted: Wanted, found: str) -> PackError:
    return PackError(
        f"{shown(str(response.url))} has {found} bytes, {wanted.name} has {wanted.size:,}: it is another file",
        hint="another mirror: --url https://…",
    )


def _refuse(response: httpx.Response, begun: int) -> None:
    """Raise what an answer without a file means."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in (403, 404, 410):  # some stores forbid what is not there
        raise _NotThereError(status)
    if response.status_code in (206, 416) and begun:
        raise _OtherFileError
    if response.status_code in _PASSING:
        after = response.headers.get("retry-after", "")
        raise _PassingError(f"it answers {status!a}", float(after) if re.fullmatch(r"\d{1,6}", after) else 0.0)
    raise PackError(f"{shown(str(response.url))} answers {status!a}", hint="another mirror: --url https://…")


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "it stalled"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it cut the connection off"
    return ascii(str(error) or type(error).__name__)[1:-1]


def _client(patience: Patience) -> httpx.Client:
    try:
        return httpx.Client(timeout=httpx.Timeout(patience.stall, connect=patience.connect))
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise PackError(
            f"the proxy or the certificates that the environment names cannot be used: {error}",
            hint="look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
