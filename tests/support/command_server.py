"""Run commands in forks of one process that has imported the program already, with limits of time and memory.

A command then takes the time of its work, not of its imports. Linux only.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import importlib
import json
import multiprocessing
import os
import pkgutil
import resource
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from PIL import Image

MEMORY_LIMIT = 4 << 30  # bytes of address space
PROCESSOR_LIMIT, TIME_LIMIT = 10, 30  # seconds; the second is longer, since the machine may do other work
_OUTPUT_LIMIT = 8 << 20  # bytes kept of an output; more is read and dropped
_CRASHED = 99  # exit code of an exception that left main()


@dataclass(frozen=True)
class Finished:
    """The end of a command: its exit code (negative: killed by that signal; None: by a limit of time),
    the processor seconds that it took, and its outputs. On a terminal, both outputs are in `output`."""

    code: int | None
    seconds: float
    output: str
    errors: str
    on_terminal: bool = False


class CommandServer:
    """The process that runs the commands, one after the other. Use it as a context manager."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.command_server"],
            env={
                **os.environ,
                **environment,
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_WAIT_POLICY": "PASSIVE",
            },
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, words: Sequence[str], cwd: Path, *, terminal: bool = False, typed: str = "") -> Finished:
        """Run a command with `typed` as its input, on a terminal or without one."""
        assert self._process.stdin and self._process.stdout
        request = {"words": words, "cwd": str(cwd), "terminal": terminal, "typed": typed}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Finished(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> CommandServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve() -> None:
    """Answer one request a line until the input ends."""
    requests, answers = sys.stdin, os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _import_everything()
    for line in requests:
        answers.write(json.dumps(asdict(_run_in_fork(**json.loads(line)))) + "\n")
        answers.flush()


def _import_everything() -> None:
    # The workers of a scan are forks as well: a new process would import everything again.
    fork = multiprocessing.get_context("fork")
    multiprocessing.get_context = lambda method=None: fork  # type: ignore[assignment]
    import faceclust

    for module in pkgutil.walk_packages(faceclust.__path__, "faceclust."):
        # torch takes gigabytes of address space: only the commands that need it load it.
        if not module.name.endswith("__main__") and not module.name.startswith("faceclust.training."):
            importlib.import_module(module.name)
    for name in ("hdbscan", "jinja2", "openTSNE", "prompt_toolkit", "pyarrow.dataset", "sklearn.cluster"):
        importlib.import_module(name)
    Image.init()
    # Imported modules are never collected, so that forks share their memory.
    gc.freeze()


def _run_in_fork(words: list[str], cwd: str, terminal: bool, typed: str) -> Finished:
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(typed.encode())
        stdin.seek(0)
        master, slave = os.openpty() if terminal else (-1, -1)
        pid = os.fork()
        if pid == 0:
            files = (slave, slave, slave) if terminal else (stdin.fileno(), stdout.fileno(), stderr.fileno())
            _run_command(words, cwd, files, terminal)
        if terminal:
            os.close(slave)
            os.write(master, typed.encode() + b"\x04")
        shown, in_time = _wait(pid, master)
        _kill_group(pid)  # and what it left running
        _, status, usage = os.wait4(pid, 0)
        ended = os.waitstatus_to_exitcode(status)
        code = ended if in_time and ended != -signal.SIGXCPU else None
        seconds = usage.ru_utime + usage.ru_stime
        if terminal:
            shown += _read_terminal(master)
            os.close(master)
            return Finished(code, seconds, shown[:_OUTPUT_LIMIT].decode(errors="replace"), "", True)
        stdout.seek(0)
        stderr.seek(0)
        output, errors = (stream.read(_OUTPUT_LIMIT).decode(errors="replace") for stream in (stdout, stderr))
        return Finished(code, seconds, output, errors)


def _wait(pid: int, master: int) -> tuple[bytes, bool]:
    """Wait for the end of a command. Return what its terminal showed, and whether it ended in time."""
    process, shown, until = os.pidfd_open(pid), b"", time.monotonic() + TIME_LIMIT
    try:
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([process, master] if master >= 0 else [process], [], [], left)
            if process in ready:
                return shown, True
            if ready:
                shown = (shown + _read_terminal(master))[:_OUTPUT_LIMIT]
        return shown, False
    finally:
        os.close(process)


def _read_terminal(master: int) -> bytes:
    """Read what the terminal shows; nothing once the command has closed it."""
    shown = b""
    with contextlib.suppress(OSError):
        while select.select([master], [], [], 0)[0] and (part := os.read(master, 1 << 16)):
            shown += part
    return shown


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _run_command(words: list[str], cwd: str, files: tuple[int, int, int], terminal: bool) -> None:
    """Become the command. Never returns."""
    code = _CRASHED
    try:
        os.setsid()
        if terminal:
            fcntl.ioctl(files[0], termios.TIOCSCTTY, 0)
            termios.tcsetwinsize(files[0], (24, 80))
        for number, file in enumerate(files):
            os.dup2(file, number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", closefd=False, errors="surrogateescape")  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
        os.chdir(cwd)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
        resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_LIMIT, PROCESSOR_LIMIT + 1))
        sys.argv = ["faceclust", *words]
        code = _call_main()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stderr.flush()
    os._exit(code)


def _call_main() -> int:
    from faceclust.cli import main

    try:
        main()
    except SystemExit as stop:
        found: Any = stop.code
        return found if isinstance(found, int) else int(found is not None)
    return _CRASHED


if __name__ == "__main__":
    serve()
