"""HTTP connections with limits: of their number, and of the time for the head of a request."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from faceclust.web.security import IS_SIGNED_IN, add_security_headers

#: A browser keeps six to a server, and more pages may be open in other browsers or be opened again.
MAX_CONNECTIONS = 64
#: Bytes of the head of a request. Cookies are most of it: those of all servers of this machine are sent.
MAX_HEAD = 64 * 1024
HEAD_TIMEOUT = 10.0  # seconds from the first byte, or the end of the last answer, to the end of the head


class LimitedProtocol(H11Protocol):
    """A connection. If there are too many, one that costs nobody anything is closed."""

    _deadline: asyncio.TimerHandle | None = None  # when a connection that waits for a request is closed
    _since = 0.0  # when it was opened or finished its last request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        open_ones = [one for one in self.connections if isinstance(one, LimitedProtocol) and one._is_open()]
        if len(open_ones) > MAX_CONNECTIONS:
            min(open_ones, key=LimitedProtocol._value)._abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_busy():
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_open() and not self._is_busy():
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, and a head that is too large, with the security headers of every answer."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = add_security_headers([(b"content-length", b"0"), (b"connection", b"close")])
            response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
            self.transport.write(self.conn.send(response) or b"")
            self.transport.write(self.conn.send(h11.EndOfMessage()) or b"")
        self.transport.close()

    def _is_open(self) -> bool:
        return not self.transport.is_closing()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _value(self) -> tuple[bool, bool, float]:
        """Return what orders connections by their value: strangers first, then those that wait, the oldest first."""
        is_signed_in = self.scope is not None and IS_SIGNED_IN in self.scope
        return is_signed_in, is_signed_in and self._is_busy(), self._since

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._since = self.loop.time()
        self._deadline = self.loop.call_later(HEAD_TIMEOUT, self._abort)

    def _abort(self) -> None:
        self._stop_waiting()
        self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
