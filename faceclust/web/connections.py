"""HTTP connections with limits: of their number, and of the time for the head of a request."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from faceclust.web.security import add_security_headers

#: A browser keeps six to a server, and more pages may be open in other browsers or be opened again.
MAX_CONNECTIONS = 64
HEAD_TIMEOUT = 10.0  # seconds from the first byte, or the end of the last answer, to the end of the head


class LimitedProtocol(H11Protocol):
    """A connection. If there are too many, the one that has waited longest for a request is closed."""

    _deadline: asyncio.TimerHandle | None = None  # when a connection that waits for a request is closed

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        if sum(not one.transport.is_closing() for one in self.connections) > MAX_CONNECTIONS:
            waiting = [one for one in self.connections if isinstance(one, LimitedProtocol) and one._deadline]
            min(waiting, key=LimitedProtocol._waits_until)._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, and a head that is too large, with the security headers of every answer."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = add_security_headers([(b"content-length", b"0"), (b"connection", b"close")])
            response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            self.transport.write(self.conn.send(response) or b"")
            self.transport.write(self.conn.send(h11.EndOfMessage()) or b"")
        self.transport.close()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._deadline = self.loop.call_later(HEAD_TIMEOUT, self._abort)

    def _abort(self) -> None:
        self._stop_waiting()
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _waits_until(self) -> float:
        return self._deadline.when() if self._deadline else 0.0
