"""Try every command with a fault at each of its calls, and check what is left.

    python -m tests.support.fault_drive WORLD [--points 3] [--commands 10] [--seed 1] [--only TEXT]

It runs in a process that preloads the library of `fault_injector`. Each run is a fork of it, so that
nothing is imported twice. Without --points, the Nth call fails for N = 1 to all.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import json
import multiprocessing
import os
import pickle
import pkgutil
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import faceclust
from faceclust import cli
from faceclust.scan.workers import process as worker_process
from tests.support.command import run
from tests.support.fault_injector import Action, Call, Fault, FaultInjector
from tests.support.fault_scenarios import SCENARIOS, Scenario, build_world
from tests.support.terminal import PROMPT

T = TypeVar("T")

_CHANGES = Call.CREATE | Call.WRITE | Call.TRUNCATE | Call.SYNC | Call.RENAME | Call.REMOVE | Call.ATTRIBUTE
_SPACE = Call.CREATE | Call.WRITE | Call.SYNC | Call.RENAME
_READS = Call.OPEN | Call.READ | Call.STAT | Call.LIST
FAULTS = {
    "no space": Fault(_SPACE, error=errno.ENOSPC),
    "no space from then on": Fault(_SPACE, error=errno.ENOSPC, persists=True),
    "failed change": Fault(_CHANGES, error=errno.EIO),
    "failed changes from then on": Fault(_CHANGES, error=errno.EIO, persists=True),
    "failed read": Fault(_READS, error=errno.EIO),
    "no permission": Fault(Call.OPEN | Call.CREATE | Call.REMOVE | Call.RENAME, error=errno.EACCES),
    "too many open files": Fault(Call.OPEN | Call.CREATE, error=errno.EMFILE),
    "too many open files from then on": Fault(Call.OPEN | Call.CREATE, error=errno.EMFILE, persists=True),
    "killed before": Fault(_CHANGES, Action.KILL_BEFORE),
    "killed after": Fault(Call.RENAME | Call.REMOVE, Action.KILL_AFTER),
    "killed half-way": Fault(Call.WRITE, Action.KILL_HALF_WAY),
}
#: Files that may stay: those that are locked, and a torn line of the journal, in case it is worth something.
_STAYS = re.compile(r"\.lock$|/people\.torn$")
_OWNER_NOTE = re.compile(r"\.lock\.owner$|/lock\.owner$")
#: Files whose content must be that of a run without faults.
_OUTPUT = re.compile(r"^out/(?!caches)(?!.*/\.faceclust-)|\.xmp$")
_TIME_LIMIT = 120.0  # seconds a run


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `code` is negative if a signal ended it, None if it took too long."""

    code: int | None
    stdout: str = ""
    stderr: str = ""
    count: int = 0
    hit: str = ""

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


@dataclass(frozen=True)
class State:
    """What a library knows: the answers and whether they stand, the rows of `export`, and its files."""

    answers: tuple[str, ...]
    rows: tuple[str, ...]
    files: dict[str, bytes]

    @property
    def knowledge(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return self.answers, self.rows


def _in_fork(function: Callable[[], T]) -> tuple[T | None, int | None]:
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


class Drive:
    """The world that commands run in, and its snapshots."""

    def __init__(self, world: Path) -> None:
        self.world, self._base, self._start = world, Path(f"{world}-base"), Path(f"{world}-start")
        self._injector = FaultInjector(world)
        self._signature: dict[str, tuple[int, ...]] = {}
        places, code = _in_fork(lambda: build_world(world))
        assert places is not None, f"the library was not built: exit code {code}"
        self.places = places
        world.rename(self._base)

    # -- snapshots ------------------------------------------------------------

    def prepare(self, scenario: Scenario) -> None:
        """Bring the world to where the scenario starts."""
        for folder in (self.world, self._start):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, self.world, symlinks=True)
        if scenario.change:
            scenario.change(self.world / "library")
        for command in scenario.before:
            outcome = self.run_command(command)
            assert outcome.code == 0, (command, outcome)
        self.world.rename(self._start)
        self.restore()

    def restore(self) -> None:
        """Put the world back to where the scenario starts."""
        if not self.is_unchanged():
            shutil.rmtree(self.world, ignore_errors=True)
            shutil.copytree(self._start, self.world, symlinks=True)
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
        for folder, folders, files in os.walk(self.world):
            for name in (*folders, *files):
                path = f"{folder}/{name}"
                status = os.lstat(path)
                times = () if name in folders else (status.st_mtime_ns, status.st_size)
                found[path.removeprefix(f"{self.world}/")] = (status.st_mode, status.st_ino, *times)
        return found

    def temporary_files(self) -> list[str]:
        """Files of writes that were not finished."""
        return [str(path.relative_to(self.world)) for path in self.world.rglob("*.tmp")]

    # -- runs -----------------------------------------------------------------

    def run_command(
        self, command: str, fault: Fault | None = None, nth: int = 0, keys: tuple[str, ...] = ()
    ) -> Outcome:
        """Run a command in a process of its own, with a fault at its Nth call."""
        words = [word.format(**self.places) for word in command.split()]

        def work() -> subprocess.CompletedProcess[str]:
            if fault:
                self._injector.arm(fault, nth)
            return _run_in_terminal(words, keys) if keys else run(*words, cwd=self.world)

        result, code = _in_fork(work)
        count, hit = self._injector.count, self._injector.hit
        self._injector.disarm()
        hit = hit.replace(f"{self.world}/", "")
        if result is None:
            return Outcome(code, count=count, hit=hit)
        return Outcome(result.returncode, result.stdout, result.stderr, count, hit)

    def read_state(self) -> State:
        """Read what the library knows."""
        state, _ = _in_fork(self._read_state)
        assert state is not None
        return state

    def _read_state(self) -> State:
        library = self.places["library"]
        journal, export = run("journal", "--json", "-l", library), run("export", "-l", library)
        events = json.loads(journal.stdout)["events"] if journal.returncode == 0 else []
        answers = [
            json.dumps({key: value for key, value in event.items() if key not in ("id", "time", "undoes")})
            for event in events
        ]
        files = {
            str(path.relative_to(self.world)): _content(path) for path in self.world.rglob("*") if not path.is_dir()
        }
        return State(
            tuple(answers) if journal.returncode == 0 else _missing_or_error(journal),
            tuple(export.stdout.splitlines()) if export.returncode == 0 else _missing_or_error(export),
            files,
        )


def _missing_or_error(done: subprocess.CompletedProcess[str]) -> tuple[str, ...]:
    """Return nothing for a library without a scan, else the error."""
    return () if "been scanned" in done.stderr else (done.stderr,)


def _is_photo(path: str) -> bool:
    return path.startswith("library/") and path.endswith(".png")


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return bytes(path.readlink())
    content = path.read_bytes()
    return _plain(content.decode()).encode() if path.suffix == ".html" else content


# -- checks -------------------------------------------------------------------


@dataclass
class Reference:
    """A scenario without faults: before and after, and how its command ends. `stable`: the files that
    have the same content after every run."""

    before: State
    after: State
    outcome: Outcome
    stable: frozenset[str]


def make_reference(drive: Drive, scenario: Scenario) -> Reference:
    """Run a scenario twice without faults."""
    drive.prepare(scenario)
    before = drive.read_state()
    outcomes, states = [], []
    for _ in range(2):
        drive.restore()
        outcomes.append(drive.run_command(scenario.command, keys=scenario.keys))
        states.append(drive.read_state())
    assert outcomes[0].code == 0, outcomes[0]
    assert _plain(outcomes[0].stdout) == _plain(outcomes[1].stdout), "two runs print different texts"
    first, second = states
    assert first.files.keys() == second.files.keys(), first.files.keys() ^ second.files.keys()
    stable = frozenset(path for path, content in first.files.items() if second.files[path] == content)
    return Reference(before, first, outcomes[0], stable)


def _plain(output: str) -> str:
    """Output without what differs from run to run."""
    return re.sub(r"[\d.]+ s\b( \([\d.]+ photos/s\))?|\d+:\d\d|20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "…", output)


def find_problems(
    drive: Drive, scenario: Scenario, reference: Reference, fault: Fault, outcome: Outcome
) -> Iterator[str]:
    """Yield what is wrong after a run with a fault."""
    if outcome.code is None:
        yield "it hangs"
    elif outcome.code < 0 and not (outcome.was_killed and fault.action is not Action.FAIL):
        yield f"signal {-outcome.code}"
    elif outcome.code > 0:
        yield from _error_problems(scenario, outcome)
    if photos := drive.changed_photos():
        yield f"photos touched: {photos}"
    succeeded = outcome.code == 0 and not _names_skipped_photo(scenario, outcome)
    state = reference.before if drive.is_unchanged() else drive.read_state()
    # A file cannot be removed if that fails: the next command does it.
    is_tidy = fault.action is Action.FAIL and not fault.persists and not outcome.hit.startswith(("unlink", "rmdir"))
    if succeeded:
        yield from _answer_problems(reference, state, outcome)
        if is_tidy:
            # The next command takes over an owner's note that this one could not delete.
            yield from _file_problems(reference, state, may_stay=_OWNER_NOTE)
    if succeeded or drive.is_unchanged():
        return
    if is_tidy and (temporary := drive.temporary_files()):
        yield f"left behind: {temporary}"
    yield from _state_problems(scenario, reference, state)
    is_done = state.knowledge == reference.after.knowledge != reference.before.knowledge
    is_saved = state.answers == reference.after.answers != reference.before.answers
    if is_saved and fault.calls == _CHANGES and fault.action is Action.FAIL and not scenario.in_steps:
        yield "it reports a failure, but the answer is saved"
    yield from _repetition_problems(drive, scenario, reference, is_done=is_done, was_killed=outcome.was_killed)


def _names_skipped_photo(scenario: Scenario, outcome: Outcome) -> bool:
    """Whether a scan skipped a photo that cannot be read, which the next scan tries again."""
    return scenario.command.startswith("scan ") and "skipped: 1 cannot be read" in outcome.stdout


def _error_problems(scenario: Scenario, outcome: Outcome) -> Iterator[str]:
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error:")]
    if "bug in faceclust" in outcome.stderr or "Traceback" in outcome.stderr:
        yield f"an unexpected error: {outcome.stderr}"
    elif len(errors) != 1:
        yield f"{len(errors)} error lines: {outcome.stderr}"
    elif outcome.code != scenario.error_code:
        yield f"exit code {outcome.code}: {errors[0]}"


def _answer_problems(reference: Reference, state: State, outcome: Outcome) -> Iterator[str]:
    """After exit code 0 everything must be there."""
    if _plain(outcome.stdout) != _plain(reference.outcome.stdout):
        yield f"exit code 0 with another answer: {outcome.stdout[-300:]!r}, stderr {outcome.stderr[-300:]!r}"
    if state.knowledge != reference.after.knowledge:
        yield f"exit code 0 with another result; stderr {outcome.stderr[-300:]!r}"


def _file_problems(reference: Reference, state: State, may_stay: re.Pattern[str] | None = None) -> Iterator[str]:
    if missing := {path for path in reference.after.files.keys() - state.files.keys() if "/thumbs/" not in path}:
        yield f"missing: {sorted(missing)}"
    extra = state.files.keys() - reference.after.files.keys()
    if left := [path for path in sorted(extra) if not (_STAYS.search(path) or (may_stay and may_stay.search(path)))]:
        yield f"left behind: {left}"
    different = [
        path
        for path in reference.stable & state.files.keys()
        if _OUTPUT.search(path) and state.files[path] != reference.after.files[path]
    ]
    if different:
        yield f"other content: {sorted(different)}"


def _state_problems(scenario: Scenario, reference: Reference, state: State) -> Iterator[str]:
    before, after = reference.before, reference.after
    for what, now, earlier, later in (
        ("names", state.answers, before.answers, after.answers),
        ("rows", state.rows, before.rows, after.rows),
    ):
        if scenario.in_steps:
            now, earlier, later = (tuple(map(_without_group, lines)) for lines in (now, earlier, later))
            if extra := set(now) - {*earlier, *later}:
                yield f"other {what}: {extra}"
            if lost := set(earlier) & set(later) - set(now):
                yield f"lost {what}: {lost}"
        elif now not in (earlier, later):
            yield f"other {what}: {set(now) ^ set(later)}"


def _without_group(line: str) -> str:
    """Return a row of `export` without group and person, which a step may have changed; an answer as it is."""
    return ",".join(line.split(",")[:6]) if line[:1] != "{" else line


def _repetition_problems(
    drive: Drive, scenario: Scenario, reference: Reference, *, is_done: bool, was_killed: bool
) -> Iterator[str]:
    """The same command must complete the work, and `cache prune` remove what a killed one left."""
    if not is_done or scenario.in_steps:
        outcome = drive.run_command(scenario.command, keys=scenario.keys)
        if outcome.code != 0 and not is_done:
            yield f"repeated: exit code {outcome.code}, {outcome.stderr}"
    if was_killed or drive.temporary_files():
        drive.run_command("cache prune -l {library}")
    state = drive.read_state()
    if state.knowledge != reference.after.knowledge:
        yield "repeated: another result"
    yield from (f"repeated: {problem}" for problem in _file_problems(reference, state))


# -- the drive ----------------------------------------------------------------


def drive_scenario(
    drive: Drive, scenario: Scenario, points: int | None, rng: random.Random
) -> Iterator[tuple[str, int, str, list[str]]]:
    """Yield (fault, N, call, problems) for each run of a scenario."""
    reference = make_reference(drive, scenario)
    for label, fault in FAULTS.items():
        drive.restore()
        count = drive.run_command(scenario.command, fault, keys=scenario.keys).count
        numbers = list(range(1, count + 1))
        if points is not None:
            numbers = sorted(rng.sample(numbers, min(points, count)))
        for nth in numbers:
            drive.restore()
            outcome = drive.run_command(scenario.command, fault, nth, keys=scenario.keys)
            yield label, nth, outcome.hit, list(find_problems(drive, scenario, reference, fault, outcome))


def _prepare_process(world: Path) -> None:
    """Import everything once, and use a home in the world."""
    variables = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
    os.environ.update(dict.fromkeys(variables, str(world / "home")))
    worker_process._SPAWN_CONTEXT = multiprocessing.get_context("fork")  # type: ignore[assignment]
    for module in pkgutil.walk_packages(faceclust.__path__, "faceclust."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def main() -> None:
    """Drive all scenarios; print each problem as a line of JSON, and the number of runs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("world", type=Path, help="a folder to be created")
    parser.add_argument("--points", type=int, help="calls sampled for each command and fault")
    parser.add_argument("--commands", type=int, help="commands sampled")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands that contain this")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    scenarios = [scenario for scenario in SCENARIOS if options.only in scenario.name]
    if options.commands:
        scenarios = rng.sample(scenarios, min(options.commands, len(scenarios)))
    _prepare_process(options.world)
    drive, runs, failures = Drive(options.world), Counter[str](), Counter[str]()
    for scenario in scenarios:
        started, first = time.monotonic(), sum(runs.values())
        for label, nth, hit, problems in drive_scenario(drive, scenario, options.points, rng):
            runs[label] += 1
            failures[label] += bool(problems)
            for problem in problems:
                record = {"command": scenario.name, "fault": label, "nth": nth, "call": hit, "problem": problem}
                print(json.dumps(record), flush=True)
        print(
            f"{scenario.name}: {sum(runs.values()) - first} runs, {time.monotonic() - started:.1f} s",
            file=sys.stderr,
            flush=True,
        )
    print(json.dumps({"runs": runs, "failures": failures}))


if __name__ == "__main__":
    main()
