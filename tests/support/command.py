"""Run commands as a user does: in this process, or as a program if the test is about the process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
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
    """Run a command in this process and return its exit code and output, as a shell would.

    `process`: run it as a separate program, for tests about processes.
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
        clear_pack_cache()  # a new process would read the packs from disk
        patch.setattr(sys, "argv", ["faceclust", *words])
        patch.setattr(os, "nice", lambda step: 0, raising=False)  # a process cannot take its priority back
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
    """Restore the umask and the environment, which a command may change for its own process."""
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
    """Run a command that must succeed and return its standard output."""
    done = run(*arguments, cwd=cwd, env=env, process=process)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@contextmanager
def start_scan(photos: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a scan with two workers in its own process group, which the block can interrupt. It ends with the block."""
    with subprocess.Popen(
        [*COMMAND, "scan", str(photos), "--workers", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as scan:
        try:
            yield scan
        finally:
            scan.kill()


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait until the condition is true. Raises AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"the condition was still false after {seconds:g} s")


def wait_for_first_folder(photos: Path) -> None:
    """Wait until the first of the three folders of `large_library` is scanned and saved."""
    cache = photos / "0/.faceclust.mobilefacenet.parquet"

    def is_complete() -> bool:
        # Read at once: the scan replaces the file, and its parts must not come from two versions.
        table = pq.read_table(BytesIO(cache.read_bytes()), columns=["photo"])
        return len(table["photo"].unique()) == 10

    wait_for(lambda: cache.exists() and is_complete())
