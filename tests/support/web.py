"""The page of `faceclust label --web` as a user has it: a process, and a browser or an HTTP client signed in to it."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.command import COMMAND

_FORM = re.compile(r'action="(http://127\.0\.0\.1:(\d+))/sign-in".*name="token" value="([^"]+)"', re.DOTALL)
_COOKIE = re.compile(r"faceclust=([^;]+); Path=(/[^;]+/); HttpOnly; SameSite=Strict")
START_SECONDS = 60


class PageProcess:
    """A running `faceclust label --web --no-browser`. `file` signs a browser in, once.

    `lines` are those that it has printed on stderr so far.
    """

    def __init__(self, root: Path, *arguments: str, program: Sequence[str] = COMMAND, **environment: str) -> None:
        self.process = subprocess.Popen(
            [*program, "label", "--web", "--no-browser", "--library", str(root), *arguments],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._printed: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.file = Path(self._wait_for_line("open this file in your browser: "))
        form = _FORM.search(self.file.read_text(encoding="utf-8"))
        assert form, "the file has no form"
        self.origin, self.port, self.token = form[1], int(form[2]), form[3]

    def sign_in(self, driver: Any) -> str:
        """Open the file in a browser, wait for the page, and return its address."""
        driver.get(self.file.as_uri())
        deadline = time.monotonic() + 20
        while not re.fullmatch(rf"{re.escape(self.origin)}/[\w-]{{43}}/.*", driver.current_url):
            assert time.monotonic() < deadline, f"still at {driver.current_url}: {driver.page_source}"
            time.sleep(0.02)
        return str(driver.current_url)

    def client(self) -> httpx.Client:
        """Sign an HTTP client in, whose addresses are relative to the page's and whose requests come from it."""
        answer = httpx.post(f"{self.origin}/sign-in", data={"token": self.token}, trust_env=False)
        cookie = _COOKIE.fullmatch(answer.headers["set-cookie"])
        assert cookie, answer.headers
        return httpx.Client(
            base_url=f"{self.origin}{cookie[2]}",
            headers={"Cookie": f"faceclust={cookie[1]}", "Sec-Fetch-Site": "same-origin"},
            trust_env=False,
            timeout=30,
        )

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Stop the process by a signal; return its exit code and what it printed on stdout."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        assert self.process.stdout
        return code, self.process.stdout.read()

    def close(self) -> None:
        """End the process at once, if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stdout and self.process.stderr
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            self._printed.put(self.lines[-1])

    def _wait_for_line(self, start: str) -> str:
        deadline = time.monotonic() + START_SECONDS
        while self._reader.is_alive() or not self._printed.empty():
            assert time.monotonic() < deadline, self.lines
            try:
                line = self._printed.get(timeout=0.1)
            except queue.Empty:
                continue
            if line.startswith(start):
                return line.removeprefix(start)
        raise AssertionError(f"the page did not start: {self.lines}")


@contextmanager
def serve_page(
    root: Path, *arguments: str, program: Sequence[str] = COMMAND, **environment: str
) -> Iterator[PageProcess]:
    """Serve the page of a library by a process, and end it."""
    page = PageProcess(root, *arguments, program=program, **environment)
    try:
        yield page
    finally:
        page.close()
