"""Serve the page for one library on 127.0.0.1 until somebody ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from types import FrameType

import uvicorn

from faceclust.errors import UsageError
from faceclust.library.library import Library
from faceclust.store.thumbs import ThumbStore
from faceclust.web.app import create_app
from faceclust.web.connections import MAX_HEAD, LimitedProtocol
from faceclust.web.pictures import PictureService
from faceclust.web.security import Access, App, Guard
from faceclust.web.session import WebSession
from faceclust.web.sign_in import SignIn

LOOPBACK = "127.0.0.1"
#: Seconds after which a server ends on which no page is open. An open page keeps a stream of events open.
IDLE_LIMIT = 30 * 60
_GRACEFUL_SHUTDOWN = 3  # seconds for answers that are being sent


class Ending(Enum):
    """Why the server ended."""

    DONE = "done"  # the reader of the page has finished
    IDLE = "idle"  # no page was open for IDLE_LIMIT
    INTERRUPTED = "interrupted"  # Ctrl-C or SIGTERM


class OpenRequests:
    """Counts the requests that are being answered, and the time since the last one. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._count, self._last = clock, 0, clock()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count a request while it is being answered."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            self._last = self._clock()

    def idle_time(self) -> float:
        """Return the seconds without a request."""
        return 0.0 if self._count else self._clock() - self._last


def serve_page(
    library: Library,
    *,
    thorough: bool,
    port: int,
    open_browser: bool,
    announce: Callable[[str], None],
    report: Callable[[Exception], None],
) -> Ending:
    """Serve the page for a library until somebody ends it. Return why it ended.

    `thorough`: see `Interview`. `announce` gets lines for the user, `report` the exceptions that are bugs. Raises
    UsageError if the port is in use, FaceclustError if the file that signs the browser in cannot be written.
    """
    with contextlib.closing(listen(port)) as listener:
        access = Access(listener.getsockname()[1])
        sign_in, requests, session = SignIn(access), OpenRequests(), WebSession(library, thorough=thorough)
        pictures = PictureService(library.roots, ThumbStore(library.home.thumbs))
        session.load_ahead()
        guard = Guard(create_app(session, pictures), access, sign_in, report=report, request_open=requests.one)

        async def say_goodbye() -> None:
            with contextlib.suppress(TimeoutError):  # the library's thread is in the middle of something long
                await asyncio.wait_for(asyncio.gather(session.close(), pictures.close()), _GRACEFUL_SHUTDOWN)

        server = PageServer(guard, requests, is_done=session.done.is_set, say_goodbye=say_goodbye)
        with sign_in.write_file() as file:
            send_to_browser(file, access.port, announce, open_browser=open_browser)
            server.run(sockets=[listener])
    return server.ending or Ending.INTERRUPTED


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on this machine only; on a free port if `port` is 0.

    Raises UsageError if the port is in use or may not be used.
    """
    # asyncio sends small packets at once only if it sees that this is TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(
            f"port {port} cannot be used: {error.strerror or error}",
            hint="leave out --port, and a free port is taken",
        ) from error
    return listener


class PageServer(uvicorn.Server):
    """The server of the page. `say_goodbye` is awaited before connections are closed."""

    def __init__(
        self,
        app: App,
        requests: OpenRequests,
        *,
        is_done: Callable[[], bool],
        say_goodbye: Callable[[], Awaitable[None]],
        idle_limit: float = IDLE_LIMIT,
    ) -> None:
        # No logs: they would have the secret path. No WebSockets, no forwarded addresses, no settings from outside.
        _silence_logs()
        super().__init__(
            uvicorn.Config(
                app,
                http=LimitedProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                forwarded_allow_ips=[],
                server_header=False,
                workers=1,
                timeout_graceful_shutdown=_GRACEFUL_SHUTDOWN,
                h11_max_incomplete_event_size=MAX_HEAD,
            )
        )
        self._requests, self._idle_limit = requests, idle_limit
        self._is_done, self._say_goodbye = is_done, say_goodbye
        self.ending: Ending | None = None

    def _end(self, ending: Ending) -> None:
        self.ending = self.ending or ending
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End on Ctrl-C and SIGTERM; a second Ctrl-C does not wait for open answers."""
        self.force_exit = self.force_exit or (self.should_exit and sig == signal.SIGINT)
        self._end(Ending.INTERRUPTED)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end: asked every 0.1 seconds."""
        if self._is_done():
            self._end(Ending.DONE)
        elif self._requests.idle_time() >= self._idle_limit:
            self._end(Ending.IDLE)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell open pages that the server ends, then close their connections."""
        await self._say_goodbye()
        await super().shutdown(sockets)


def _silence_logs() -> None:
    """Switch off the logs of the server: they have paths, and paths are secret."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio"):
        logging.getLogger(name).disabled = True


def send_to_browser(path: Path, port: int, announce: Callable[[str], None], *, open_browser: bool) -> None:
    """Have the user's browser open the file that signs it in, and announce what to do if it does not.

    The browser is started by a thread, since some take long to start and some run until they are closed.
    """
    if open_browser and _has_browser():
        threading.Thread(target=_open_quietly, args=(path.as_uri(),), daemon=True).start()
        announce(f"the page opens in your browser; if it does not, open this file in it: {path}")
    else:
        announce(f"open this file in your browser: {path}")
        if "SSH_CONNECTION" in os.environ:
            announce(
                f"from another machine: ssh -L {port}:{LOOPBACK}:{port} there, copy the file to your machine with scp, "
                f"and open the copy"
            )


def _has_browser() -> bool:
    """Can a browser with windows be started? Without a display, Python would start one of the terminal's."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


def _open_quietly(url: str) -> None:
    with contextlib.suppress(Exception):  # the user was told what to do without it
        webbrowser.open(url)
