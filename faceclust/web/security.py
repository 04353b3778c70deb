"""The guard in front of the page: what it refuses before the application sees a request, and the headers of
every answer.

The page is reachable by every program and every web page on this machine, and through DNS rebinding by
pages from elsewhere. So an answer needs three things at once: the exact address in `Host`, the cookie of
the signed-in browser, and the browser's word that the request comes from the page itself (Fetch Metadata,
W3C, section 2.3).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 64 * 1024  # bytes
MAX_TARGET = 4_000  # bytes of path and query; a hundred group numbers take a fifth of it
BODY_TIMEOUT = 10.0  # seconds for a whole body
COOKIE_NAME = "faceclust"
#: The key in a scope of requests that have the cookie.
IS_SIGNED_IN = "is_signed_in"
#: The path that exchanges the token of `sign_in` for the cookie.
SIGN_IN_PATH = "/sign-in"
#: Paths below the base that are pages of their own, which somebody may open by typing their address.
_DOCUMENTS = frozenset({"", "map"})
_FRAMES = frozenset({b"iframe", b"frame", b"embed", b"object", b"fencedframe"})
#: A second one of these could be read by one program and not by the next.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
#: Headers that no answer has: they name the software, or open the page to others.
_REMOVED_HEADERS = ("server", "access-control-")
#: Headers of every answer. The application may choose the first two itself.
_DEFAULT_HEADERS = {"content-security-policy": _POLICY, "cache-control": "private, no-store"}
_FIXED_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), display-capture=()",
}
_CLOSED_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>faceclust</title>
<h1>This browser is not signed in</h1>
<p>The page opens only in the browser that <code>faceclust label --web</code> has opened.</p>
<p>To open it again, stop faceclust in its terminal with Ctrl-C and run <code>faceclust label --web</code>.
All answers are saved. The browser has to be from 2023 or newer.</p>
</html>
"""


@dataclass(frozen=True)
class Access:
    """What a request has to know: the address, the base path and the cookie, both of 32 random bytes."""

    port: int
    base: str = field(default_factory=lambda: f"/{secrets.token_urlsafe(32)}/", repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def host(self) -> str:
        """The only value of `Host` that is served."""
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        """The origin of the page."""
        return f"http://{self.host}"

    @property
    def set_cookie(self) -> str:
        """The value of the header `Set-Cookie` that signs a browser in. The path keeps the cookie from other
        servers on this machine, as cookies do not depend on the port."""
        return f"{COOKIE_NAME}={self.cookie}; Path={self.base}; HttpOnly; SameSite=Strict"


@dataclass(eq=False)
class Refusal(Exception):
    """An answer instead of the application's. `page` is HTML, for somebody who opened an address."""

    status: int
    error: str
    page: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Guard:
    """ASGI middleware around the page. The application sees paths relative to the base.

    `sign_in` answers POST requests for `SIGN_IN_PATH`; its body is checked by itself. `request_open`
    is entered during each request that is let through. `report` gets the exceptions that the application raises.
    """

    def __init__(
        self,
        app: App,
        access: Access,
        sign_in: App,
        *,
        report: Callable[[Exception], None],
        request_open: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._app, self._access, self._sign_in = app, access, sign_in
        self._report, self._request_open = report, request_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        guarded_send = _GuardedSend(send)
        try:
            headers = self._check_head(scope)
            if scope["raw_path"] == SIGN_IN_PATH.encode():
                await self._sign_in(scope, await _read_body(headers, receive), guarded_send)
                return
            scope = self._check_access(scope, headers)
            receive = await _read_body(headers, receive) if scope["method"] == "POST" else receive
            with self._request_open():
                await self._app(scope, receive, guarded_send)
        except Refusal as refusal:
            await send_refusal(guarded_send, refusal)
        except Exception as error:
            self._report(error)
            if not guarded_send.started:
                await send_refusal(guarded_send, Refusal(500, "faceclust failed: the error is in its terminal"))

    def _check_head(self, scope: Scope) -> dict[bytes, bytes]:
        """Check what a request without the cookie must have too, and return its headers. Raises Refusal."""
        pairs: list[tuple[bytes, bytes]] = list(scope["headers"])
        if [value for name, value in pairs if name == b"host"] != [self._access.host.encode()]:
            raise Refusal(421, "unknown host")
        headers = dict(pairs)
        if len(headers) != len(pairs):
            raise Refusal(400, "a header is repeated")
        raw_path: bytes = scope["raw_path"]
        if not raw_path.startswith(b"/"):
            raise Refusal(400, "the target is not a path")
        if len(raw_path) + len(scope["query_string"]) > MAX_TARGET:
            raise Refusal(414, "the address is too long")
        allowed = "POST" if raw_path == SIGN_IN_PATH.encode() else "GET, POST"
        if scope["method"] not in allowed.split(", "):
            raise Refusal(405, "method not allowed", headers=(("allow", allowed),))
        has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        if scope["method"] == "GET" and has_body:
            raise Refusal(400, "a GET request has no body")
        return headers

    def _check_access(self, scope: Scope, headers: dict[bytes, bytes]) -> Scope:
        """Return the scope with a path relative to the base. Raises Refusal if the request may not pass."""
        raw_path: bytes = scope["raw_path"]
        base = self._access.base.encode()
        if not hmac.compare_digest(raw_path[: len(base)].ljust(len(base)), base) or b"%" in raw_path:
            raise Refusal(404, "not found")
        path = raw_path[len(base) :].decode("ascii")
        page = _CLOSED_PAGE if path in _DOCUMENTS and scope["method"] == "GET" else ""
        if not self._is_signed_in(headers.get(b"cookie", b"")):
            raise Refusal(403, "not signed in", page)
        scope[IS_SIGNED_IN] = True
        if not self._is_from_the_page(headers, is_document=bool(page)):
            raise Refusal(403, "the request does not come from the page", page)
        if scope["method"] == "POST" and headers.get(b"content-type") != b"application/json":
            raise Refusal(415, "the body is not JSON")
        relative = f"/{path}"
        return {**scope, "path": relative, "raw_path": relative.encode(), "root_path": ""}

    def _is_signed_in(self, cookies: bytes) -> bool:
        """Does one of the cookies sign the browser in? Other servers on this machine may set more of the name."""
        expected = f"{COOKIE_NAME}={self._access.cookie}".encode()
        return any(hmac.compare_digest(one.strip(), expected) for one in cookies.split(b";"))

    def _is_from_the_page(self, headers: dict[bytes, bytes], *, is_document: bool) -> bool:
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if origin not in (None, self._access.origin.encode()) or headers.get(b"sec-fetch-dest") in _FRAMES:
            return False
        if site is None:
            return origin is not None
        return site == b"same-origin" or (site == b"none" and is_document)


async def _read_body(headers: dict[bytes, bytes], receive: Receive) -> Receive:
    """Read the whole body and return a function that gives it to the application as one message. Raises Refusal."""
    length = headers.get(b"content-length")
    if length is not None and (b"transfer-encoding" in headers or not length.isdigit()):
        raise Refusal(400, "the length of the body is unclear")
    if length is not None and (len(length) > 9 or int(length) > MAX_BODY):
        raise Refusal(413, "the body is too large")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise Refusal(400, "the body is incomplete")
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise Refusal(413, "the body is too large")
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise Refusal(408, "the body took too long") from None
    waiting: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


class _GuardedSend:
    """Sends an answer with the security headers, whatever the application set."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": add_security_headers(message.get("headers", ()))}
        await self._send(message)


def add_security_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those that every answer has. An answer may have its own content security
    policy and its own lifetime in the browser's cache."""
    given = [(name.decode("latin-1").lower(), value) for name, value in headers]
    kept = {name for name, _ in given if name in _DEFAULT_HEADERS}
    added = {name: value for name, value in {**_DEFAULT_HEADERS, **_FIXED_HEADERS}.items() if name not in kept}
    return [
        *((name.encode(), value) for name, value in given if not name.startswith((*added, *_REMOVED_HEADERS))),
        *((name.encode(), value.encode()) for name, value in added.items()),
    ]


async def send_refusal(send: Send, refusal: Refusal) -> None:
    """Answer with an error and close the connection, whose body may not have been read."""
    kind = "text/html; charset=utf-8" if refusal.page else "application/json"
    body = refusal.page.encode() or json.dumps({"error": refusal.error}).encode()
    headers = [("content-type", kind), ("content-length", str(len(body))), ("connection", "close"), *refusal.headers]
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def closed_page() -> Refusal:
    """Return the answer to a browser that may not open the page."""
    return Refusal(403, "not signed in", _CLOSED_PAGE)
