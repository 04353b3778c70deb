"""A terminal of 80 columns and 24 lines with `faceclust label` in it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

from tests.support.command import COMMAND

#: What stands at the end of every prompt, before the line that is typed on.
PROMPT = "? more)"


class LabelTerminal:
    """Starts it; `text` is what is on the screen."""

    def __init__(self, root: Path, *arguments: str, **environment: str) -> None:
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
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
        """Whether the prompt waits for an answer."""
        return self.text[self.text.rfind(PROMPT) :].partition("\n")[2].strip() == ">"

    def read(self, seconds: float = 0.2) -> None:
        """Take in what the program writes, for at most so long."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            data = self.child.read_nonblocking(65536, timeout=seconds)
            self._stream.feed(data)
            if b"\x1b[6n" in data:  # "where is the cursor?": a terminal answers
                self.child.send(f"\x1b[{self.screen.cursor.y + 1};{self.screen.cursor.x + 1}R")

    def wait_for_text(self, words: str, seconds: float = 30) -> str:
        """Wait until these words are on the screen; gives all of it."""
        return self._until(lambda: words in self.text, words, seconds)

    def wait_for_question(self, words: str, seconds: float = 60) -> str:
        """Wait until this is asked, in the last lines of the screen, and the prompt waits."""
        return self._until(lambda: self.is_waiting and words in self._last_question, words, seconds)

    @property
    def _last_question(self) -> str:
        return self.text[max(0, self.text.rfind("left ─")) :].replace("\n", " ")

    def _until(self, shown: Callable[[], bool], words: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while not shown():
            if time.monotonic() > end:
                raise TimeoutError(f"{words!r} did not show:\n{self.text}")
            self.read(0.05)
        return self.text

    def type(self, keys: str) -> None:
        """Type keys; "\r" is Enter."""
        self.child.send(keys)

    def wait_for_exit(self) -> int:
        """Wait for the program's end; gives its exit code."""
        for _ in range(400):
            if not self.child.isalive():
                break
            self.read(0.05)
        self.child.close()
        return int(self.child.exitstatus or 0)
