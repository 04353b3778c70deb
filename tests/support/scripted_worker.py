"""A worker that executes the text of its tasks: it crashes, hangs, grows and raises."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


class UnpicklableError(Exception):
    """An exception that can be pickled but not unpickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


class ScriptedWorker:
    """Executes the text of a task; files in its folder show the progress of the tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: list[bytes] = []

    def prepare(self, task: str) -> str:
        if task == "prepare slowly":
            time.sleep(600)
        if task.startswith("second"):
            (self.folder / "second prepared").touch()
        if task == "unpreparable":
            raise ValueError("not prepared")
        return task.upper()

    def work(self, task: str, prepared: str) -> tuple[str, int]:
        if task.startswith("once "):
            mark = self.folder / task
            task = "" if mark.exists() else task.removeprefix("once ")
            mark.touch()
        match task.rstrip("0123456789 "):
            case "segfault":
                ctypes.string_at(0)
            case "abort":
                os.abort()
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "leave":
                os._exit(3)
            case "no memory":
                raise MemoryError
            case "work slowly":
                time.sleep(600)
            case "raise":
                raise ValueError("a bug")
            case "raise unpicklable":
                raise UnpicklableError("a", "b")
            case "unpicklable":
                return lambda: None  # type: ignore[return-value]
            case "warning":
                os.write(2, b"a decoder warning\n")
            case "large":
                self.kept.append(bytes(bytearray(os.urandom(1)) * 200_000_000))
            case "first":
                wait_for((self.folder / "second prepared").exists)
            case "wait for signal":
                (self.folder / "started").touch()
                wait_for((self.folder / "signal").exists)
        return prepared, os.getpid()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.01)


def has_exited(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False
