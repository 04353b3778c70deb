"""What the guard refuses, over the network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faceclust.web.security import MAX_BODY
from tests.support.web_server import Answer, GuardedServer, run_guarded_server

EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[GuardedServer]:
    with run_guarded_server() as running:
        yield running


@pytest.fixture
def server(shared_server: GuardedServer) -> GuardedServer:
    shared_server.reached.clear()
    shared_server.errors.clear()
    return shared_server


def require_headers(answer: Answer) -> None:
    assert {name: answer.header(name) for name in EVERY_ANSWER} == EVERY_ANSWER
    assert answer.header("content-security-policy") == POLICY
    assert answer.header("permissions-policy")
    assert (answer.header("cache-control") or "").startswith("private")
    assert not {"server", "access-control-allow-origin", "location"} & {name for name, _ in answer.headers}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "face/0.jpg", {}),
        ("GET", "", {"Sec_Fetch_Site": "none"}),  # an address that was typed, or a tab that was restored
        ("GET", "map", {}),
        ("GET", "face/0.jpg", {"Cookie": "faceclust=other; faceclust={cookie}"}),  # set by another server of this host
        ("POST", "api/answers", {}),
        ("POST", "api/answers", {"Origin": "{origin}"}),
        ("POST", "api/answers", {"Origin": "{origin}", "Sec_Fetch_Site": None}),  # no Fetch Metadata
    ],
)
def test_requests_of_the_page_pass(server: GuardedServer, method: str, path: str, headers: dict[str, str]) -> None:
    access = server.access
    values = {k: v and v.format(cookie=access.cookie, origin=access.origin) for k, v in headers.items()}
    answer = server.ask(method, path, b"{}" if method == "POST" else b"", **values)
    assert (answer.status, server.reached) == (200, [f"/{path}"])
    require_headers(answer)


@pytest.mark.parametrize(
    ("status", "attack", "request_headers"),
    [
        (421, "DNS rebinding", {"Host": "evil.test"}),
        (421, "DNS rebinding with the port", {"Host": "evil.test:{port}"}),
        (421, "another name of this machine", {"Host": "localhost:{port}"}),
        (421, "another address of this machine", {"Host": "[::1]:{port}"}),
        (421, "no port", {"Host": "127.0.0.1"}),
        (421, "another port", {"Host": "127.0.0.1:1"}),
        (421, "a dot at the end", {"Host": "127.0.0.1.:{port}"}),
        (421, "a user", {"Host": "127.0.0.1@127.0.0.1:{port}"}),
        (400, "no host", {"Host": None}),
        (403, "no cookie", {"Cookie": None}),
        (403, "a wrong cookie", {"Cookie": "faceclust=x"}),
        (403, "an empty cookie", {"Cookie": "faceclust="}),
        (403, "a part of the cookie", {"Cookie": "faceclust={cookie:.42}"}),
        (403, "the cookie under another name", {"Cookie": "Faceclust={cookie}"}),
        (403, "a page on another port", {"Sec_Fetch_Site": "same-site"}),
        (403, "a page elsewhere", {"Sec_Fetch_Site": "cross-site"}),
        (403, "an address that was typed", {"Sec_Fetch_Site": "none"}),
        (403, "no Fetch Metadata", {"Sec_Fetch_Site": None}),
        (403, "an unknown value", {"Sec_Fetch_Site": "same-origin, same-origin"}),
        (403, "another origin", {"Origin": "http://127.0.0.1:1"}),
        (403, "an origin without a name", {"Origin": "null"}),
        (403, "another origin, no Fetch Metadata", {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": None}),
        (403, "https", {"Origin": "https://127.0.0.1:{port}"}),
        (403, "a frame of the page's own", {"Sec_Fetch_Dest": "iframe"}),
        (403, "an object", {"Sec_Fetch_Dest": "object"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_strangers_are_refused(
    server: GuardedServer, method: str, status: int, attack: str, request_headers: dict[str, str | None]
) -> None:
    access = server.access
    headers = {k: v and v.format(port=access.port, cookie=access.cookie) for k, v in request_headers.items()}
    path = "face/0.jpg" if method == "GET" else "api/answers"
    answer = server.ask(method, path, b"{}" if method == "POST" else b"", **headers)
    assert (answer.status, server.reached) == (status, [])
    require_headers(answer)
    assert access.cookie.encode() not in answer.body and access.base.encode() not in answer.body


@pytest.mark.parametrize("path", ["", "map"])
@pytest.mark.parametrize("site", ["same-site", "cross-site", None])
def test_the_pages_themselves_open_from_nowhere_else(server: GuardedServer, path: str, site: str | None) -> None:
    answer = server.ask("GET", path, Sec_Fetch_Site=site)
    assert (answer.status, server.reached) == (403, [])
    assert b"faceclust label --web" in answer.body


def test_a_browser_without_the_cookie_is_told_how_to_open_the_page(server: GuardedServer) -> None:
    answer = server.ask("GET", "", Cookie=None, Sec_Fetch_Site="none")
    assert (answer.status, answer.header("content-type")) == (403, "text/html; charset=utf-8")
    assert b"faceclust label --web" in answer.body
    require_headers(answer)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/",
            "/favicon.ico",
            "/x/",
            "/sign-in/",
            "//",
            "/{base}",
            "/{base}../x",
            "/%2e%2e/",
            "/..",
            "/../../etc/passwd",
        ),
        *(
            "/../../etc/passwd",
            "{base}../",
            "{base}page/../index.html/..",
            "{base}unknown",
            "{base}page/..%2f..%2fsecurity.py",
        ),
        *("{base}face/%30.jpg", "{base:.20}/", "{base}/face/0.jpg", "{base}./face/0.jpg", "{base}face/0.jpg/"),
    ],
)
def test_other_paths_are_not_found_and_tell_nothing(server: GuardedServer, target: str) -> None:
    answer = server.ask(target=target.format(base=server.access.base))
    assert (answer.status, server.reached) == (404, [])
    require_headers(answer)
    assert answer.body in (b'{"error": "not found"}', b"Not Found")


def test_wrong_paths_are_answered_alike_with_and_without_the_cookie(server: GuardedServer) -> None:
    with_cookie, without = server.ask(target="/x"), server.ask(target="/x", Cookie=None)
    assert (with_cookie.status, with_cookie.body) == (without.status, without.body)


@pytest.mark.parametrize(
    ("status", "target"),
    [
        (400, "http://127.0.0.1:{port}{base}face/0.jpg"),  # the form for proxies
        (400, "http://evil.test/"),
        (400, "*"),
        (400, "127.0.0.1:443"),
        (414, "{base}?" + "x" * 4_000),
        (414, "/" + "x" * 4_001),
        (414, "/" + "x" * 20_000),
        (400, "/\x7f"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_odd_targets_are_refused(server: GuardedServer, status: int, target: str) -> None:
    answer = server.ask(target=target.format(port=server.access.port, base=server.access.base))
    assert (answer.status, server.reached) == (status, [])
    require_headers(answer)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "X"])
@pytest.mark.parametrize("target", ["{base}", "{base}api/answers", "/sign-in"])
def test_other_methods_are_refused(server: GuardedServer, method: str, target: str) -> None:
    answer = server.ask(method, target=target.format(base=server.access.base))
    assert (answer.status, server.reached) == (405, [])
    require_headers(answer)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Origin", "Cookie", "Content-Type", "Content-Length", "Transfer-Encoding", "Referer"),
        *("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"),
    ],
)
def test_repeated_headers_are_refused(server: GuardedServer, name: str) -> None:
    values = {"Host": server.access.host, "Origin": server.access.origin, "Cookie": server.good["Cookie"]}
    values |= {"Content-Type": "application/json", "Content-Length": "2", "Transfer-Encoding": "chunked"}
    value = values.get(name, "same-origin")
    own = {name.replace("-", "_"): value}
    second = "3" if name == "Content-Length" else value  # h11 makes one of two equal lengths
    answer = server.ask("POST", "api/answers", b"{}", more=((name.upper(), second),), **own)
    assert (answer.status // 100, server.reached) == (4, [])
    require_headers(answer)


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        *((415, {"Content_Type": kind}) for kind in ("text/plain", "application/x-www-form-urlencoded", "", None)),
        (415, {"Content_Type": "multipart/form-data; boundary=x"}),
        (400, {"Content_Length": "x"}),
        (400, {"Content_Length": "-1"}),
        (400, {"Content_Length": "2", "Transfer_Encoding": "chunked"}),
        (413, {"Content_Length": str(MAX_BODY + 1)}),
        (413, {"Content_Length": "9" * 19}),
    ],
)
def test_bodies_that_are_not_small_json_are_refused(
    server: GuardedServer, status: int, headers: dict[str, str | None]
) -> None:
    answer = server.ask("POST", "api/answers", b"{}", **headers)
    assert (answer.status, server.reached) == (status, [])
    require_headers(answer)


def test_a_body_may_have_64_kb_whole_or_in_chunks(server: GuardedServer) -> None:
    def chunked(size: int) -> bytes:
        chunk = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        return chunk * (size // 0x4000) + f"{size % 0x4000:x}\r\n".encode() + b"x" * (size % 0x4000) + b"\r\n0\r\n\r\n"

    streamed = {"Content_Length": None, "Transfer_Encoding": "chunked"}
    assert server.ask("POST", "api/answers", b"x" * MAX_BODY).body == b'{"length":65536}'
    assert server.ask("POST", "api/answers", chunked(MAX_BODY - 1), **streamed).body == b'{"length":65535}'
    for size in (MAX_BODY + 1, 20 * MAX_BODY):
        assert server.ask("POST", "api/answers", chunked(size), **streamed).status == 413
        assert server.ask("POST", "api/answers", b"x" * size).status == 413
    assert len(server.reached) == 2


def test_a_get_request_has_no_body(server: GuardedServer) -> None:
    assert server.ask("GET", "face/0.jpg", b"{}").status == 400
    assert server.reached == []


def test_a_body_that_ends_early_is_no_answer(server: GuardedServer) -> None:
    head = f"POST {server.access.base}api/answers HTTP/1.1\r\nContent-Length: 9\r\nContent-Type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in server.good.items())
    server.send(f"{head}\r\n{{}}".encode(), end=True)
    assert server.reached == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\nHost: x\r\n\r\n\x00",
        b"GET / HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"\r\n\r\n\x00\r\n\r\n",
    ],
    ids=["many headers", "a long header", "TLS", "no carriage return", "a space", "a folded line", "version", "empty"],
)
def test_what_is_not_http_is_refused(server: GuardedServer, head: bytes) -> None:
    answer = server.send(head)
    assert answer.status in (400, 421) and server.reached == []
    require_headers(answer)


def test_the_application_cannot_weaken_the_headers(server: GuardedServer) -> None:
    answer = server.ask("GET", "face/kept.jpg")
    assert answer.header("cache-control") == "private, max-age=600"
    require_headers(server.ask("GET", "face/0.jpg"))
