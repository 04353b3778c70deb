"""The guard and its server around a small application, in a thread; and requests of raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import h11
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from faceclust.web.security import COOKIE_NAME, Access, Guard
from faceclust.web.server import OpenRequests, PageServer, listen
from faceclust.web.sign_in import SignIn


@dataclass(frozen=True)
class Answer:
    """The answer to a request. `status` is 0 if the connection was closed without one."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None


class GuardedServer:
    """A guarded application. `reached` lists the paths of the requests that reached it."""

    def __init__(self, listener: socket.socket, clock: Callable[[], float], picture: bytes) -> None:
        self.access = Access(listener.getsockname()[1])
        self.sign_in = SignIn(self.access)
        self.reached: list[str] = []
        self.picture = picture
        self.errors: list[Exception] = []
        self.requests = OpenRequests(clock)
        self.is_done = self.has_ended = False
        self.goodbyes = 0
        self.guard = Guard(
            self._app(), self.access, self.sign_in, report=self.errors.append, request_open=self.requests.one
        )
        self.server = PageServer(self.guard, self.requests, is_done=lambda: self.is_done, say_goodbye=self._say_goodbye)

    @property
    def good(self) -> dict[str, str]:
        """The headers of a request by the page."""
        return {
            "Host": self.access.host,
            "Cookie": f"{COOKIE_NAME}={self.access.cookie}",
            "Sec-Fetch-Site": "same-origin",
        }

    def send(self, raw: bytes, *, end: bool = False) -> Answer:
        """Send raw bytes and return the first answer. `end`: send nothing more after them."""
        with socket.create_connection(("127.0.0.1", self.access.port), timeout=10) as connection:
            with contextlib.suppress(ConnectionError):  # an early answer, while we still send
                connection.sendall(raw)
                if end:
                    connection.shutdown(socket.SHUT_WR)
            return read_answer(connection, raw[:4])

    def ask(
        self,
        method: str = "GET",
        path: str = "face/0.jpg",
        body: bytes = b"",
        *,
        target: str | None = None,
        more: tuple[tuple[str, str], ...] = (),
        **headers: str | None,
    ) -> Answer:
        """Send a request as the page does, with some headers changed (`Sec_Fetch_Site="cross-site"`), left out
        (None) or added (`more`)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        standard = {**self.good, **({"Content-Type": "application/json"} if method == "POST" else {})}
        if method == "POST" or body:
            standard["Content-Length"] = str(len(body))
        merged = {name: value for name, value in {**standard, **given}.items() if value is not None}
        lines = [f"{name}: {value}" for name, value in (*merged.items(), *more)]
        head = "\r\n".join([f"{method} {target or self.access.base + path} HTTP/1.1", *lines, "", ""])
        return self.send(head.encode("latin-1") + body)

    def run(self, listener: socket.socket) -> None:
        """Run until somebody ends it."""
        self.server.run(sockets=[listener])
        self.has_ended = True

    async def _say_goodbye(self) -> None:
        self.goodbyes += 1

    def _app(self) -> Starlette:
        async def page(request: Request) -> Response:
            self.reached.append(request.url.path)
            headers = {"Server": "secret", "X-Frame-Options": "ALLOWALL", "Access-Control-Allow-Origin": "*"}
            kind = "image/jpeg" if request.url.path.endswith(".jpg") else "text/html"
            return Response(self.picture, media_type=kind, headers=headers)

        async def kept(request: Request) -> Response:
            self.reached.append(request.url.path)
            return Response(b"picture", headers={"Cache-Control": "private, max-age=600"})

        async def stream(request: Request) -> Response:
            self.reached.append(request.url.path)

            async def content() -> AsyncIterator[bytes]:
                while not self.goodbyes:
                    await asyncio.sleep(0.01)
                yield b"goodbye"

            return StreamingResponse(content())

        async def answers(request: Request) -> Response:
            self.reached.append(request.url.path)
            return JSONResponse({"length": len(await request.body())})

        async def failure(request: Request) -> Response:
            raise ValueError("a secret")

        app = Starlette(
            routes=[
                Route("/", page),
                Route("/map", page),
                Route("/face/0.jpg", page),
                Route("/face/kept.jpg", kept),
                Route("/stream", stream),
                Route("/failure", failure),
                Route("/api/answers", answers, methods=["POST"]),
            ]
        )
        app.router.redirect_slashes = False
        return app


def read_answer(connection: socket.socket, method: bytes = b"GET") -> Answer:
    """Read one answer from a connection. That to HEAD has no body."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method="HEAD" if method == b"HEAD" else "GET", target="/", headers=[("Host", "x")]))
    parser.send(h11.EndOfMessage())
    status, headers, body = 0, [], b""
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:  # closed without an answer, or in the middle of one
            return Answer(status, headers, body)
        if event is h11.NEED_DATA:
            try:
                parser.receive_data(connection.recv(65536))
            except ConnectionError:
                return Answer(status, headers, body)
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = [(name.decode().lower(), value.decode()) for name, value in event.headers]
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            return Answer(status, headers, body)


@contextmanager
def run_guarded_server(
    clock: Callable[[], float] = time.monotonic, picture: bytes = b"picture"
) -> Iterator[GuardedServer]:
    """Run the server in a thread and end it."""
    with contextlib.closing(listen()) as listener:
        guarded = GuardedServer(listener, clock, picture)
        thread = threading.Thread(target=guarded.run, args=(listener,))
        thread.start()
        try:
            yield guarded
        finally:
            guarded.is_done = True
            thread.join(20)
            assert not thread.is_alive()
