"""Run commands as a user does: in this process, or as a program where the process is the point."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from faceclust.cli import main
from faceclust.packs.registry import clear_pack_cache

COMMAND = [sys.executable, "-m", "faceclust"]


def run(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, with its exit code and output as a shell would have them.

    `process`: run it as a program of its own, for tests of what only a process shows.
    """
    words = [str(argument) for argument in arguments]
    return (_run_program if process else _run_in_process)(words, cwd or Path("/"), env or {})


def _run_program(words: list[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _run_in_process(words: list[str], cwd: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    with (
        CliRunner().isolation(env=env) as (out, err, _),
        pytest.MonkeyPatch.context() as patch,
        _restored_process_state(),
    ):
        clear_pack_cache()  # a new process would read them from disk
        patch.setattr(sys, "argv", ["faceclust", *words])
        patch.chdir(cwd)
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        else:
            raise AssertionError("the program did not end with an exit code")
        sys.stdout.flush()
        sys.stderr.flush()
        return subprocess.CompletedProcess(words, code, out.getvalue().decode(), err.getvalue().decode())


@contextmanager
def _restored_process_state() -> Iterator[None]:
    """Put back what a command may change for the rest of its own process."""
    umask, environment = os.umask(0o022), dict(os.environ)
    os.umask(umask)
    try:
        yield
    finally:
        os.umask(umask)
        os.environ.clear()
        os.environ.update(environment)


def run_checked(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, process: bool = False
) -> str:
    """Run a command that has to succeed, and return its standard output."""
    done = run(*arguments, cwd=cwd, env=env, process=process)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def start_scan(photos: Path, **env: str) -> subprocess.Popen[str]:
    """A scan by two workers, as the leader of its own process group, that a test can disturb."""
    return subprocess.Popen(
        [*COMMAND, "scan", str(photos), "--workers", "2"],
        env=os.environ | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def wait_for_first_folder(photos: Path) -> None:
    """Until the first of the three folders of the large library is done and saved."""
    cache = photos / "0/.faceclust.parquet"
    wait_for(lambda: cache.exists() and len(pq.read_table(cache, columns=["photo"])["photo"].unique()) == 10)
