"""`faceclust label --web` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from faceclust import Library
from faceclust.files.user_folders import state_folder
from tests.support.command import COMMAND, run, wait_for
from tests.support.web import serve_page

pytestmark = pytest.mark.process


def name_largest_group(client: httpx.Client, name: str) -> None:
    position = client.get("api/state").json()["position"]
    group = client.get("api/groups").json()["groups"][0][0]
    answer = {"kind": "name", "name": name, "groups": [group], "faces": [], "seen": [], "left_out": []}
    done = client.post("api/answers", json={"position": position, "answer": answer})
    assert done.status_code == 200, done.text


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_ends_it_with_the_summary_of_label(library: Library, number: signal.Signals) -> None:
    with serve_page(library.root) as page, page.client() as client:
        name_largest_group(client, "Anna")
        code, output = page.stop(number)
    assert code == 130
    assert output.startswith("1 answer saved\n1 person named, on ") and "next: faceclust report" in output
    assert not page.file.exists()
    said = "\n".join(page.lines)
    assert page.token not in said and "Traceback" not in said


@pytest.mark.slow
def test_done_ends_it_and_open_pages_are_told(library: Library) -> None:
    with serve_page(library.root) as page, page.client() as client:
        with client.stream("GET", "api/events") as events:
            lines = events.iter_lines()
            assert next(lines) == "event: changed"
            assert client.post("api/done", json={}).status_code == 204
            assert "event: bye" in list(lines)
        assert page.process.wait(20) == 0


@pytest.mark.slow
def test_an_answer_is_on_disk_before_the_page_has_it(library: Library) -> None:
    with serve_page(library.root) as page, page.client() as client:
        name_largest_group(client, "Anna")
        page.process.kill()
        page.process.wait()
    assert [event.name for event in library.journal.events()] == ["Anna"]
    with serve_page(library.root) as page, page.client() as client:
        assert [person["name"] for person in client.get("api/people").json()["people"]] == ["Anna"]


@pytest.mark.slow
def test_two_may_serve_one_library_and_a_port_only_one(library: Library) -> None:
    with serve_page(library.root) as first, serve_page(library.root) as second:
        with first.client() as one, second.client() as other:
            position = other.get("api/state").json()["position"]
            assert one.get("api/state").json()["position"] == position
            # The cookie of one server is none of the other's.
            stolen = {"Cookie": one.headers["Cookie"]}
            assert other.get("api/state", headers=stolen).status_code == 403
        refused = run("label", "--web", "--no-browser", "--port", str(first.port), "--library", library.root)
    assert refused.returncode == 2
    assert f"port {first.port} cannot be used" in refused.stderr and "hint: leave out --port" in refused.stderr
    assert not list((state_folder() / "sign-in").glob(f"*{first.port}*"))


@pytest.mark.slow
def test_the_port_can_be_chosen(library: Library) -> None:
    with serve_page(library.root) as page:
        port = page.port
    with serve_page(library.root, "--port", str(port)) as page:
        assert page.port == port


@pytest.mark.slow
def test_secrets_are_on_no_command_line_and_other_addresses_are_closed(library: Library) -> None:
    with serve_page(library.root, SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22") as page, page.client() as client:
        arguments = Path(f"/proc/{page.process.pid}/cmdline").read_bytes() if sys.platform == "linux" else b""
        assert page.token.encode() not in arguments
        assert f"ssh -L {page.port}:127.0.0.1:{page.port}" in "\n".join(page.lines)
        client.get("api/state")
        client.get("face/0.jpg")
    printed = "\n".join(page.lines)
    for secret in (page.token, client.base_url.path.strip("/"), client.headers["Cookie"].partition("=")[2]):
        assert secret not in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "browser", ["echo $# $1 >> {log}", "echo $# $1 >> {log}; exec sleep 60 2> /dev/null", "echo $# $1 >> {log}; exit 1"]
)
def test_the_browser_gets_the_path_of_the_file_alone(library: Library, tmp_path: Path, browser: str) -> None:
    """One that does not return, or fails, keeps nobody waiting."""
    program, log = tmp_path / "browser", tmp_path / "log"
    program.write_text(f"#!/bin/sh\n{browser.format(log=log)}\n")
    program.chmod(0o755)
    command = [*COMMAND, "label", "--web", "--library", str(library.root)]
    process = subprocess.Popen(command, env=os.environ | {"BROWSER": str(program)}, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        lines = [process.stderr.readline() for _ in range(2)]
        assert "if it does not, open this file in it: " in lines[1]
        file = Path(lines[1].partition(" in it: ")[2].strip())
        wait_for(log.exists)
        wait_for(lambda: log.read_text() == f"1 {file.as_uri()}\n")
        assert file.exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert not file.exists()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("arguments", [["--help"], ["label", "--help"], ["label"], ["status"], ["--version"]])
def test_without_the_option_nothing_of_the_server_is_loaded(library: Library, arguments: list[str]) -> None:
    code = (
        "import sys, json\nfrom faceclust.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    variables = os.environ | {"FACECLUST_LIBRARY": str(library.root)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=variables,
        stdin=subprocess.DEVNULL,
    )
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    server = {"uvicorn", "starlette", "anyio", "h11", "webbrowser", "faceclust.web"}
    assert not server & loaded


def test_the_server_loads_no_extras() -> None:
    """They may be installed for another program."""
    code = (
        "import sys, json, faceclust.web.server as s\n"
        "s.PageServer(None, s.OpenRequests(), is_done=bool, say_goodbye=bool).config.load()\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    extras = {"websockets", "wsproto", "httptools", "uvloop", "dotenv", "yaml", "python_multipart"}
    assert not extras & set(json.loads(done.stdout))
