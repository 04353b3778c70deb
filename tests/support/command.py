"""Runs the installed program as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

COMMAND = [sys.executable, "-m", "faceclust"]


def run(
    *arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd or "/",
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def ok(*arguments: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = run(*arguments, cwd=cwd, env=env)
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


def wait_for_a_third(photos: Path) -> None:
    """Until the first of the three folders of the large library is done and saved."""
    cache = photos / "0/.faceclust.parquet"
    wait_for(lambda: cache.exists() and len(pq.read_table(cache, columns=["photo"])["photo"].unique()) == 10)
