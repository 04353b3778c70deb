"""Download one file over HTTP. The only module with network access; only `models pull` uses it.

Interrupted downloads are resumed: RFC 9110, sections 14 (Range), 13.1.5 (If-Range) and 15.3.7
(206). Proxies are taken from the environment.
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
from faceclust.installer.staging import PERMISSIONS_HINT
from faceclust.packs.urls import MIRROR_HINT, is_https_url, is_loopback_url, redact_url
from faceclust.progress import Progress

_MAX_REDIRECTS = 10
#: A failed attempt that downloaded at least this many bytes resets the count of failures.
_MIN_PROGRESS = 1_000_000
_MAX_DELAY = 60.0  # seconds
#: Statuses that may go away (RFC 9110; 429: RFC 6585).
_TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_RESUME_HINT = "repeat the command to resume the download"


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its name, SHA-256, size in bytes, and the URLs to try in order."""

    name: str
    sha256: str
    size: int
    urls: tuple[str, ...]


@dataclass(frozen=True)
class RetryPolicy:
    """Timeouts and delays in seconds. A download fails after `max_attempts` attempts in a row without
    progress. The delay starts at `initial_delay` and doubles with each of them."""

    read_timeout: float = 30.0
    connect_timeout: float = 15.0
    max_attempts: int = 4
    initial_delay: float = 1.0


class _TransientError(Exception):
    """An error worth a retry; `retry_after` is the delay in seconds that the server asks for."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _NotFoundError(Exception):
    """The server does not have the file."""


class _FileChangedError(Exception):
    """The partial download does not belong to the file that the server has now."""


def download(remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy) -> bool:
    """Download a file into `part`, resuming an earlier download. Return true if it was downloaded in
    one piece; a resumed download may combine parts of two versions. Does not check the SHA-256.

    Raises PackError, naming the server, if the download fails. The partial file is kept for the next
    attempt, unless it belongs to another version.
    """
    last_error: Exception | None = None
    with _make_client(retry_policy) as client:
        for url in remote.urls:
            try:
                return _download_with_retries(client, url, remote, part, progress, retry_policy)
            except _NotFoundError as error:
                last_error = error
            except httpx.InvalidURL as error:
                raise PackError(f"{redact_url(url)} is not a valid URL: {error}", hint=MIRROR_HINT) from error
            except OSError as error:  # from the disk: httpx has its own exceptions
                is_full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
                hint = f"free some space, then {_RESUME_HINT}" if is_full else PERMISSIONS_HINT
                raise PackError(f"{part.path} cannot be written: {error.strerror or error}", hint=hint) from error
            finally:
                progress.finish()
    tried = ", ".join(map(redact_url, remote.urls))
    raise PackError(f"{remote.name} is not at {tried} ({last_error})", hint=MIRROR_HINT)


def _download_with_retries(
    client: httpx.Client, url: str, remote: RemoteFile, part: PartialFile, progress: Progress, retry_policy: RetryPolicy
) -> bool:
    """Download from one URL. Retry after errors that may go away, as long as there is progress."""
    host = httpx.URL(url).host
    failures, changes, last_size = 0, 0, part.size
    while True:
        try:
            return _download_once(client, url, remote, part, progress)
        except _FileChangedError:
            part.remove()
            changes, last_size = changes + 1, 0
            if changes > 1:
                raise PackError(f"{host} sends a different file each time", hint=MIRROR_HINT) from None
        except (httpx.TransportError, _TransientError) as error:
            if part.size - last_size >= _MIN_PROGRESS:
                failures, last_size = 0, part.size
            failures += 1
            reason = _describe_error(error)
            if failures >= retry_policy.max_attempts or "CERTIFICATE" in reason:
                received = f" after {part.size:,} of {remote.size:,} bytes" if part.size else ""
                raise PackError(
                    f"{remote.name} could not be downloaded from {host}{received}: {reason}",
                    hint=_RESUME_HINT if part.size else "check the network; a proxy can be set in HTTPS_PROXY",
                ) from error
            delay = retry_policy.initial_delay * 2 ** (failures - 1)
            if isinstance(error, _TransientError):
                delay = min(max(delay, error.retry_after), _MAX_DELAY)
            progress.note(f"{host}: {reason}; trying again")
            time.sleep(delay)


def _download_once(client: httpx.Client, url: str, remote: RemoteFile, part: PartialFile, progress: Progress) -> bool:
    """Make one request. Return true if the whole file came with it, false if it was resumed."""
    origin = part.read_origin()
    if origin is None or origin.sha256 != remote.sha256 or part.size > remote.size:
        part.remove()
        origin = None
    offset = part.size
    if offset == remote.size:
        return False
    headers = {"Accept-Encoding": "identity", "User-Agent": "faceclust"}
    if offset and origin:
        headers["Range"] = f"bytes={offset}-"
        if origin.etag and origin.address == url:
            headers["If-Range"] = origin.etag
    with _open_response(client, url, headers) as response:
        etag = response.headers.get("etag", "")
        current = PartialFileOrigin(remote.sha256, url, etag if etag.startswith('"') else None)
        if response.status_code == 206 and offset and origin:
            _check_range(response, remote, offset, origin, current)
        elif response.status_code == 200:
            _check_full_response(response, remote)
            offset = 0
            part.restart(current)
        else:
            _raise_for_status(response, offset)
        progress.start(remote.name, remote.size, "bytes")
        progress.advance(offset)
        _receive_body(response, remote, part, progress)
    return not offset


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
        raise _TransientError(f"the connection ended after {size:,} of {remote.size:,} bytes")


@contextmanager
def _open_response(client: httpx.Client, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """Send a GET request and return the response, its body unread. Redirects are followed only if
    they cannot be intercepted: from https to https, and from this machine to itself."""
    request = client.build_request("GET", url, headers=headers)
    for _ in range(_MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                yield response
                return
            source, target = str(response.url), str(response.next_request.url)
            if not (is_https_url(target) or (is_loopback_url(source) and is_loopback_url(target))):
                raise PackError(
                    f"{redact_url(source)} redirects to {redact_url(target)}, which is not https", hint=MIRROR_HINT
                )
            request = response.next_request
        finally:
            response.close()
    raise PackError(f"{redact_url(url)} redirects too often", hint=MIRROR_HINT)


def _check_range(
    response: httpx.Response, remote: RemoteFile, offset: int, origin: PartialFileOrigin, current: PartialFileOrigin
) -> None:
    """Raise _FileChangedError unless the response is the rest of the same file."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    same_etag = origin.address != current.address or None in (origin.etag, current.etag) or origin.etag == current.etag
    if not (found and int(found[1]) == offset and found[2] in ("*", str(remote.size)) and same_etag):
        raise _FileChangedError


def _check_full_response(response: httpx.Response, remote: RemoteFile) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    length = response.headers.get("content-length")
    if encoding != "identity":
        raise PackError(
            f"{response.url.host} sends {remote.name} with the content encoding {encoding!a}", hint=MIRROR_HINT
        )
    if length is not None and length != str(remote.size):
        raise _wrong_size_error(response, remote, f"{length!a:.20}")


def _wrong_size_error(response: httpx.Response, remote: RemoteFile, size: str) -> PackError:
    return PackError(
        f"{redact_url(str(response.url))} is another file: it has {size} bytes, {remote.name} has {remote.size:,}",
        hint=MIRROR_HINT,
    )


def _raise_for_status(response: httpx.Response, offset: int) -> None:
    """Raise the error for a response without a file."""
    status = f"{response.status_code} {response.reason_phrase}".strip()
    if response.status_code in (403, 404, 410):  # some servers send 403 for a missing file
        raise _NotFoundError(status)
    if response.status_code in (206, 416) and offset:
        raise _FileChangedError
    if response.status_code in _TRANSIENT_STATUSES:
        retry_after = response.headers.get("retry-after", "")
        delay = float(retry_after) if re.fullmatch(r"\d{1,6}", retry_after) else 0.0
        raise _TransientError(f"the server responded {status!a}", delay)
    raise PackError(f"{redact_url(str(response.url))} responded {status!a}", hint=MIRROR_HINT)


def _describe_error(error: Exception) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "the connection timed out"
    if isinstance(error, httpx.TimeoutException):
        return "the download stalled"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the server closed the connection"
    return ascii(str(error) or type(error).__name__)[1:-1]


def _make_client(retry_policy: RetryPolicy) -> httpx.Client:
    try:
        return httpx.Client(timeout=httpx.Timeout(retry_policy.read_timeout, connect=retry_policy.connect_timeout))
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        raise PackError(
            f"the proxy or certificates set in the environment cannot be used: {error}",
            hint="check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
