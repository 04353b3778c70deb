"""A local HTTP server with fault injection, and a proxy that records its requests."""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: A faulty response to one request, called with the handler and the content of the requested file.
Fault = Callable[["Handler", bytes], None]


class Handler(BaseHTTPRequestHandler):
    """Serves `files` with ETags and ranges (RFC 9110), or answers with the next of `faults`, if any."""

    server: Server

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        content = self.server.files.get(self.path)
        fault = self.server.faults.pop(0) if self.server.faults else None
        if content is None and fault is None:
            self.send_error(404)
        else:
            (fault or send_file)(self, content or b"")

    def send_head(self, code: int, length: int | None, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: dict[str, bytes], handler: type[BaseHTTPRequestHandler] = Handler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.files = files
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        self.stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    @property
    def ranges(self) -> list[str | None]:
        return [headers.get("Range") for _, headers in self.requests]

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: some tests close the connection early on purpose."""


@contextmanager
def run_server(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'


def send_file(handler: Handler, content: bytes) -> None:
    """Send the content, or the requested rest of it if `If-Range` matches."""
    rest = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    is_current = handler.headers.get("If-Range", etag(content)) == etag(content)
    if rest and is_current and int(rest[1]) >= len(content):
        handler.send_head(416, 0, Content_Range=f"bytes */{len(content)}")
    elif rest and is_current:
        start = int(rest[1])
        sent_range = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.send_head(206, len(content) - start, ETag=etag(content), Content_Range=sent_range)
        handler.wfile.write(content[start:])
    else:
        handler.send_head(200, len(content), ETag=etag(content))
        handler.wfile.write(content)


def cut_connection(after: int, *, with_etag: bool = True) -> Fault:
    """Announce the whole content, send `after` bytes and close the connection."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.send_head(200, len(content), **({"ETag": etag(content)} if with_etag else {}))
        handler.wfile.write(content[:after])

    return fault


def stall(after: int) -> Fault:
    """Send `after` bytes, then nothing, and keep the connection open."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.send_head(200, len(content), ETag=etag(content))
        handler.wfile.write(content[:after])
        handler.wfile.flush()
        handler.server.stopped.wait(30)

    return fault


def respond_with(code: int, **headers: str) -> Fault:
    """Send a status and headers without content."""
    return lambda handler, content: handler.send_head(code, 0, **headers)


def redirect_to(address: str) -> Fault:
    return respond_with(302, Location=address)


def replace_content(other: bytes, *, length: int | None = -1, **headers: str) -> Fault:
    """Send other content. `length` is the announced length: None for none, -1 for the true one."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.send_head(200, len(other) if length == -1 else length, **headers)
        handler.wfile.write(other)

    return fault


def send_endlessly(handler: Handler, content: bytes) -> None:
    """Send the content, followed by 100 MB of zeros."""
    handler.send_head(200, None)
    handler.wfile.write(content)
    for _ in range(100):
        handler.wfile.write(bytes(1_000_000))


def ignore_range(handler: Handler, content: bytes) -> None:
    """Send the whole content even if a range was requested."""
    handler.send_head(200, len(content))
    handler.wfile.write(content)


def send_wrong_range(handler: Handler, content: bytes) -> None:
    """Send a range that was not requested."""
    handler.send_head(206, 10, Content_Range=f"bytes 0-9/{len(content)}")
    handler.wfile.write(content[:10])


def send_rest_of_changed_file(handler: Handler, content: bytes) -> None:
    """Send the requested range of a file that has changed, without an ETag that would reveal it."""
    start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    sent_range = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.send_head(206, len(content) - start, Content_Range=sent_range)
    handler.wfile.write(bytes(len(content) - start))


class Proxy(Handler):
    """Forwards and records HTTP requests; refuses CONNECT, which HTTPS would need."""

    def do_GET(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        connection = http.client.HTTPConnection(parts.netloc)
        connection.request("GET", parts.path, headers={"Host": parts.netloc})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        self.send_head(response.status, len(body))
        self.wfile.write(body)

    def do_CONNECT(self) -> None:
        self.server.requests.append((self.path, dict(self.headers)))
        self.send_head(502, 0)
