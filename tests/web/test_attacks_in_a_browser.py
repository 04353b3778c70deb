"""Other pages in the browser that is signed in: they read, embed, frame and change nothing, and see no picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

from faceclust import Library
from tests.support.browser import open_browser
from tests.support.http_server import Server, run_server
from tests.support.web import serve_page
from tests.support.web_server import GuardedServer, run_guarded_server

pytestmark = pytest.mark.browser

#: Script: try everything that a page may do with a known address below `base`. Returns what succeeded.
ATTACKS = """
const [origin, base, done] = arguments;
const url = (path) => origin + base + path;
const wait = (ms) => new Promise((go) => setTimeout(go, ms));
const load = (element, property, address) => new Promise((end) => {
  element.onload = () => end(true);
  element.onerror = () => end(false);
  element[property] = address;
  document.body.append(element);
  setTimeout(() => end(false), 1500);
});
const create = (name, values = {}) => Object.assign(document.createElement(name), values);
const request = (path, options) => fetch(url(path), { credentials: "include", ...options })
  .then((answer) => answer.ok, () => false);
const post = { method: "POST", body: "{}" };
const json = { headers: { "Content-Type": "application/json" } };
const form = (enctype, target) => {
  const made = create("form", { method: "post", action: url("api/answers"), enctype, target });
  made.append(create("input", { name: '{"a":"', value: '"}' }));
  document.body.append(made);
  made.submit();
};
const framed = async (element, property) => {
  await load(element, property, url(""));
  try {
    return element.contentDocument !== null && element.contentDocument.body.textContent.includes("picture");
  } catch { return false; }
};
const attacks = {
  image: () => load(create("img"), "src", url("face/0.jpg")),
  imageWithCors: () => load(create("img", { crossOrigin: "use-credentials" }), "src", url("face/0.jpg")),
  script: () => load(create("script"), "src", url("page/app.js")),
  module: () => load(create("script", { type: "module", crossOrigin: "use-credentials" }), "src", url("page/app.js")),
  style: () => load(create("link", { rel: "stylesheet" }), "href", url("page/base.css")),
  video: () => load(create("video"), "src", url("face/0.jpg")),
  frame: () => framed(create("iframe"), "src"),
  object: () => framed(create("object"), "data"),
  embed: () => framed(create("embed"), "src"),
  read: () => request("face/0.jpg"),
  readWithoutCors: () => request("face/0.jpg", { mode: "no-cors" }).then(() => false),
  post: () => request("api/answers", { ...post, ...json }),
  postAsText: () => request("api/answers", { ...post, mode: "no-cors" }),
  postAsForm: () => request("api/answers", { ...post, mode: "no-cors", body: new URLSearchParams("a=1") }),
  put: () => request("api/answers", { ...post, method: "PUT" }),
  beacon: async () => {
    navigator.sendBeacon(url("api/answers"), new Blob(["{}"], { type: "text/plain" }));
    return false;
  },
  events: () => new Promise((end) => {
    const source = new EventSource(url("stream"), { withCredentials: true });
    source.onopen = () => end(true);
    source.onerror = () => { source.close(); end(false); };
  }),
  socket: () => new Promise((end) => {
    const socket = new WebSocket(url("stream").replace("http", "ws"));
    socket.onopen = () => end(true);
    socket.onerror = () => end(false);
  }),
  forms: async () => {
    for (const kind of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      document.body.append(create("iframe", { name: kind }));
      form(kind, kind);
    }
    await wait(500);
    return false;
  },
  hint: async () => {
    for (const rel of ["prefetch", "preload", "prerender", "modulepreload"]) {
      document.head.append(create("link", { rel, as: "image", href: url("face/0.jpg") }));
    }
    await wait(300);
    return false;
  },
};
(async () => {
  const succeeded = [];
  for (const [name, attack] of Object.entries(attacks)) {
    if (await attack().catch(() => false)) succeeded.push(name);
  }
  return succeeded;
})().then(done, (error) => done([String(error)]));
"""
#: Script: whether a picture at an address can be seen.
SEES = """
const [address, done] = arguments, image = new Image();
image.onload = () => done(image.naturalWidth > 0);
image.onerror = () => done(false);
image.src = address;
"""


@contextmanager
def signed_in_browser() -> Iterator[tuple[GuardedServer, webdriver.Chrome, str]]:
    """Yield a server, a browser that is signed in to it and in which evil.test is this machine, and the file that
    signed it in."""
    rebinding = "--host-resolver-rules=MAP evil.test 127.0.0.1"
    with run_guarded_server(picture=draw_picture()) as server, open_browser(rebinding) as driver:
        driver.set_script_timeout(40)
        with server.sign_in.write_file() as file:
            html = file.read_text(encoding="utf-8")
            driver.get(file.as_uri())
            wait_for_address(driver, server.access.origin + server.access.base)
        yield server, driver, html


def wait_for_address(driver: webdriver.Chrome, address: str) -> None:
    WebDriverWait(driver, 20).until(lambda _: driver.current_url == address)


def draw_picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def signed_in() -> Iterator[tuple[GuardedServer, webdriver.Chrome, str]]:
    with signed_in_browser() as values:
        yield values


@pytest.fixture
def server(signed_in: tuple[GuardedServer, webdriver.Chrome, str]) -> GuardedServer:
    server, driver, _ = signed_in
    driver.get(server.access.origin + server.access.base)
    assert driver.execute_async_script(SEES, "face/0.jpg") is True
    server.reached.clear()
    return server


@pytest.fixture
def driver(signed_in: tuple[GuardedServer, webdriver.Chrome, str]) -> webdriver.Chrome:
    return signed_in[1]


def test_the_page_hides_its_cookie_and_may_post(server: GuardedServer, driver: webdriver.Chrome) -> None:
    assert driver.execute_script("return document.cookie") == ""
    script = (
        "const done = arguments[0]; fetch('api/answers', {method: 'POST', body: '{}', headers: "
        "{'Content-Type': 'application/json'}}).then((answer) => done(answer.status))"
    )
    assert driver.execute_async_script(script) == 200
    driver.refresh()
    assert server.reached == ["/api/answers", "/"]


@pytest.mark.parametrize(
    "injection",
    [
        "document.body.innerHTML = '<b>markup</b>'",
        "document.body.insertAdjacentHTML('beforeend', '<b>markup</b>')",
        "document.write('<b>markup</b>')",
        "eval('1')",
        "new Function('return 1')()",
        "setTimeout('document.title = 1')",
        "new DOMParser().parseFromString('<b>markup</b>', 'text/html')",
        "trustedTypes.createPolicy('default', { createHTML: (text) => text })",
        "Object.assign(document.createElement('script'), { src: '/x.js' })",
    ],
)
def test_markup_and_code_cannot_be_injected(server: GuardedServer, driver: webdriver.Chrome, injection: str) -> None:
    attempt = f"try {{ {injection}; done('worked'); }} catch (error) {{ done(error.name); }}"
    # Later, as the driver switches a part of the policy off for its own scripts.
    found = driver.execute_async_script(f"const done = arguments[0]; setTimeout(() => {{ {attempt} }})")
    assert found in ("TypeError", "EvalError")


@pytest.mark.parametrize(
    "leak",
    [
        "const image = new Image(); image.src = address",
        "fetch(address, { mode: 'no-cors' }).catch(() => 0)",
        "navigator.sendBeacon(address, 'x')",
        "new EventSource(address)",
        "document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: address }))",
        "document.body.append(Object.assign(document.createElement('iframe'), { src: address }))",
        "const form = Object.assign(document.createElement('form'), { action: address }); "
        "document.body.append(form); form.submit()",
        "const tag = document.createElement('style'); tag.textContent = `body { background: url(${address}) }`; "
        "document.head.append(tag)",
        "document.body.append(Object.assign(document.createElement('object'), { data: address }))",
    ],
)
def test_the_page_sends_nothing_elsewhere(server: GuardedServer, driver: webdriver.Chrome, leak: str) -> None:
    with run_server(Server({"/": b""})) as other:
        driver.execute_async_script(
            f"const [address, done] = arguments; try {{ {leak}; }} catch {{}} setTimeout(done, 200)", f"{other.url}/"
        )
        assert other.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("host", ["127.0.0.1", "evil.test"])
def test_another_page_can_do_nothing(server: GuardedServer, driver: webdriver.Chrome, host: str) -> None:
    """Even one that knows the secret path. It is on another port of this machine, or elsewhere."""
    with run_server(Server({"/": b"<!doctype html><title>evil</title><body>"})) as evil:
        driver.get(f"http://{host}:{evil.server_port}/")
        assert driver.title == "evil"
        succeeded = driver.execute_async_script(ATTACKS, server.access.origin, server.access.base)
    assert (succeeded, server.reached) == ([], [])
    for _, headers in evil.requests:
        assert server.access.cookie not in headers.get("Cookie", "")


@pytest.mark.parametrize("how", ["location = address", "open(address, '_self')", "document.forms[0].submit()"])
def test_another_page_cannot_open_the_page(server: GuardedServer, driver: webdriver.Chrome, how: str) -> None:
    address = server.access.origin + server.access.base
    page = f"<!doctype html><title>evil</title><form action='{address}' method='post'></form>"
    with run_server(Server({"/": page.encode()})) as evil:
        driver.get(f"http://127.0.0.1:{evil.server_port}/")
        driver.execute_script(f"const address = '{address}'; {how};")
        wait_for_address(driver, address)
        assert server.reached == []


def test_a_name_that_leads_to_this_machine_is_refused(server: GuardedServer, driver: webdriver.Chrome) -> None:
    """DNS rebinding: the page's origin has another name, so that it may read what it asks for."""
    rebound = f"http://evil.test:{server.access.port}"
    for address in (rebound + server.access.base, f"{rebound}/"):
        driver.get(address)
        assert "unknown host" in driver.page_source
        assert driver.execute_async_script(SEES, server.access.base + "face/0.jpg") is False
    assert server.reached == []


def test_a_token_that_was_used_signs_no_other_browser_in(
    signed_in: tuple[GuardedServer, webdriver.Chrome, str], tmp_path: Path
) -> None:
    server, _, html = signed_in
    server.reached.clear()
    stolen = tmp_path / "stolen.html"
    stolen.write_text(html, encoding="utf-8")
    with open_browser() as other:
        other.get(stolen.as_uri())
        wait_for_address(other, f"{server.access.origin}/sign-in")
        assert "faceclust label --web" in other.page_source
        other.get(server.access.origin + server.access.base)
        assert "This browser is not signed in" in other.page_source
    assert server.reached == []


@pytest.mark.slow
def test_pictures_of_a_library_are_seen_by_the_page_alone(library: Library) -> None:
    picture = f"face/{library.occurrences[0].face_id}.jpg"
    with serve_page(library.root) as page, open_browser() as driver, run_server(Server({"/": b"<body>"})) as evil:
        address = page.sign_in(driver).partition("#")[0]
        assert driver.execute_async_script(SEES, picture) is True
        assert not page.file.exists()
        driver.get(evil.url)
        assert driver.execute_async_script(SEES, address + picture) is False
        assert all("Cookie" not in headers for _, headers in evil.requests)
        driver.get(address)
        assert driver.execute_async_script(SEES, picture) is True


def test_without_scripts_a_button_signs_in() -> None:
    with run_guarded_server() as server, open_browser(scripts=False) as driver, server.sign_in.write_file() as file:
        driver.get(file.as_uri())
        buttons: list[Any] = driver.find_elements("tag name", "button")
        buttons[0].click()
        wait_for_address(driver, server.access.origin + server.access.base)
        assert server.reached == ["/"]
