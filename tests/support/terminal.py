"""Run `faceclust label` in an emulated terminal."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

from tests.support.command import COMMAND

#: The end of every prompt, before the line to type on.
PROMPT = "? more)"


class LabelTerminal:
    """`faceclust label` in a terminal of 80 columns and 24 lines.

    `text` is the screen, `received` every byte that was sent to it.
    """

    def __init__(self, root: Path, *arguments: str, **environment: str) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""
        inherited = ("NO_COLOR", "COLORTERM", "COLUMNS", "LINES")
        variables = {name: value for name, value in os.environ.items() if name not in inherited}
        self.child = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], "label", "--library", str(root), *arguments],
            dimensions=(24, 80),
            env=variables | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | environment,
        )

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    @property
    def is_waiting(self) -> bool:
        """Whether the prompt is waiting for an answer."""
        return self.text[self.text.rfind(PROMPT) :].partition("\n")[2].strip() == ">"

    def read(self, seconds: float = 0.2) -> None:
        """Read the program's output for at most `seconds`."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            data = self.child.read_nonblocking(65536, timeout=seconds)
            self.received += data
            self._stream.feed(data)
            if b"\x1b[6n" in data:  # a request for the cursor position, which terminals answer
                self.child.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    def wait_for_text(self, words: str, seconds: float = 30) -> str:
        """Wait until these words are on the screen; return the whole screen."""
        return self._wait_until(lambda: words in self.text, words, seconds)

    def wait_for_question(self, words: str, seconds: float = 60) -> str:
        """Wait until the last question contains these words and the prompt is waiting."""
        return self._wait_until(lambda: self.is_waiting and words in self._last_question, words, seconds)

    @property
    def _last_question(self) -> str:
        return self.text[max(0, self.text.rfind("left ─")) :].replace("\n", " ")

    def _wait_until(self, is_shown: Callable[[], bool], words: str, seconds: float) -> str:
        deadline = time.monotonic() + seconds
        while not is_shown():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{words!r} did not appear:\n{self.text}")
            self.read(0.05)
        return self.text

    def type(self, keys: str) -> None:
        """Type these keys; "\r" is Enter."""
        self.child.send(keys)

    def wait_for_exit(self) -> int:
        """Wait until the program ends and return its exit code."""
        for _ in range(400):
            if not self.child.isalive():
                break
            self.read(0.05)
        self.child.close()
        return int(self.child.exitstatus or 0)


def answer_on_terminal(words: list[str], answers: list[str]) -> tuple[str, int]:
    """Run a command in a terminal and type the answers to its questions. Return its output and exit code."""
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], dimensions=(40, 200), timeout=60, encoding="utf-8")
    for answer in answers:
        child.sendline(answer)
    received = child.read()
    child.close()
    return received.replace("\r\n", "\n"), int(child.exitstatus or 0)
