"""Scans on a Dask cluster of real processes, whose photos wait at a gate until the test has done its harm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faceclust import Library
from tests.support.command import wait_for
from tests.support.dask_processes import DaskProcesses, worker_below
from tests.support.gated_photos import Gate
from tests.support.scan_builders import read_cached_rows

Rows = dict[str, list[dict[str, Any]]]


class DaskScan:
    """A scan of a folder of photos, into caches elsewhere. `rows` are those that it must find."""

    def __init__(self, root: Path, rows: Rows, folder: Path, host: str = "127.0.0.1") -> None:
        self.root, self.rows, self.caches = root, rows, folder / "caches"
        self.gate = Gate(folder / "gate")
        self.dask = DaskProcesses(folder / "logs", self.gate.environment, host)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def start(self, *options: str, before: Sequence[str] = (), **constants: object) -> subprocess.Popen[bytes]:
        """Start the command. `constants`: of the modules `connection` and `photos`, such as `connection_ALONE`."""
        changed = {f"faceclust.engines.dask.{name.replace('_', '._', 1)}": value for name, value in constants.items()}
        self._count += 1
        words = ("scan", self.root, "--cache-dir", self.caches, *options)
        self._process = self.dask.start_command(self._log, *words, constants=changed, before=before)
        return self._process

    @property
    def _log(self) -> str:
        return f"scan {self._count}"

    def output(self) -> str:
        """Return what the command has printed up to now."""
        return self.dask.log_of(self._log).read_text()

    def wait_for_output(self, text: str) -> None:
        """Wait until the command has printed a text, or ended."""
        assert self._process is not None
        process = self._process
        wait_for(lambda: text in self.output() or process.poll() is not None)
        assert text in self.output(), self.output()

    def wait_for_photo_on(self, nanny: subprocess.Popen[bytes]) -> int:
        """Wait until a worker examines a photo; return its process id."""
        worker = worker_below(nanny.pid)
        wait_for(lambda: self.gate.seen()[worker])
        return worker

    def finish(self, code: int = 0) -> str:
        """Wait for the end, and check the exit code. A failure is one line and a hint. Returns the output."""
        assert self._process is not None
        found, output = self.dask.finish(self._process, self._log)
        print(output)
        assert found == code, output
        assert "Traceback" not in output and "distributed." not in output
        assert output.count("error:") == (code == 1)
        return output

    def check_rows(self) -> None:
        """Check that the caches hold what a scan without Dask finds."""
        assert read_cached_rows(Library(self.root, cache_dir=self.caches)) == self.rows


def started(scan: DaskScan) -> Iterator[DaskScan]:
    """Start a scheduler; at the end, open the gate, end everything and check that no process is left."""
    with scan.dask:
        scan.dask.start_scheduler()
        yield scan
        scan.gate.open()
        scan.dask.stop()
