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
from faceclust.installer.partial_file import PartialFile, PartialFileOrigin
from faceclust.packs.urls import is_https_url, is_loopback_url, redact_url
from faceclust.progress import Progress

_MAX_REDIRECTS = 10
#: Bytes after which a try that failed was not in vain.
_MIN_PROGRESS = 1_000_000
_MAX_DELAY = 60.0  # seconds
#: Answers that another time may be others (RFC 9110; 429: RFC 6585).
_TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_RESUME_HINT = "type it again to go on from there"


@dataclass(frozen=True)
class RemoteFile:
    """A file: how it is called, its SHA-256 and size in bytes, and the addresses to try in turn."""

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class RetryPolicy:
    """`stall`: seconds to wait for a next byte, `connect`: for a connection. `tries` in a row that
    bring nothing are the end; before the second there is a `pause` of seconds, then twice that."""

    read_timeout: float = 30.0
    connect_timeout: float = 15.0
    max_attempts: int = 4
    initial_delay: float = 1.0


class _TransientError(Exception):
    """Worth another try. `after`: seconds that the server asks for."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _NotFoundError(Exception):
    """The server has no such file."""


class _FileChangedError(Exception):
    """What has come is no part of what the server has now."""


def download(remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy) -> bool:
    """Bring `part` to the file's size, going on from what it has. Its SHA-256 is not looked at. Gives
    whether it came in one piece: pieces of two files do not make one.

    Raises PackError where that cannot be, naming the server and what to do. What has come stays,
    unless it is no part of the file.
    """
    said: Exception | None = None
    with _make_client(retry_policy) as client:
        for address in remote.urls:
            try:
                return _download_with_retries(client, address, remote, part, progress, retry_policy)
            except _NotFoundError as error:
                said = error
            except httpx.InvalidURL as error:
                raise PackError(
                    f"{redact_url(address)} is no address: {error}", hint="another mirror: --url"
                ) from error
            except OSError as error:  # the disk: httpx has errors of its own
                full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
                hint = f"make room, then {_RESUME_HINT}" if full else "may you write there?"
                raise PackError(f"{part.path} cannot be written: {error.strerror or error}", hint=hint) from error
            finally:
                progress.finish()
    tried = ", ".join(map(redact_url, remote.urls))
    raise PackError(f"{remote.name} is not at {tried} ({said})", hint="another mirror: --url https://…")


def _download_with_retries(
    client: httpx.Client, url: str, remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy
) -> bool:
    """Try until it is there, or trying is in vain."""
    host = httpx.URL(url).host
    failures, others, mark = 0, 0, part.size
    while True:
        try:
            return _download_once(client, url, remote, part, progress)
        except _FileChangedError:
            part.remove()
            others, mark = others + 1, 0
            if others > 1:
                raise PackError(f"{host} gives another file each time", hint="another mirror: --url") from None
        except (httpx.TransportError, _TransientError) as error:
            if part.size - mark >= _MIN_PROGRESS:
                failures, mark = 0, part.size
            failures += 1
            said = _describe_error(error)
            if failures >= retry_policy.max_attempts or "CERTIFICATE" in said:
                come = f" after {part.size:,} of {remote.size:,} bytes" if part.size else ""
                raise PackError(
                    f"{remote.name} could not be had from {host}{come}: {said}",
                    hint=_RESUME_HINT if part.size else "is there a network, or a proxy to name in HTTPS_PROXY?",
                ) from error
            pause = retry_policy.initial_delay * 2 ** (failures - 1)
            if isinstance(error, _TransientError):
                pause = min(max(pause, error.retry_after), _MAX_DELAY)
            progress.note(f"{host}: {said}; trying again")
            time.sleep(pause)


def _download_once(client: httpx.Client, url: str, remote: RemoteFile, part: PartialFile, progress: Progress) -> bool:
    """One request, and what comes of it: whether it is all of the file."""
    origin = part.read_origin()
    if origin is None or origin.sha256 != remote.sha256 or part.size > remote.size:
        part.remove()
        origin = None
    begun = part.size
    if begun == remote.size:
        return False
    headers = {"Accept-Encoding": "identity", "User-Agent": "faceclust"}
    if begun and origin:
        headers["Range"] = f"bytes={begun}-"
        if origin.etag and origin.address == url:
            headers["If-Range"] = origin.etag
    with _open_response(client, url, headers) as response:
        etag = response.headers.get("etag", "")
        now = PartialFileOrigin(remote.sha256, url, etag if etag.startswith('"') else None)
        if response.status_code == 206 and begun and origin:
            _check_range(response, remote, begun, origin, now)
        elif response.status_code == 200:
            _check_full_response(response, remote)
            begun = 0
            part.restart(now)
        else:
            _raise_for_status(response, begun)
        progress.start(remote.name, remote.size, "bytes")
        progress.advance(begun)
        _receive_body(response, remote, part, progress)
    return not begun


def _receive_body(response: httpx.Response, remote: RemoteFile, part: PartialFile, progress: Progress) -> None:
    size = part.size
    with part.path.open("ab") as stream:
        for block in response.iter_raw():
            size += len(block)
            if size > remote.size:
                break
            stream.write(block)
            progress.advance(len(block))
    if size > remote.size:
        part.remove()
        raise _wrong_size_error(response, remote, f"more than {remote.size:,}")
    if size < remote.size:
        raise _TransientError(f"it stopped at {size:,} of {remote.size:,} bytes")


@contextmanager
def _open_response(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The answer to a GET, its body not yet read. Leads elsewhere are followed as long as nobody can
    listen in: from https to https, and from this machine to itself."""
    request = client.build_request("GET", url, headers=headers)
    for _ in range(_MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                yield response
                return
            here, there = str(response.url), str(response.next_request.url)
            if not (is_https_url(there) or (is_loopback_url(here) and is_loopback_url(there))):
                raise PackError(
                    f"{redact_url(here)} leads to {redact_url(there)}, not https", hint="another mirror: --url"
                )
            request = response.next_request
        finally:
            response.close()
    raise PackError(f"{redact_url(url)} leads in a circle", hint="another mirror: --url https://…")


def _check_range(
    response: httpx.Response, remote: RemoteFile, offset: int, origin: PartialFileOrigin, current: PartialFileOrigin
) -> None:
    """Raise _OtherFileError unless this is the rest of the same file."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    same_mark = origin.address != current.address or None in (origin.etag, current.etag) or origin.etag == current.etag
    if not (found and int(found[1]) == offset and found[2] in ("*", str(remote.size)) and same_mark):
        raise _FileChangedError


def _check_full_response(response: httpx.Response, remote: RemoteFile) -> None:
    packed = response.headers.get("content-encoding", "identity")
    length = response.headers.get("content-length")
    if packed != "identity":
        raise PackError(f"{response.url.host} sends {remote.name} packed as {packed!a}", hint="another mirror: --url")
    if length is not None and length != str(remote.size):
        raise _wrong_size_error(response, remote, f"{length!a:.20}")


def _wrong_size_error(response: httpx.Response, remote: RemoteFile, found: str) -> PackError:
    return PackError(
        f"{redact_url(str(response.url))} has {found} bytes, {remote.name} has {remote.size:,}: it is another file",
        hint="another mirror: --url https://…",
    )


def _raise_for_status(response: httpx.Response, offset: int) -> None:
    """Raise what an answer without a file means."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in (403, 404, 410):  # some stores forbid what is not there
        raise _NotFoundError(status)
    if response.status_code in (206, 416) and offset:
        raise _FileChangedError
    if response.status_code in _TRANSIENT_STATUSES:
        after = response.headers.get("retry-after", "")
        raise _TransientError(f"it answers {status!a}", float(after) if re.fullmatch(r"\d{1,6}", after) else 0.0)
    raise PackError(f"{redact_url(str(response.url))} answers {status!a}", hint="another mirror: --url https://…")


def _describe_error(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.TimeoutException):
        return "it stalled"
    if isinstance(error, httpx.RemoteProtocolError):
        return "it cut the connection off"
    return ascii(str(error) or type(error).__name__)[1:-1]


def _make_client(retry_policy: RetryPolicy) -> httpx.Client:
    try:
        return httpx.Client(timeout=httpx.Timeout(retry_policy.read_timeout, connect=retry_policy.connect_timeout))
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise PackError(
            f"the proxy or the certificates that the environment names cannot be used: {error}",
            hint="look at HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
