"""The life of the server: its address, its limits, and its end."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator

import pytest

from faceclust.errors import UsageError
from faceclust.web import connections, security, server
from faceclust.web.server import OpenRequests, listen
from tests.support.command import wait_for
from tests.support.web_server import GuardedServer, read_answer, run_guarded_server
from tests.web.test_security import require_headers

#: The head of a request without the cookie, whose body does not come.
SLOW_SIGN_IN = (
    b"POST /sign-in HTTP/1.1\r\nHost: HOST\r\nContent-Length: 9\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
)


@pytest.fixture
def running() -> Iterator[GuardedServer]:
    with run_guarded_server() as guarded:
        yield guarded


def connect(guarded: GuardedServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", guarded.access.port), timeout=10)


def request_head(guarded: GuardedServer, method: str = "GET", path: str = "face/0.jpg", *lines: str) -> bytes:
    headers = [f"{name}: {value}" for name, value in guarded.good.items()]
    return "\r\n".join([f"{method} {guarded.access.base}{path} HTTP/1.1", *headers, *lines, "", ""]).encode()


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_it_listens_on_this_machine_only() -> None:
    with listen() as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
        assert listener.proto == socket.IPPROTO_TCP  # otherwise asyncio waits 40 ms before it sends small packets
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.2", listener.getsockname()[1]), timeout=1)


def test_a_port_that_is_in_use_is_named() -> None:
    with listen() as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} cannot be used") as raised:
            listen(port)
        assert raised.value.hint
    with listen(port) as again:
        assert again.getsockname()[1] == port


def test_an_open_request_is_a_page_that_is_open() -> None:
    now = 0.0
    requests = OpenRequests(clock=lambda: now)
    now = 1_000.0
    assert requests.idle_time() == 1_000
    with requests.one():
        now = 2_000.0
        assert requests.idle_time() == 0
        with requests.one():
            pass
        now = 90_000.0
        assert requests.idle_time() == 0
    now = 90_010.0
    assert requests.idle_time() == 10


def test_it_ends_after_a_time_without_a_page() -> None:
    now = 0.0
    with run_guarded_server(clock=lambda: now) as guarded:
        assert guarded.ask().status == 200
        now = server.IDLE_LIMIT - 1
        time.sleep(0.3)
        assert guarded.server.ending is None
        assert guarded.ask(Cookie=None).status == 403  # nobody's page
        now = 2.0 * server.IDLE_LIMIT
        wait_for(lambda: guarded.has_ended)
        assert (guarded.server.ending, guarded.goodbyes) == (server.Ending.IDLE, 1)


def test_done_says_goodbye_before_connections_are_closed(running: GuardedServer) -> None:
    with connect(running) as connection:
        connection.sendall(request_head(running, "GET", "stream"))
        wait_for(lambda: running.reached == ["/stream"])
        running.is_done = True
        wait_for(lambda: running.has_ended)
        assert read_answer(connection).body == b"goodbye"
    assert running.server.ending is server.Ending.DONE


def test_a_head_has_to_come_in_time(running: GuardedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.3)
    with connect(running) as silent, connect(running) as slow, connect(running) as kept_open:
        kept_open.sendall(request_head(running))
        assert read_answer(kept_open).status == 200
        for byte in request_head(running)[:60]:  # each byte comes in time, the head does not
            try:
                slow.sendall(bytes([byte]))
            except ConnectionError:
                break
            time.sleep(0.02)
        assert is_closed(slow) and is_closed(silent)
        wait_for(lambda: is_closed(kept_open))
    assert running.ask().status == 200


def test_a_body_has_to_come_in_time(running: GuardedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "BODY_TIMEOUT", 0.2)
    with connect(running) as connection:
        connection.sendall(
            request_head(running, "POST", "api/answers", "Content-Type: application/json", "Content-Length: 9") + b"{"
        )
        answer = read_answer(connection)
    assert (answer.status, running.reached) == (408, [])
    require_headers(answer)


@pytest.mark.parametrize("sent", [b"", b"GET /", SLOW_SIGN_IN], ids=["nothing", "half a line", "half a body"])
def test_too_many_connections_cost_only_strangers(
    running: GuardedServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 4)
    with connect(running) as busy:
        busy.sendall(request_head(running, "GET", "stream"))
        wait_for(lambda: running.reached == ["/stream"])
        silent = [connect(running) for _ in range(12)]
        try:
            for connection in silent:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(sent.replace(b"HOST", running.access.host.encode()))
            assert running.ask().status == 200
            wait_for(lambda: sum(map(is_closed, silent)) >= 9)
            assert len(running.server.server_state.connections) <= 4
            assert not is_closed(busy)
        finally:
            for connection in silent:
                connection.close()


def test_one_connection_carries_many_requests(running: GuardedServer) -> None:
    with connect(running) as connection:
        for _ in range(3):
            connection.sendall(request_head(running))
            assert read_answer(connection).status == 200


def test_an_error_is_reported_and_tells_the_browser_nothing(running: GuardedServer) -> None:
    answer = running.ask("GET", "failure")
    assert answer.status == 500 and b"secret" not in answer.body
    wait_for(lambda: [str(error) for error in running.errors] == ["a secret"])
    require_headers(answer)


def test_nothing_is_logged(
    running: GuardedServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("face/0.jpg", "unknown", "failure"):
        running.ask("GET", path)
    running.send(b"nonsense\r\n\r\n")
    running.ask("GET", Upgrade="websocket", Connection="Upgrade")
    assert caplog.records == [] and capfd.readouterr() == ("", "")
