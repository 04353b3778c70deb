"""The folder that commands run in with faults: its snapshots, and the runs, each in a fork of this process."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pickle
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from faceclust import cli
from tests.support.command import run
from tests.support.fault_injector import Call, Fault, FaultInjector
from tests.support.fault_scenarios import Scenario, build_world
from tests.support.terminal import PROMPT

T = TypeVar("T")

#: Counts all calls; none fails.
COUNT_ONLY = Fault(~Call(0))
_TIME_LIMIT = 120.0  # seconds a run


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `code` is negative if a signal ended it, None if it took too long.

    `counts`: its calls on files of the world, by kind. `hit`: the call that failed or killed.
    """

    code: int | None
    stdout: str = ""
    stderr: str = ""
    counts: Mapping[Call, int] = field(default_factory=dict)
    hit: str = ""

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass(frozen=True)
class State:
    """What a library knows: the answers, of each face and whether it stands, the rows of `export`; all files."""

    answers: tuple[str, ...]
    rows: tuple[str, ...]
    files: dict[str, bytes]

    @property
    def knowledge(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.answers, self.rows


def in_fork(function: Callable[[], T]) -> tuple[T | None, int | None]:
    """Return what the function returns in a forked process, and the process's exit code, see `Outcome`.

    Modules that it imported are imported here too, so that the next process need not.
    """
    receiver, sender = os.pipe()
    known = set(sys.modules)
    pid = os.fork()
    if pid == 0:
        os.close(receiver)
        with os.fdopen(sender, "wb") as stream:
            stream.write(pickle.dumps((function(), set(sys.modules) - known)))
        os._exit(0)
    os.close(sender)
    content, ended = bytearray(), False
    deadline = time.monotonic() + _TIME_LIMIT
    while not ended and select.select([receiver], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(receiver, 1 << 16)
        content += part
        ended = not part
    os.close(receiver)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # workers that it left
    if code or not ended:
        return None, (code if ended else None)
    result, imported = pickle.loads(content)
    for module in sorted(imported):
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    return result, code


def _type_answers(terminal: int, keys: tuple[str, ...]) -> None:
    """Type a line whenever a prompt has appeared and nothing follows it."""
    remaining, output = list(keys), b""
    while True:
        if select.select([terminal], [], [], 0.1)[0]:
            part = os.read(terminal, 1 << 16)
            output += part
            if b"\x1b[6n" in part:  # a request for the cursor's position
                os.write(terminal, b"\x1b[1;1R")
        elif PROMPT.encode() in output and remaining:
            os.write(terminal, remaining.pop(0).encode() + b"\r")
            output = b""


def _run_in_terminal(words: list[str], keys: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, in a terminal in which these lines are typed."""
    terminal, own_end = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    os.login_tty(own_end)
    threading.Thread(target=_type_answers, args=(terminal, keys), daemon=True).start()
    os.environ.update(TERM="xterm-256color")
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), io.StringIO()  # noqa: SIM115
    sys.argv = ["faceclust", *words]
    try:
        cli.main()
    except SystemExit as stop:
        return subprocess.CompletedProcess(words, int(stop.code or 0), "", sys.stderr.getvalue())
    raise AssertionError("the program did not end with an exit code")


class FaultWorld:
    """A library with its user's home at `root`, a folder that is created, and its snapshots beside it."""

    def __init__(self, root: Path) -> None:
        self.root, self._base, self._start = root, Path(f"{root}-base"), Path(f"{root}-start")
        self._injector = FaultInjector(root)
        self._signature: dict[str, tuple[int, ...]] = {}
        places, code = in_fork(lambda: build_world(root))
        assert places is not None, f"the library was not built: exit code {code}"
        self._places = places
        root.rename(self._base)

    # -- snapshots ------------------------------------------------------------

    def prepare(self, scenario: Scenario) -> None:
        """Bring the world to where the scenario starts."""
        for folder in (self.root, self._start):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, self.root, symlinks=True)
        if scenario.change:
            scenario.change(self.root / "library")
        for command in scenario.before:
            outcome = self.run_command(command)
            assert outcome.code == 0, (command, outcome)
        self.root.rename(self._start)
        self.restore()

    def restore(self) -> None:
        """Put the world back to where the scenario starts."""
        if not self.is_unchanged():
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(self._start, self.root, symlinks=True)
            self._signature = self._sign()

    def is_unchanged(self) -> bool:
        """Whether no file was touched since `restore`."""
        return bool(self._signature) and self._sign() == self._signature

    def changed_photos(self) -> list[str]:
        """The photos that were touched since `restore`."""
        now = self._sign()
        return [path for path, signature in self._signature.items() if _is_photo(path) and now.get(path) != signature]

    def _sign(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = f"{folder}/{name}"
                status = os.lstat(path)
                times = () if name in folders else (status.st_mtime_ns, status.st_size)
                found[path.removeprefix(f"{self.root}/")] = (status.st_mode, status.st_ino, *times)
        return found

    def temporary_files(self) -> list[str]:
        """Files of writes that were not finished."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*.tmp")]

    # -- runs -----------------------------------------------------------------

    def run_command(self, command: str, fault: Fault = COUNT_ONLY, nth: int = 0, keys: tuple[str, ...] = ()) -> Outcome:
        """Run a command in a process of its own, with a fault at its Nth call."""
        words = [word.format(**self._places) for word in command.split()]

        def work() -> subprocess.CompletedProcess[str]:
            self._injector.arm(fault, nth)
            return _run_in_terminal(words, keys) if keys else run(*words, cwd=self.root)

        result, code = in_fork(work)
        counts, hit = self._injector.counts, self._injector.hit
        self._injector.disarm()
        hit = hit.replace(f"{self.root}/", "")
        if result is None:
            return Outcome(code, counts=counts, hit=hit)
        return Outcome(result.returncode, result.stdout, result.stderr, counts, hit)

    def read_state(self) -> State:
        """Read the people, faces and groups of the library."""
        state, _ = in_fork(self._read_state)
        assert state is not None
        return state

    def _read_state(self) -> State:
        library = self._places["library"]
        journal, export = run("journal", "--json", "-l", library), run("export", "-l", library)
        events = json.loads(journal.stdout)["events"] if journal.returncode == 0 else []
        answers = {
            f"{event['event']} {event.get('name')} {event.get('to')} {event['standing']} {face}"
            for event in events
            for face in event.get("faces") or [None]
        }
        files = {_path_text(path, self.root): _content(path) for path in self.root.rglob("*") if not path.is_dir()}
        return State(
            tuple(sorted(answers)) if journal.returncode == 0 else _missing_or_error(journal),
            tuple(export.stdout.splitlines()) if export.returncode == 0 else _missing_or_error(export),
            files,
        )


def _missing_or_error(done: subprocess.CompletedProcess[str]) -> tuple[str, ...]:
    """Return nothing for a library without a scan, else the error."""
    return () if "been scanned" in done.stderr else (done.stderr,)


def _is_photo(path: str) -> bool:
    return path.startswith("library/") and path.endswith(".png")


def _path_text(path: Path, root: Path) -> str:
    """The path of a file, with the same text for every random name."""
    return re.sub(r"(?<=/sent/)[0-9a-f]{32}", "0" * 32, str(path.relative_to(root)))


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return bytes(path.readlink())
    content = path.read_bytes()
    return plain_text(content.decode()).encode() if path.suffix == ".html" else content


def plain_text(output: str) -> str:
    """Output without what differs from run to run."""
    return re.sub(
        r"[\d.]+ (s|ms|seconds)\b( \([\d.]+ photos/s\))?|\d+:\d\d|20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
        r'|(?<=data-page=")[0-9a-f]{32}',
        "…",
        output,
    )
