"""Drive Firefox by WebDriver BiDi, which it speaks itself: no driver has to be installed."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import websocket  # a dependency of selenium

_SECONDS = 30


class Firefox:
    """A headless Firefox with one tab."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(f"{address}/session", timeout=_SECONDS, suppress_origin=True)
        self._ids = itertools.count(1)
        self._send("session.new", capabilities={})
        self._tab = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def open(self, url: str) -> None:
        self._send("browsingContext.navigate", context=self._tab, url=url, wait="complete")

    def script(self, expression: str) -> Any:
        """Return the text or number that an expression has in the page."""
        target = {"context": self._tab}
        done = self._send("script.evaluate", expression=expression, target=target, awaitPromise=True)
        return done.get("result", {}).get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        deadline = time.monotonic() + _SECONDS
        while not self._is_true(expression):
            assert time.monotonic() < deadline, f"waited in vain for {expression} at {self.script('location.href')}"
            time.sleep(0.05)

    def _is_true(self, expression: str) -> bool:
        """Return whether an expression is true; false while Firefox replaces the page, which it reports as an error."""
        parameters = {"expression": f"Boolean({expression})", "target": {"context": self._tab}, "awaitPromise": False}
        answer = self._exchange("script.evaluate", parameters)
        assert answer["type"] == "success" or answer["error"] == "unknown error", answer
        return bool(answer.get("result", {}).get("result", {}).get("value"))

    def press(self, keys: str) -> None:
        """Press keys, one after the other."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self._send("input.performActions", context=self._tab, actions=[source])

    def close(self) -> None:
        self._socket.close()

    def _send(self, method: str, **parameters: Any) -> dict[str, Any]:
        answer = self._exchange(method, parameters)
        assert answer["type"] == "success", answer
        result: dict[str, Any] = answer["result"]
        return result

    def _exchange(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        id = next(self._ids)
        self._socket.send(json.dumps({"id": id, "method": method, "params": parameters}))
        answer: dict[str, Any] = {}
        while answer.get("id") != id:  # otherwise it is an event
            answer = json.loads(self._socket.recv())
        return answer


@contextmanager
def open_firefox() -> Iterator[Firefox]:
    """Open Firefox and close it at the end. Skip the test if it is not installed."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("Firefox is not installed")
    with tempfile.TemporaryDirectory(prefix="faceclust-firefox-", ignore_cleanup_errors=True) as profile:
        arguments = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        with subprocess.Popen([program, *arguments], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            try:
                assert process.stderr
                lines = (re.search(rb"BiDi listening on (ws://\S+)", line) for line in process.stderr)
                address = next(filter(None, lines))[1].decode()
                with closing(Firefox(address)) as firefox:
                    yield firefox
            finally:
                process.kill()
