"""The one-time token, the file that forwards it, and the cookie that it is exchanged for."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from faceclust.errors import FaceclustError
from faceclust.files.user_folders import state_folder
from faceclust.web import sign_in
from faceclust.web.security import MAX_BODY, Access
from tests.support.web_server import Answer, GuardedServer, run_guarded_server
from tests.web.test_security import require_headers

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def server() -> Iterator[GuardedServer]:
    with run_guarded_server() as running:
        yield running


def post_token(server: GuardedServer, body: str, *, target: str = "/sign-in", **headers: str | None) -> Answer:
    from_file = {"Cookie": None, "Sec_Fetch_Site": "cross-site", "Origin": "null", "Content_Type": FORM}
    return server.ask("POST", body=body.encode(), target=target, **{**from_file, **headers})


def token_of(server: GuardedServer) -> str:
    with server.sign_in.write_file() as file:
        found = re.search(r'name="token" value="([\w-]{43})"', file.read_text(encoding="utf-8"))
    assert found
    return found[1]


def test_the_token_is_exchanged_for_the_cookie_once(server: GuardedServer) -> None:
    token = token_of(server)
    answer = post_token(server, f"token={token}")
    access = server.access
    assert answer.status == 200  # a page, not a redirect: after one the browser would not send the cookie
    assert answer.header("set-cookie") == f"faceclust={access.cookie}; Path={access.base}; HttpOnly; SameSite=Strict"
    assert f'content="0; url={access.base}"'.encode() in answer.body
    assert token.encode() not in answer.body and access.cookie.encode() not in answer.body
    require_headers(answer)
    again = post_token(server, f"token={token}")
    assert (again.status, again.header("set-cookie")) == (403, None)
    assert b"faceclust label --web" in again.body and access.base.encode() not in again.body
    require_headers(again)


def test_of_two_that_arrive_together_one_is_signed_in(server: GuardedServer) -> None:
    token = token_of(server)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: post_token(server, f"token={token}"), range(24)))
    assert sorted(answer.status for answer in answers) == [200] + [403] * 23


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (403, "token=", {}),
        (403, "token=wrong", {}),
        (403, "token={token}x", {}),
        (403, "token={token:.42}", {}),
        (403, "Token={token}", {}),
        (403, "token=wrong&token={token}", {}),
        (403, "token={token}&next=http://evil.test", {}),
        (403, "token=%FF%00", {}),
        (403, "", {}),
        (403, "a=1&" * 9, {}),
        (413, "x" * (MAX_BODY + 1), {}),
        (415, "token={token}", {"Content_Type": "text/plain"}),
        (415, "token={token}", {"Content_Type": "application/json"}),
        (421, "token={token}", {"Host": "evil.test"}),
    ],
)
def test_a_wrong_token_is_refused_and_does_not_use_up_the_right_one(
    server: GuardedServer, status: int, body: str, headers: dict[str, str]
) -> None:
    token = token_of(server)
    answer = post_token(server, body.format(token=token), **headers)
    assert (answer.status, answer.header("set-cookie")) == (status, None)
    require_headers(answer)
    assert post_token(server, f"token={token}").status == 200


def test_the_token_does_not_work_in_an_address(server: GuardedServer) -> None:
    token = token_of(server)
    assert post_token(server, f"token={token}", target=f"/sign-in?token={token}").status in (403, 404)
    assert server.ask("GET", target=f"/sign-in?token={token}").status == 405
    assert server.ask("GET", target=f"{server.access.base}?token={token}", Cookie=None).status == 403


def test_the_file_is_private_and_leads_only_to_the_server(server: GuardedServer) -> None:
    with server.sign_in.write_file() as file:
        html = file.read_text(encoding="utf-8")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    (script,) = re.findall("<script>(.*)</script>", html)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html and "default-src 'none'" in html
    assert set(re.findall(r"\w+://[^\s\"';]+", html)) == {f"{server.access.origin}/sign-in"}
    assert "<button>" in html  # for a browser without scripts


def test_the_file_is_deleted_once_it_is_used_and_in_the_end(server: GuardedServer) -> None:
    token = token_of(server)  # closes the file
    assert not (state_folder() / "sign-in").exists()
    with server.sign_in.write_file() as file:
        assert post_token(server, f"token={token}").status == 200
        assert not file.exists()


def test_tokens_and_paths_are_random() -> None:
    values = [value for access in (Access(1), Access(1)) for value in (access.base, access.cookie)]
    assert len(set(values)) == 4
    for value in values:  # 32 bytes
        assert len(base64.urlsafe_b64decode(value.strip("/") + "=")) == 32
    assert Access(1).cookie not in repr(Access(1))


def test_files_of_killed_servers_are_deleted(server: GuardedServer) -> None:
    folder = state_folder() / "sign-in"
    folder.mkdir(parents=True)
    old, new, other = (
        folder / name for name in ("sign-in-" + "0" * 16 + ".html", "sign-in-" + "1" * 16 + ".html", "x")
    )
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (time.time() - 7_200,) * 2)
    with server.sign_in.write_file():
        assert [file.exists() for file in (old, new, other)] == [False, True, True]


def test_a_folder_that_cannot_be_used_is_named(server: GuardedServer) -> None:
    folder = state_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("")
    with pytest.raises(FaceclustError, match="sign-in"), server.sign_in.write_file():
        pass


@pytest.mark.linux
@pytest.mark.skipif(sys.platform != "linux", reason="snaps are for Linux")
@pytest.mark.parametrize(
    ("default_browser", "is_visible"),
    [("firefox_firefox.desktop", True), ("firefox-esr.desktop", False), ("../../x", False), ("", True), (None, True)],
)
def test_a_browser_in_a_snap_gets_a_file_that_it_can_read(
    server: GuardedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    default_browser: str | None,
    is_visible: bool,
) -> None:
    applications, programs = tmp_path / "snapd", tmp_path / "bin"
    for folder in (applications, programs, Path.home() / "Downloads"):
        folder.mkdir()
    (applications / "firefox_firefox.desktop").touch()
    (tmp_path / "x").touch()
    if default_browser is not None:
        (programs / "xdg-settings").write_text(f"#!/bin/sh\necho '{default_browser}'\n")
        (programs / "xdg-settings").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/bin" if default_browser is not None else str(programs))
    with server.sign_in.write_file() as file:
        assert file.is_relative_to(state_folder())  # no snaps on this system
    monkeypatch.setattr(sign_in, "_SNAP_APPLICATIONS", applications)
    with server.sign_in.write_file() as file:
        hidden = [part for part in file.relative_to(Path.home()).parts if part.startswith(".")]
        assert file.is_relative_to(Path.home() / "Downloads") is is_visible
        assert not (is_visible and hidden)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not file.parent.exists()
